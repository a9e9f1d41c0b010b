"""Clips nobody trained on, drawn by the world: what a text-to-video or image-to-video model is held against."""

from dataclasses import dataclass

import numpy as np
import world
from measure import find_subject
from world import Scene, State

COUNT, FRAMES = 256, 16
_SEED = 20_26_11
_COLOUR = 8.0  # how many cells a whole colour channel counts for


@dataclass(frozen=True)
class Case:
    """One test clip: what is seen, how it moves, where exactly."""

    scene: Scene
    motion: str
    states: list[State]

    @property
    def caption(self) -> str:
        """What is seen and how it moves, as the training captions say it."""
        return self.scene.caption(self.motion)

    @property
    def start(self) -> dict[str, float]:
        """The first frame's state, by name."""
        return vars(self.states[0])

    def draw(self) -> np.ndarray:
        """The exact clip, uint8 (f, 128, 128, 3)."""
        return world.draw_clip(self.scene, self.states)


def test_set(count: int = COUNT, frames: int = FRAMES, motions: tuple[str, ...] = tuple(world.MOTIONS)) -> list[Case]:
    """Every motion as often as the others, scenes drawn at random; a shorter set is the beginning of a longer one."""
    rng = np.random.default_rng(_SEED)
    scenes, cases = world.all_scenes(), []
    for i in range(count):
        motion = motions[i % len(motions)]
        scene = scenes[rng.integers(len(scenes))]
        cases.append(Case(scene, motion, world.path(motion, world.start_state(motion, rng), frames)))
    return cases


def state_features(clip: np.ndarray) -> np.ndarray:
    """What the world knows of a clip uint8 (f, 128, 128, 3), a row of 6 f numbers: place, size (cells) and colour of
    the subject per frame.

    A frame without a subject counts as one of no size, in the middle, of the picture's mean colour.
    """
    rows = []
    for picture in clip:
        found = find_subject(picture)
        colour = picture[found.mask].mean(axis=0) if found else picture.mean(axis=(0, 1))
        place = (found.x, found.y, found.size) if found else (world.CELLS / 2, world.CELLS / 2, 0.0)
        rows.append((*place, *(colour / 255 * _COLOUR)))
    return np.array(rows, dtype=np.float64).ravel()
