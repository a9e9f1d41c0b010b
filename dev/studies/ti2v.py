"""TI2V-Zero on the miniature: what inversion and resampling are good for, what the presets cost, how words are followed, gaps filled, long clips kept.

Every clip is kept under `.dev/study/ti2v`, so an interrupted study goes on where it stopped, and two may work side by side on different parts.
`python3 dev study ti2v` writes docs/ti2v_zero.md out of all that is there.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import measure
import numpy as np
import testset
import torch
import world
from few_shot_motion.metrics.frechet import frechet_distance, statistics
from testset import Case, state_features

from .. import contact_sheet
from ..interpreter import STATE
from . import ti2v_report
from .studio import MEASURES, Studio, followed, kept, means

RESULTS = STATE / "study" / "ti2v"
SEED = 1
ABLATION = {
    "no inversion": {"inversion": False},
    "inversion": {},
    "inversion, resample 2": {"resample": 2},
    "exact (inversion, resample 4)": {"resample": 4},
    "balanced": {"preset": "balanced"},
    "fast": {"preset": "fast"},
}
SHORT = 8  # frames of a clip and of the window in the ablation: a quarter of the work of 16


def ablation(studio: Studio, count: int, row: str) -> list[dict[str, float]]:
    """One row of the paper's ablation; with each clip's measures its exact state, as features."""
    found = []
    for number, case in enumerate(testset.test_set(count)):
        clip = kept(RESULTS / row / f"{number:03}.npz", partial(studio.slide, case, [0], SHORT, SHORT, SEED + number, **ABLATION[row]))
        found.append(measure.measure_clip(clip, case.scene, case.states[:SHORT]) | {"features": state_features(clip).tolist()})
        print(f"{row} {number + 1}/{count}", flush=True)
    return found


def distance(rows: list[dict]) -> float:
    """Fréchet distance of the clips' exact state to that of the whole test set."""
    reference = np.stack([state_features(case.draw()[:SHORT]) for case in testset.test_set()])
    return frechet_distance(*(statistics(torch.tensor(features)) for features in ([row["features"] for row in rows], reference.tolist())))


def words(studio: Studio, count: int) -> dict[str, dict[str, float]]:
    """The captions of straight motions from words alone, and from a first frame at the default preset, 16 frames."""
    cases = testset.test_set(count, motions=world.STRAIGHT)
    written = [kept(RESULTS / "text to video" / f"{i:03}.npz", partial(studio.write, case, 16, SEED + i)) for i, case in enumerate(cases)]
    slid = []
    for i, case in enumerate(cases):
        slid.append(kept(RESULTS / "image to video" / f"{i:03}.npz", partial(studio.slide, case, [0], 16, 16, SEED + i, "balanced")))
        print(f"image to video {i + 1}/{count}", flush=True)
    sheet("words", [(case, {"words": a, "picture": b}) for case, a, b in zip(cases, written, slid, strict=True)])
    return {
        "from words alone": means([followed(clip, case) for clip, case in zip(written, cases, strict=True)]),
        "from a first frame": means([measure.measure_clip(clip, case.scene, case.states) for clip, case in zip(slid, cases, strict=True)]),
    }


def gaps(studio: Studio, count: int) -> dict[str, dict[str, float]]:
    """The first and the last four of 16 frames are known; the eight between are measured, beside what the known ones themselves measure."""
    cases, known = testset.test_set(count), [*range(4), *range(12, 16)]
    filled = [
        kept(RESULTS / "gaps" / f"{i:03}.npz", partial(studio.slide, case, known, 16, 16, SEED + i, "balanced"))
        for i, case in enumerate(cases)
    ]
    unknown = [i for i in range(16) if i not in known]
    sheet("gaps", [(case, {"filled": clip}) for case, clip in zip(cases, filled, strict=True)])
    return {
        name: means(
            [measure.measure_clip(clip[at], case.scene, [case.states[i] for i in at]) for clip, case in zip(filled, cases, strict=True)]
        )
        for name, at in (("the eight filled in", unknown), ("the known ones, as they came back", known))
    }


def long(studio: Studio, count: int) -> dict[str, dict[str, float]]:
    """64 new frames of motions without an end."""
    cases = testset.test_set(count, frames=65, motions=world.ENDLESS)
    made = []
    for i, case in enumerate(cases):
        made.append(kept(RESULTS / "long" / f"{i:03}.npz", partial(studio.slide, case, [0], 65, 16, SEED + i, "balanced")))
        print(f"long {i + 1}/{count}", flush=True)
    sheet("long", [(case, {"made": clip}) for case, clip in zip(cases, made, strict=True)])
    return {"64 new frames": means([measure.measure_clip(clip, case.scene, case.states) for clip, case in zip(made, cases, strict=True)])}


def sheet(name: str, clips: list[tuple[Case, dict[str, np.ndarray]]]) -> None:
    groups = [{case.motion: case.draw(), **rows} for case, rows in clips[:8]]
    contact_sheet.sheet(groups).save(RESULTS / f"{name}.png")


COUNTS = {"ablation": 64, "words": 32, "gaps": 16, "long": 6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=list(COUNTS), default=list(COUNTS))
    parser.add_argument("--rows", nargs="+", choices=list(ABLATION), default=list(ABLATION), help="of the ablation")
    parser.add_argument(
        "--count", type=int, help="clips of each part, instead of " + ", ".join(f"{n} ({part})" for part, n in COUNTS.items())
    )
    options = parser.parse_args()
    studio = Studio()
    for part in options.parts:
        count = options.count or COUNTS[part]
        if part == "ablation":
            for row in options.rows:
                rows = ablation(studio, count, row)
                _write(f"ablation {row}", {"clips": count, "distance": distance(rows), **means(rows)})
        else:
            for row, found in {"words": words, "gaps": gaps, "long": long}[part](studio, count).items():
                _write(f"{part} {row}", {"clips": count, **found})
    ti2v_report.write({file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(RESULTS.glob("*.json"))}, MEASURES)


def _write(name: str, found: dict[str, float]) -> None:
    print(name, {key: round(value, 3) for key, value in found.items()}, flush=True)
    Path(RESULTS, f"{name}.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
