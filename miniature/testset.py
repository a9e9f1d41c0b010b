"""Clips nobody trained on, drawn by the world: what a text-to-video or image-to-video model is held against."""

from dataclasses import dataclass

import numpy as np
import world
from world import Scene, State

FRAMES = 16
_SEED = 20_26_11


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


def test_set(count: int, frames: int = FRAMES, motions: tuple[str, ...] = tuple(world.MOTIONS)) -> list[Case]:
    """Every motion as often as the others, scenes drawn at random; a shorter set is the beginning of a longer one."""
    rng = np.random.default_rng(_SEED)
    scenes, cases = world.all_scenes(), []
    for i in range(count):
        motion = motions[i % len(motions)]
        scene = scenes[rng.integers(len(scenes))]
        cases.append(Case(scene, motion, world.path(motion, world.start_state(motion, rng), frames)))
    return cases
