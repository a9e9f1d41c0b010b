"""Eight first frames moved by their captions, under the exact courses, as a moving picture for README.

`python3 dev study ti2v_moving` writes docs/ti2v.webp; the clips are kept under `.dev/study/ti2v_moving`, so that it may
be cut. They take half an hour of one core.
"""

from functools import partial

import testset
import world

from .. import contact_sheet
from ..interpreter import ROOT, STATE
from .studio import Studio, kept

FRAMES, SHOWN, SEED = 16, 8, 1


def main() -> None:
    """The command."""
    studio, groups = Studio(), []
    for number, case in enumerate(testset.test_set(SHOWN, FRAMES, world.STRAIGHT)):
        make = partial(studio.slide, case, [0], FRAMES, FRAMES, SEED + number, "balanced")
        clip = kept(STATE / "study" / "ti2v_moving" / f"{number}.npz", make)
        groups.append({"exact": case.draw(), "made": clip})
        print(f"{number + 1} of {SHOWN}", flush=True)
    contact_sheet.write_moving(ROOT / "docs" / "ti2v.webp", groups)
