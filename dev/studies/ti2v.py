"""TI2V-Zero on the miniature: what inversion and resampling are good for, what the presets cost, how words are
followed, gaps filled, long clips kept.

Every clip is kept under `.dev/study/ti2v`, so an interrupted study goes on where it stopped, and two may work side by
side on different parts. `python3 dev study ti2v` writes docs/ti2v_zero.md out of all that is there.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import measure
import numpy as np
import testset
import torch
import world
from few_shot_motion.metrics.frechet import frechet_distance, statistics
from few_shot_motion.metrics.i3d import LEAST_FRAMES, load_i3d
from few_shot_motion.metrics.i3d_input import HALF_PIXEL, View, to_input
from safetensors.torch import load_file
from testset import Case, state_features

from .. import contact_sheet, i3d_weights
from ..interpreter import STATE
from . import ti2v_report
from .studio import MEASURES, Studio, followed, kept, means

RESULTS = STATE / "study" / "ti2v"
SEED = 1
ABLATION = {
    "no inversion": {"inversion": False},
    "inversion": {},
    "inversion, resample 2": {"resample": 2},
    "inversion, resample 4": {"resample": 4},
    "no inversion, strength 0.25": {"inversion": False, "strength": 0.25},
    "inversion, strength 0.25": {"strength": 0.25},
}
SHORT = LEAST_FRAMES  # of the ablation's clips, for I3D
NARROW = 8  # frames of its window: half the work of 16, and the prior has learnt both
PRESETS = {"fast": 32, "balanced": 32, "exact": 3}  # clips of each
PARTS = (
    {"text": 32}
    | {f"preset {preset}": count for preset, count in PRESETS.items()}
    | {"gaps": 8, "long": 3}
    | {f"ablation {row}": 32 if "strength" in row else 64 for row in ABLATION}
)


def ablation(studio: Studio, part: str, count: int) -> dict[str, dict[str, float]]:
    """One row of the paper's ablation, without guidance: measures, and distances to the whole test set; beside it as
    many clips of the test set, and the measures of every motion by itself."""
    cases, settings = testset.test_set(count), ABLATION[part.removeprefix("ablation ")]
    clips = made(part, cases, lambda case, seed: studio.slide(case, [0], SHORT, NARROW, seed, cfg=1.0, **settings))
    states = kept(RESULTS / "exact states.npz", lambda: states_of(drawn(testset.test_set())))
    seen = kept(RESULTS / "exact features.npz", lambda: video_features(drawn(testset.test_set())))
    rows = measured(cases, clips)
    of_motion = {
        motion: [row for row, case in zip(rows, cases, strict=True) if case.motion == motion]
        for motion in world.MOTIONS
    }
    return {
        part: means(rows)
        | {"distance": distance(states_of(clips), states), "FVD": distance(video_features(clips), seen)},
        **{f"{part}, {motion}": {"clips": len(of_it), **means(of_it)} for motion, of_it in of_motion.items() if of_it},
        f"ablation drawn {count}": means(measured(cases, drawn(cases)))
        | {"distance": distance(states[:count], states), "FVD": distance(seen[:count], seen)},
    }


def drawn(cases: Sequence[Case]) -> list[np.ndarray]:
    """The exact clips, as long as the ablation's."""
    return [case.draw()[:SHORT] for case in cases]


def states_of(clips: Iterable[np.ndarray]) -> np.ndarray:
    """Each clip's place, size and colour per frame, a row of `6 f` numbers each."""
    return np.stack([state_features(clip) for clip in clips])


def distance(made: np.ndarray, exact: np.ndarray) -> float:
    """Fréchet distance of two sets of rows."""
    return frechet_distance(statistics(torch.from_numpy(made)), statistics(torch.from_numpy(exact)))


def video_features(clips: Iterable[np.ndarray]) -> np.ndarray:
    """What DeepMind's I3D makes of clips uint8 (f, h, w, 3), resized with half-pixel centres: a row of 400 numbers
    each.
    """
    network, view = load_i3d(load_file(i3d_weights.prepare())), View(SHORT, HALF_PIXEL)
    with torch.inference_mode():
        return torch.cat(
            [network(to_input(torch.from_numpy(clip).movedim(-1, 1).float() / 255, view)) for clip in clips]
        ).numpy()


