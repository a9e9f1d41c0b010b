"""One clip, its subject drawn anew in another colour: Tune-A-Video learnt from that clip alone, by the prompt that it
is inverted under, beside the same without what it learnt.

Every seed has a clip of "moves right" of its own, and a training. `python3 dev study tune_a_video` writes
docs/tune_a_video.md.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import clips
import numpy as np
import world
from testset import Case

from .classroom import CLIPS, FRAMES, SEED, Classroom
from .harness import Settings, Study, run
from .inversion import drawn_again

_EDITED: Settings = {"training": 300, "inverted_with": "empty", "steps": 20, "cfg": 1.5}
VARIANTS: dict[str, Settings] = {
    "learnt": _EDITED,
    "learnt, inverted with its caption": {**_EDITED, "inverted_with": "caption"},
    "nothing learnt": {**_EDITED, "training": 0},
    "nothing learnt, inverted with its caption": {**_EDITED, "training": 0, "inverted_with": "caption"},
}


@dataclass(frozen=True)
class Edit(Case):
    """What a clip should become, and which of the clips that is."""

    number: int


class Room(Classroom):
    """The eight clips of "moves right", each of which is to get another colour."""

    def __init__(self, unseen: int, results: Path):
        super().__init__("moves right", unseen, results)

    def cases(self, frames: int = FRAMES, motion: str | None = None) -> list[Edit]:
        """The clips, their subject in the world's next colour."""
        colours = list(world.COLOURS)
        return [
            Edit(replace(scene, colour=colours[(colours.index(scene.colour) + 1) % len(colours)]), self.motion,
                 world.path(self.motion, start, frames), number)
            for number, (scene, start) in enumerate(clips.training_set(self.motion, CLIPS, SEED))
        ]  # fmt: skip


def make(room: Room, settings: Settings, case: Edit, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3`."""
    model, frames = room.model, len(case.states)
    if settings["training"]:
        model = room.learnt(
            f"tune-a-video {case.number}", case.number, settings["training"], frames, only=[case.number],
            method="Tune-A-Video",
        )  # fmt: skip
    words = room.captions[case.number] if settings["inverted_with"] == "caption" else ""
    pictures = room.clips[case.number][:frames]
    return drawn_again(room, model, pictures, words, case.caption, settings["steps"], settings["cfg"])


STUDY = Study(
    "tune_a_video",
    VARIANTS,
    ("direction_cosine", "displacement_ratio", "path_error", "colour_kept", "shape_iou", "found", "background_change"),
    ("path_error", "displacement_ratio", "colour_kept", "background_change"),
    Room,
    make,
    quick={"training": 1, "steps": 2},
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
