"""The page and the picture of the study of training steps, out of the figures it has kept."""

import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from .. import markdown
from ..interpreter import ROOT
from . import study_page
from .drawing import BLUE, ORANGE, WORDS, Axis, Panel, beside

FILE, PICTURE = ROOT / "docs" / "training.md", ROOT / "docs" / "training.png"
FIGURES = Path(__file__).with_name("training.json")  # recipe -> motion -> seed -> steps -> path_error
FAST, PAPER = "fast", "paper: LAMP"
UNSEEN = 4  # first frames that are animated
WIDTH = 320 / 64  # SD 1.x's narrowest width by the miniature's: AdamW's rate goes inversely with it
CLOSE = 0.6  # path_error, cells
_PANEL, _MARGINS = (480, 320), (52, 40, 24, 36)  # px
_STEPS, _ERROR = Axis(100, 30000, logarithmic=True), Axis(0.0, 4.0)
_COLOURS = {FAST: ORANGE, PAPER: BLUE}
Run = tuple[str, str, int]  # recipe, motion, seed
Curve = dict[int, float]  # steps -> path_error


def kept() -> dict[Run, Curve]:
    """What was measured of every run."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    return {
        (recipe, motion, int(seed)): {int(steps): error for steps, error in curve.items()}
        for recipe, motions in found.items() for motion, seeds in motions.items() for seed, curve in seeds.items()
    }  # fmt: skip


def keep(run: Run, curve: Curve) -> None:
    """Put a run's figures into the tracked file."""
    found, (recipe, motion, seed) = json.loads(FIGURES.read_text(encoding="utf-8")), run
    found.setdefault(recipe, {}).setdefault(motion, {})[str(seed)] = {str(steps): curve[steps] for steps in curve}
    study_page.put(FIGURES, found)


def reached(curve: Curve) -> int | None:
    """The first step count at which the subject keeps close to the exact course."""
    return next((steps for steps in sorted(curve) if curve[steps] <= CLOSE), None)


def page(runs: Mapping[Run, Curve]) -> str:
    """The text of docs/training.md."""
    return _HEAD.format(unseen=UNSEEN, factor=WIDTH, close=CLOSE) + _table(runs)


def write() -> None:
    """docs/training.md and docs/training.png."""
    runs = kept()
    FILE.write_text(page(runs), encoding="utf-8")
    _drawn(runs).save(PICTURE, optimize=True)
    print(f"\n{_table(runs)}\nwritten: {FILE.relative_to(ROOT)}, {PICTURE.relative_to(ROOT)}")


def _table(runs: Mapping[Run, Curve]) -> str:
    rows = []
    for motion, seed in dict.fromkeys(run[1:] for run in runs):
        fast, paper = (runs.get((recipe, motion, seed), {}) for recipe in _COLOURS)
        a, b, most = reached(fast), reached(paper), max(paper, default=0)
        ratio = f"{b / a:.1f}" if a and b else f"> {most / a:.1f}" if a and most else ""
        rows.append([motion, str(seed), _steps(fast), _best(fast), _steps(paper), _best(paper), ratio])
    head = ["motion", "seed", "fast, steps", "its best", "paper: LAMP, steps", "its best", "paper / fast"]
    return markdown.table(head, rows)


def _steps(curve: Curve) -> str:
    if not curve:
        return "not run"
    return str(steps) if (steps := reached(curve)) else f"> {max(curve)}"


def _best(curve: Curve) -> str:
    if not curve:
        return ""
    steps = min(curve, key=lambda count: curve[count])
    return f"{curve[steps]:.2f} after {steps}"


def _drawn(runs: Mapping[Run, Curve]) -> Image.Image:
    return beside([_panel(motion, runs) for motion in dict.fromkeys(motion for _, motion, _ in runs)])


def _panel(motion: str, runs: Mapping[Run, Curve]) -> Image.Image:
    panel = Panel(_PANEL, _MARGINS, _STEPS, _ERROR)
    panel.words((panel.left, 6), f"{motion}: path_error over steps")
    for number, (recipe, colour) in enumerate(_COLOURS.items()):
        panel.words((panel.left + 110 * number, 22), recipe, colour)
    panel.grid_across((100, 300, 1000, 3000, 10000, 30000))
    panel.grid_up((0, 1, 2, 3, 4))
    panel.grid_up((CLOSE,), colour=WORDS)
    for (recipe, of, _), curve in runs.items():
        if of == motion:
            points = [(steps, curve[steps]) for steps in sorted(curve)]
            panel.line(points, _COLOURS[recipe])
            panel.dots(points, _COLOURS[recipe])
    return panel.picture


_HEAD = """# How many steps a motion takes

Made by `python3 dev study training`: the recipe *fast* beside *paper: LAMP* on the miniature, both motions of the demo,
eight clips of 16 frames each, several seeds. A run stops to animate {unseen} first frames that no clip has shown, as
the demo does (10 steps, cfg 2), and goes on; its *steps* are those after which the mean path_error, in cells of 8 px,
is at most {close} for the first time. path_error is the subject's mean distance from the exact course; without an
adapter it is about 4.5. A run that did not come there says how far it was trained (>), and how close it came.

Everything is the recipes' own but the learning rate, which is {factor:g} times theirs in both: the miniature is
{factor:g} times narrower than SD 1.x, and AdamW's best rate goes inversely with the width. *paper: LAMP* mirrors half
of the clips, as LAMP's code does: of a motion to one side it shows both directions under the same words. A run of the
paper's ends at 30,000 steps, or at ten times the steps that *fast* took, one of *fast* at its own 2,000; a run that
ended earlier was cut for want of time. Runs go on where they stopped when the command is given again. Those kept here
were trained to 3,000 steps at most on an NVIDIA H200, and from there on a CPU; both compute in bf16 on a checkpoint in
fp32.

![path_error over steps](training.png)

"""
