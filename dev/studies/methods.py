"""LAMP's table 1 on the miniature: every method of motion on the same first frames and prompts, and what each costs.
`python3 dev study methods` writes docs/methods.md; with `--checkpoint` it is a table of one's own (methods_on.py).
"""

import sys

from . import methods_on
from .harness import Study, run
from .methods_room import VARIANTS, Room, make

STUDY = Study(
    "methods",
    VARIANTS,
    ("direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept", "background_change",
     "warping_error", "alignment", "consistency", "clip_temp", "first_frame_jump", "unet_frames"),
    ("path_error", "alignment", "consistency", "warping_error"),
    Room,
    make,
    quick={"steps": 2, "training": 2},
)  # fmt: skip


def main() -> None:
    """The command."""
    words = sys.argv[1:]
    if any(word.split("=")[0] == "--checkpoint" for word in words):
        methods_on.main(words)
    else:
        run(STUDY)
