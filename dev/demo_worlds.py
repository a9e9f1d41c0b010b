"""What the demo shows: worlds drawn by code, each with the checkpoint that knows it, two motions to learn and what can
be measured of them.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import base
from .trouble import Trouble

sys.path.append(str(base.MINIATURE))
import clips  # noqa: E402
import figure_clips  # noqa: E402
import measure  # noqa: E402
import stage  # noqa: E402
import world  # noqa: E402
from clip_reading import ClipReading  # noqa: E402

CLIPS, UNSEEN, FRAMES, SEED = 8, 8, 16, 1
_LIMBS = ("limb_correlation", "period_error", "colours_kept", "found", "path_error")


@dataclass(frozen=True)
class Unseen:
    """A first frame that no clip has shown: the caption, the exact clip uint8 (f, h, w, 3), and what holds another clip
    of this size against it."""

    caption: str
    exact: np.ndarray
    measure: Callable[[np.ndarray], dict[str, float]]


@dataclass(frozen=True)
class Inputs:
    """What differs from the shipped workflows' values, by the names of the inputs of their Train, Sampler and
    Noise; settings: what Motion Training Settings adds."""

    train: dict[str, Any] = field(default_factory=dict)
    sample: dict[str, Any] = field(default_factory=dict)
    noise: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """`teach(folder, motion, count)` writes so many clips of a motion, and gives UNSEEN first frames of it; measures:
    those of the report's table; inputs: what its motions are learnt and animated with."""

    checkpoint: Path
    motions: tuple[str, ...]
    measures: tuple[str, ...]
    teach: Callable[[Path, str, int], list[Unseen]]
    inputs: Inputs


def _shapes(folder: Path, motion: str, count: int = CLIPS) -> list[Unseen]:
    seen, unseen = clips.write_training_set(folder, motion, count, FRAMES, SEED), []
    for scene, start in clips.first_frames(motion, UNSEEN, SEED, exclude=seen):
        states = world.path(motion, start, FRAMES)
        held = partial(measure.measure_clip, scene=scene, states=states)
        unseen.append(Unseen(scene.caption(motion), world.draw_clip(scene, states), held))
    return unseen


def _figures(cameras: Mapping[str, str], folder: Path, motion: str, count: int = CLIPS) -> list[Unseen]:
    """cameras: of every motion."""
    camera = cameras[motion]
    seen = figure_clips.write_figure_set(folder, motion, count, FRAMES, SEED, camera=camera)
    shots = figure_clips.unseen_shots(motion, UNSEEN, SEED, seen, camera)
    return [Unseen(shot.caption(), stage.draw_clip(shot), partial(_of_figure, shot)) for shot in shots]


def _of_figure(shot: stage.Shot, clip: np.ndarray) -> dict[str, float]:
    seen = ClipReading(clip, shot)
    return {name: seen.first[name] for name in _LIMBS} | seen.background


# a gait is more to learn than a way: twice as long, at a rate that ends at nothing, with norms over each frame alone,
# as the image model knows them, high noise, where poses are laid out, counted in full, queries learning as fast as all
# else, clips moved sideways, for eight figures stand in eight places, and three quarters of the loss where a clip
# moves, for an arm is a small part of it; without guidance, which pulls a figure away from its first frame, towards its
# caption; with more noise in common, for a frame's own decides its pose where the motion is not sure of it
_GAITS = Inputs(
    train={"steps": 1600, "learning_rate": 2e-3},
    sample={"steps": 20, "cfg": 1.0},
    noise={"alpha": 0.5},
    settings={
        "lr_schedule": "warm-up, linear decay", "group_norm": "per frame", "weighting": "v", "query_rate": 1.0,
        "shift": 24, "focus": 0.75,
    },
)  # fmt: skip
STILL, MOVING = {"walks": "still", "waves": "still"}, {"walks": "follows", "waves": "pans"}
WORLDS = {
    "figures": World(base.FIGURES, tuple(STILL), (*_LIMBS, "background_change"), partial(_figures, STILL), _GAITS),
    "moving-camera": World(
        base.FIGURES, tuple(MOVING), (*_LIMBS, "flow_error", "flow_length"), partial(_figures, MOVING), _GAITS,
    ),
    "shapes": World(
        base.WEIGHTS, ("moves right", "falls"),
        ("displacement_ratio", "direction_cosine", "path_error", "colour_kept", "shape_iou", "found"), _shapes,
        Inputs(train={"steps": 800, "learning_rate": 1e-3}, sample={"cfg": 2.0}),
    ),
}  # fmt: skip


def chosen(name: str, checkpoint: Path | None) -> World:
    """The world of this name. Raises Trouble where its checkpoint is not there and no other was asked for."""
    if checkpoint is None and WORLDS[name].checkpoint == base.FIGURES and not base.FIGURES.exists():
        raise Trouble(base.without_figures())
    return WORLDS[name]
