"""A study's page and picture out of its kept results and its words: nothing on it is typed by hand but the words.

`results/NAME.json` holds what was measured, `NAME.md` beside the study the words; the page is docs/NAME.md. In the
words {table} stands for the table, {amount} for how many clips there are, {row: measure} for one figure of it,
{study.row: measure} for one of another study's, and what a study says of itself beside, under the results' "said", for
itself.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .. import markdown
from ..interpreter import ROOT
from .drawing import BLUE, ORANGE, Axis, Panel, beside, round_steps

RESULTS, WORDS, PAGES = Path(__file__).with_name("results"), Path(__file__).parent, ROOT / "docs"
DIGITS = {"alignment": 3, "consistency": 3, "diversity": 3, "clip_temp": 3, "warping_error": 5, "psnr": 1,
          "unet_frames": 0}  # fmt: skip
_ROW, _WIDTH, _TOP, _BOTTOM = 20, 220, 32, 30  # px
Results = dict[str, Any]


def kept(name: str) -> Results:
    """What was measured; Raises FileNotFoundError where nothing was."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def keep(name: str, results: Results) -> None:
    """Put what was measured into the tracked file."""
    put(RESULTS / f"{name}.json", results)


def put(file: Path, what: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(what, indent=1) + "\n", encoding="utf-8")
    part.replace(file)


def values(results: Results, row: str, measure: str) -> list[float]:
    """A row's values of a measure, one for each seed."""
    return [seed[measure] for seed in results["rows"][row].values() if measure in seed]


def cell(results: Results, row: str, measure: str) -> str:
    """Mean over the seeds ± half their range."""
    found, digits = values(results, row, measure), DIGITS.get(measure, 2)
    if not found:
        return "–"
    mean = f"{np.mean(found):.{digits}f}"
    return f"{mean} ± {np.ptp(found) / 2:.{digits}f}" if len(found) > 1 and digits else mean


def table(results: Results) -> str:
    """All rows, in Markdown."""
    lines = [
        [row, str(len(seeds)), *(cell(results, row, measure) for measure in results["measures"])]
        for row, seeds in results["rows"].items()
    ]
    return markdown.table(["", "seeds", *results["measures"]], lines)


def page(name: str) -> str:
    """The text of docs/NAME.md. Raises KeyError where the words ask for a figure that was not measured."""
    results = kept(name)
    words = (WORDS / f"{name}.md").read_text(encoding="utf-8")
    most = max(len(seeds) for seeds in results["rows"].values())
    own = "a first frame of its own" if results["scenes"] == 1 else f"{results['scenes']} first frames of its own"
    amount = f"{most} seeds, each with {own}; {results['frames']} frames"
    words = words.replace("{table}\n", table(results)).replace("{amount}", amount)
    for what, said in results.get("said", {}).items():
        words = words.replace(f"{{{what}}}", said)
    return re.sub(
        r"\{(?:(\w+)\.)?([^{}.]+[^{}]*): (\w+)\}",
        lambda found: cell(kept(found[1]) if found[1] else results, found[2], found[3]),
        words,
    )


def write(name: str) -> None:
    """Page and picture."""
    results = kept(name)
    (PAGES / f"{name}.md").write_text(page(name), encoding="utf-8")
    note = PngInfo()
    note.add_text("figures", digest(results))
    drawn(results).save(PAGES / f"{name}.png", optimize=True, pnginfo=note)
    print(f"written: docs/{name}.md, docs/{name}.png")


def digest(results: Results) -> str:
    """Tells one set of results from another; a picture carries that of what it shows."""
    return hashlib.sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()[:16]


def drawn(results: Results) -> Image.Image:
    """A panel for each of the measures that are to be drawn: a dot for every seed, a stroke for their mean."""
    rows = list(results["rows"])
    names = max(len(row) for row in rows) * 7 + 16  # px
    panels = []
    drawn = {measure: [values(results, row, measure) for row in rows] for measure in results["drawn"]}
    for number, (measure, found) in enumerate((measure, found) for measure, found in drawn.items() if any(found)):
        steps = round_steps(min(map(min, filter(None, found))), max(map(max, filter(None, found))))
        left = names if number == 0 else 16
        size = (left + _WIDTH, _TOP + _ROW * len(rows) + _BOTTOM)
        up = Axis(len(rows) - 0.5, -0.5)  # the first row on top
        panel = Panel(size, (left, _TOP, 20, _BOTTOM), Axis(steps[0], steps[-1]), up)
        panel.words((left, 8), measure)
        panel.grid_across(steps)
        panel.grid_up(range(len(rows)), rows if number == 0 else [""] * len(rows))
        for i, of_row in enumerate(found):
            panel.dots([(value, i) for value in of_row], ORANGE)
            if of_row:
                panel.stroke((float(np.mean(of_row)), i), BLUE)
        panels.append(panel.picture)
    return beside(panels)