def text(studio: Studio, part: str, count: int) -> dict[str, dict[str, float]]:
    """The captions of straight motions from words alone, 16 frames."""
    cases = testset.test_set(count, motions=world.STRAIGHT)
    clips = made(part, cases, lambda case, seed: studio.write(case, 16, seed))
    return {part: means([followed(clip, case) for clip, case in zip(clips, cases, strict=True)])}


def preset(studio: Studio, part: str, count: int) -> dict[str, dict[str, float]]:
    """The same captions from an exact first frame."""
    cases = testset.test_set(count, motions=world.STRAIGHT)
    name = part.removeprefix("preset ")
    return {
        part: means(measured(cases, made(part, cases, lambda case, seed: studio.slide(case, [0], 16, 16, seed, name))))
    }


def gaps(studio: Studio, part: str, count: int) -> dict[str, dict[str, float]]:
    """The first and the last four of 16 frames are known; the eight between are measured, beside a straight line
    between the nearest known ones.
    """
    cases, known = testset.test_set(count), [*range(4), *range(12, 16)]
    unknown = [i for i in range(16) if i not in known]
    clips = made(part, cases, lambda case, seed: studio.slide(case, known, 16, 16, seed, "balanced"))
    lines = [world.draw_clip(case.scene, straight(case.states, 3, 12)) for case in cases]
    return {
        f"{part} filled": means(measured(cases, clips, unknown)),
        f"{part} line": means(measured(cases, lines, unknown)),
        f"{part} known": means(measured(cases, clips, known)),
    }


def straight(states: Sequence[world.State], first: int, last: int) -> list[world.State]:
    """The course with a straight line from frame `first` to frame `last`, and the rain of the first."""
    course = list(states)
    for i in range(first + 1, last):
        x, y, size = (
            np.interp(i, [first, last], [getattr(states[first], name), getattr(states[last], name)])
            for name in ("x", "y", "size")
        )
        course[i] = world.State(float(x), float(y), float(size), states[first].drops)
    return course


def long(studio: Studio, part: str, count: int) -> dict[str, dict[str, float]]:
    """64 new frames of motions without an end."""
    cases = testset.test_set(count, frames=65, motions=world.ENDLESS)
    return {
        part: means(
            measured(cases, made(part, cases, lambda case, seed: studio.slide(case, [0], 65, 16, seed, "balanced")))
        )
    }


def made(part: str, cases: Sequence[Case], make: Callable[[Case, int], np.ndarray]) -> list[np.ndarray]:
    """A part's clips, each made unless it is there; the first eight under the exact ones, as a contact sheet and
    moving.
    """
    clips = []
    for number, case in enumerate(cases):
        clips.append(kept(RESULTS / part / f"{number:03}.npz", partial(make, case, SEED + number)))
        print(f"{part} {number + 1}/{len(cases)}", flush=True)
    groups = [
        {case.motion: case.draw()[: len(clip)], "made": clip} for case, clip in zip(cases[:8], clips, strict=False)
    ]
    contact_sheet.sheet(groups).save(RESULTS / f"{part}.png")
    contact_sheet.write_moving(RESULTS / f"{part}.webp", groups)
    return clips


def measured(
    cases: Sequence[Case], clips: Sequence[np.ndarray], at: Sequence[int] | None = None
) -> list[dict[str, float]]:
    """Measures of every clip against its exact course, at some of its frames or at all."""
    return [
        measure.measure_clip(clip[frames], case.scene, [case.states[i] for i in frames])
        for clip, case in zip(clips, cases, strict=True)
        for frames in [at or range(len(clip))]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--parts", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument(
        "--count",
        type=int,
        help="clips of each part, instead of " + ", ".join(f"{n} ({part})" for part, n in PARTS.items()),
    )
    options = parser.parse_args()
    studio = Studio()
    for part in options.parts:
        count = options.count or PARTS[part]
        make = {"ablation": ablation, "text": text, "preset": preset, "gaps": gaps, "long": long}[part.split()[0]]
        for row, found in make(studio, part, count).items():
            figures = {"clips": count, **found}
            print(row, {key: round(value, 3) for key, value in figures.items()}, flush=True)
            Path(RESULTS, f"{row}.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    ti2v_report.write(RESULTS, MEASURES)
