"""TI2V-Zero on the miniature: what inversion, resampling and steps are good for, by how firmly the model holds its
frames together; what one, two and four known frames are worth, real and made ones; what the presets cost.

The miniature's motion prior, which never saw an image-to-video task, moves the first frames of the world's test set.
`python3 dev study ti2v` writes docs/ti2v.md.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import testset
import world
from testset import Case

from .harness import Settings, Study, run
from .studio import CFG, Studio

FRAMES = 6  # a known one and five new ones
BEFORE = 3  # exact frames before those, for what is given more than one
LONG = 33
_SLID: dict[str, Any] = {
    "preset": "custom", "steps": 10, "resample": 0, "inversion": True, "strength": 1.0, "cfg": 1.0, "window": 8,
    "known": 1, "at_the_end": 0, "first_frame": True,
}  # fmt: skip
_GUIDED = {**_SLID, "cfg": CFG}
VARIANTS: dict[str, Settings] = {
    "no inversion": {**_SLID, "inversion": False},
    "inversion": _SLID,
    "inversion, resample 2": {**_SLID, "resample": 2},
    "inversion, resample 4": {**_SLID, "resample": 4},
    "inversion, 50 steps": {**_SLID, "steps": 50},
    "inversion, 50 steps, resample 2": {**_SLID, "steps": 50, "resample": 2},
    "no inversion, strength 0.5": {**_SLID, "inversion": False, "strength": 0.5},
    "inversion, strength 0.5": {**_SLID, "strength": 0.5},
    "no inversion, strength 0.25": {**_SLID, "inversion": False, "strength": 0.25},
    "inversion, strength 0.25": {**_SLID, "strength": 0.25},
    "inversion, two known frames": {**_SLID, "known": 2},
    "inversion, four known frames": {**_SLID, "known": 4},
    "inversion, a gap of three": {**_SLID, "known": 4, "at_the_end": 2},
    "inversion, first frame made": {**_SLID, "first_frame": False},
    "fast": {**_GUIDED, "preset": "fast"},
    "balanced": {**_GUIDED, "preset": "balanced"},
    "exact": {**_GUIDED, "preset": "exact"},
    "words alone": {"words_alone": True, "steps": 20, "first_frame": False},
    "fast, 32 new frames": {**_GUIDED, "preset": "fast", "frames": LONG},
}


@dataclass(frozen=True)
class Course(Case):
    """A test clip, and where its subject was in the frames before."""

    before: list[world.State]


class Room(Studio):
    """The studio, with first frames of straight motions; of those that stay in the picture, where clips are long."""

    def __init__(self, count: int, results: Path):
        super().__init__()
        self.count = count

    def cases(self, frames: int, motion: str | None = None) -> list[Course]:
        """Each with BEFORE frames before its first one; motion: every case's, instead of one after the other."""
        several = world.STRAIGHT if frames <= testset.FRAMES - BEFORE else world.ENDLESS
        drawn = testset.test_set(self.count, BEFORE + frames, (motion,) if motion else several)
        return [Course(case.scene, case.motion, case.states[BEFORE:], case.states[:BEFORE]) for case in drawn]


def make(room: Room, settings: Settings, case: Course, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3`; of what is known, the frames before its first one are left out in the end."""
    settings, frames = dict(settings), len(case.states)
    if settings.pop("words_alone", False):
        return room.write(case, frames, seed, settings["steps"])
    first = None if settings.pop("first_frame") else room.write(case, 1, seed)
    earlier, ending = settings.pop("known") - 1, settings.pop("at_the_end")
    whole = Case(case.scene, case.motion, case.before[BEFORE - earlier :] + case.states)
    length = earlier + frames
    given = [*range(earlier + 1), *range(length - ending, length)]
    settings.pop("frames", None)
    return room.slide(whole, given, length, seed=seed, pictures=first, **settings)[earlier:]


STUDY = Study(
    "ti2v",
    VARIANTS,
    ("direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept", "found", "background_change",
     "unet_frames"),
    ("path_error", "displacement_ratio", "shape_iou", "background_change"),
    Room,
    make,
    quick={"preset": "custom", "steps": 1, "resample": 0, "strength": 0.5, "window": 4, "frames": 4},
    frames=FRAMES,
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
