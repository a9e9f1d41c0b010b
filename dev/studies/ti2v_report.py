"""docs/ti2v_zero.md out of the study's figures."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from world import MOTIONS

from ..interpreter import ROOT
from ..markdown import table
from .studio import CFG, calls_per_frame

FILE = ROOT / "docs" / "ti2v_zero.md"
MOVING = "preset balanced.webp"  # of the results, the one on the page
_HEAD = f"""# TI2V-Zero, measured

Made by `python3 dev study ti2v` with the miniature and its motion prior, which never saw an image-to-video task. The
world is drawn by code, so the subject's place, size and colour are known in every frame; path_error is in cells of 8
px (a subject is 5 wide), the other measures are 1 at best. cfg {CFG:g} where nothing else is said, euler on
ddim_uniform, latent queue, fixed seeds. *calls*: of the model per new frame, prompt and negative prompt together.
"""


class Section(NamedTuple):
    """One table of the page."""

    said: str  # above its table
    rows: dict[str, tuple[str, float | None]]  # name of the results -> name in the table, calls per new frame
    own: tuple[str, ...] = ()  # measures that only this section has


_SECTIONS = (
    Section(
        """## The paper's ablation

One exact frame, eight new ones, window 8, all eight motions, 10 steps, cfg 1. *distance*: Fréchet distance of place,
size and colour per frame to the 256 clips of the test set; *FVD*: the same of I3D's features, frames resized with
half-pixel centres. Lower is better; *drawn* are as many clips of the test set itself, and fewer clips are further away.

The paper finds inversion far better than none, and resampling better again. Here that depends on how firmly the model
holds its frames together. This prior's convolutions over frames were trained on eight motions at every noise level:
they tell a new frame what its neighbours show even where it starts from noise alone, and at full strength inversion
changes little. At a quarter of the strength, where the image model has more of a say, inversion is what keeps place,
shape and colour: the paper's shape. Resampling makes the new frames agree better with the known ones (shape and
colour; FVD hardly changes) and takes from their motion, so the distance of places does not fall but rises: every
repeat draws a new frame towards a context that begins as one picture repeated. This table is without guidance; with
it and less resampling, *fast* and *balanced* below move too far, *exact* too little.
""",
        {
            "ablation drawn 64": ("drawn", None),
            "ablation no inversion": ("no inversion", 10),
            "ablation inversion": ("inversion", 10),
            "ablation inversion, resample 2": ("inversion, resample 2", 30),
            "ablation inversion, resample 4": ("inversion, resample 4", 50),
            "ablation drawn 32": ("drawn", None),
            "ablation no inversion, strength 0.25": ("no inversion, motion at strength 0.25", 10),
            "ablation inversion, strength 0.25": ("inversion, motion at strength 0.25", 10),
        },
        ("distance", "FVD"),
    ),
    Section(
        """## By motion

The row *inversion* above, every motion by itself.
""",
        {f"ablation inversion, {motion}": (motion, 10) for motion in MOTIONS},
    ),
    Section(
        """## The presets, and the prior by itself

Straight motions, 16 frames: from an exact first frame, and from the caption alone (held against the exact course from
where its subject begins).
""",
        {f"preset {name}": (name, calls_per_frame(name)) for name in ("fast", "balanced", "exact")}
        | {"text": ("words alone", None)},
    ),
    Section(
        """## Gaps

Four known frames at each end of 16, all motions, *balanced*; known frames come back as they were given. A straight
line is the exact course of three of the eight motions, and of a subject that grows or stands.
""",
        {
            "gaps filled": ("the eight filled in", 20),
            "gaps line": ("drawn on a straight line between the nearest known ones", None),
            "gaps known": ("the known ones", None),
        },
    ),
    Section(
        """## Long

One exact frame and 64 new ones of motions that stay in the picture, *balanced*, window 16.
""",
        {"long": ("64 new frames", 20)},
    ),
)


def write(results: Path, measures: Sequence[str]) -> None:
    """`results`: where each row's figures are, `<row>.json`; rows that are not there are left out."""
    found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in results.glob("*.json")}
    text = _HEAD
    if (results / MOVING).exists():
        shutil.copy(results / MOVING, FILE.with_suffix(".webp"))
        text += f"\n![Above the exact courses, below what the model makes of their first frames]({FILE.stem}.webp)\n"
    for section in _SECTIONS:
        rows = [
            [name, f"{calls:g}" if calls else "", f"{values['clips']:g}",
             *(f"{values[key]:.1f}" for key in section.own),
             *(f"{values[key]:.2f}" for key in measures)]
            for row, (name, calls) in section.rows.items()
            if (values := found.get(row))
        ]  # fmt: skip
        if rows:
            text += f"\n{section.said}\n{table(['', 'calls', 'clips', *section.own, *measures], rows)}"
    FILE.write_text(text, encoding="utf-8")
    print(f"written: {FILE.relative_to(ROOT)}")
