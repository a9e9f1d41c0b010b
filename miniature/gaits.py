"""How the figures move: a pose for every moment of every motion, periodic ones with a period of their own.

A moment is given in turns of the gait, 0 to 1 and on; frames come in through `Gait.period`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from figures import SHIN, THIGH, Figure, Pose

_STRIDE, _BOUND = 23.0, 34.0  # degrees a thigh swings when walking and running


def _swing(phase: float) -> float:
    """-1 to 1: forwards as a pendulum, and back as evenly as the ground goes by."""
    phase = (phase + np.pi / 2) % (2 * np.pi)
    return -float(np.cos(phase)) if phase < np.pi else 3 - 2 * phase / np.pi


def _walks(turn: float) -> Pose:
    def leg(phase: float) -> tuple[float, float]:
        bend = 6 + 52 * max(0.0, np.cos(phase))  # the knee bends while the leg swings forwards
        thigh = _STRIDE * _swing(phase) + 0.15 * bend
        return thigh, thigh - bend

    def arm(phase: float) -> tuple[float, float]:
        upper = -28 * np.sin(phase)
        return upper, upper + 16 + 10 * max(0.0, -np.sin(phase))

    phase = 2 * np.pi * turn
    return Pose((arm(phase), arm(phase + np.pi)), (leg(phase), leg(phase + np.pi)), lean=3.0)


def _runs(turn: float) -> Pose:
    def leg(phase: float) -> tuple[float, float]:
        bend = 18 + 78 * max(0.0, np.cos(phase + 0.5)) ** 1.2
        thigh = 10 + _BOUND * _swing(phase)
        return thigh, thigh - bend

    def arm(phase: float) -> tuple[float, float]:
        upper = -6 - 40 * np.sin(phase)
        return upper, upper + 82 - 10 * np.sin(phase)

    phase = 2 * np.pi * turn
    lift = 0.035 * (1 - np.cos(2 * phase + np.pi)) / 2  # off the ground between two steps
    return Pose((arm(phase), arm(phase + np.pi)), (leg(phase), leg(phase + np.pi)), lean=11.0, lift=lift)


def _waves(turn: float) -> Pose:
    swing = np.sin(2 * np.pi * turn)
    stand = (4.0, 2.0)
    return Pose(((118 + 6 * swing, 176 + 32 * swing), (10 + 2 * swing, 6.0)), (stand, stand), lean=2 * swing)


def _jumps(turn: float) -> Pose:
    """A third of the time crouching for the next one, the rest in the air."""
    at = turn % 1.0
    air = max(0.0, (at - 0.36) / 0.64)
    crouch = np.sin(np.pi * min(at / 0.36, 1.0)) ** 2
    height = 4 * air * (1 - air)
    arms = 22 - 12 * crouch + 118 * height
    legs = (6 + 44 * crouch + 14 * height, 3 - 44 * crouch + 4 * height)
    return Pose(((arms, arms + 14 * (1 - crouch)),) * 2, (legs, legs), lift=0.2 * height)


def _cheers(turn: float) -> Pose:
    """Both arms thrown up and bent again, on the toes at the top."""
    up = (1 - np.cos(2 * np.pi * turn)) / 2
    arms = (82 + 70 * up, 202 - 38 * up)
    stand = (5 + 8 * (1 - up), 2 - 8 * (1 - up))
    return Pose((arms, arms), (stand, stand), lift=0.03 * up)


def _sits_down(turn: float) -> Pose:
    """From standing (0) to sitting (1), once; feet stay where they are."""
    at = float(np.clip(turn, 0, 1))
    done = at * at * (3 - 2 * at)
    thigh, shin = 2 + 84 * done, -4 * done
    legs = ((thigh, shin), (thigh - 7 * done, shin - 9 * done))
    arms = ((4 + 34 * done, 10 + 62 * done), (2 + 40 * done, 8 + 58 * done))
    feet = THIGH * np.sin(np.radians(thigh)) + SHIN * np.sin(np.radians(shin))
    return Pose(arms, legs, lean=3 + 26 * np.sin(np.pi * done) + 2 * done, ahead=-float(feet))


@dataclass(frozen=True)
class Gait:
    """A motion: its law of poses; from where it is seen; frames of one turn, or of all of a motion that ends;
    how many of its heights a figure goes in a turn where it does not stay on the spot."""

    law: Callable[[float], Pose]
    view: str
    period: float
    stride: float = 0.0
    endless: bool = True

    def pose(self, i: float, phase: float = 0.0) -> Pose:
        """In frame i, `phase` turns later than it began."""
        return self.law(i / self.period + phase)

    def speed(self, figure: Figure) -> float:
        """Cells a frame, so that feet on the ground stay where they are."""
        return self.stride * figure.cells / self.period


_LEG = THIGH + SHIN
GAITS = {
    "walks": Gait(_walks, "side", 10.0, 4 * _LEG * float(np.sin(np.radians(_STRIDE)))),
    "runs": Gait(_runs, "side", 6.5, 4 * _LEG * float(np.sin(np.radians(_BOUND)))),
    "waves": Gait(_waves, "front", 8.0),
    "jumps": Gait(_jumps, "front", 9.0),
    "cheers": Gait(_cheers, "front", 7.5),
    "sits down": Gait(_sits_down, "side", 11.0, endless=False),
}
