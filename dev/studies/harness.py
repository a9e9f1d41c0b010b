"""One way to make a study: variants x seeds x first frames, measured, kept, put on a page.

Clips are kept under `.dev/study/NAME`, each under a name that follows from what makes it: its variant's settings, its
seed, its first frame, the miniature's weights. So a study that was cut goes on, and a variant that is changed is made
anew. The code is not in that name: after a change of it, delete the folder. What was measured is kept in the tracked
`results/NAME.json`, and page and picture are written from there (study_page.py).
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from few_shot_motion.host.files.weights_file import fingerprint
from torch.nn.modules.module import register_module_forward_pre_hook

from ..base import MINIATURE
from ..interpreter import STATE
from . import study_page
from .classroom import FRAMES
from .judge import Judge
from .studio import kept

Settings = Mapping[str, Any]  # what JSON can hold
QUICK_FRAMES = 4


@dataclass(frozen=True)
class Study:
    """What is compared, and by what; `make(room, settings, case, seed)` gives a clip uint8 `f h w 3`, or
    `f h w 4` as judge.with_masks makes it.

    Settings with "first_frame": False make clips from words alone; those of `asked` say which cases a row wants of the
    room, other than its own; "frames" is another length than the study's.
    """

    name: str
    variants: Mapping[str, Settings]
    measures: tuple[str, ...]
    drawn: tuple[str, ...]  # of the measures, those in the picture
    room: Callable[[int, Path], Any]  # how many cases it is to have, and where it keeps what it learns
    make: Callable[[Any, Settings, Any, int], np.ndarray]
    quick: Settings = field(default_factory=dict)  # for --quick, in the place of settings of the same names
    judge: Callable[[Any], Any] = lambda room: Judge()  # of a room
    weights: Callable[[Any], list[str]] = lambda room: _weights()  # fingerprints of what a room's clips are made by
    asked: tuple[str, ...] = ("motion",)  # settings that the room's `cases` takes by these names
    frames: int = FRAMES
    scenes: int = 1  # first frames of each seed, unless the command is asked for more or fewer


def run(study: Study) -> None:
    """The study's command."""
    parser = argparse.ArgumentParser(description=study.name)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scenes", type=int, default=study.scenes, help="first frames of each seed, its own")
    parser.add_argument("--variants", nargs="+", default=list(study.variants), choices=study.variants, metavar="NAME",
                        help="only these rows, the others stay as they are: " + ", ".join(study.variants))  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="every row once as small as it goes; nothing is kept")
    options = parser.parse_args()
    chosen = {name: study.variants[name] for name in options.variants}
    if options.quick:
        print(study_page.table(quick(study, chosen)))
        return
    results = measured(study, chosen, STATE / "study" / study.name, options.seeds, options.scenes, study.frames)
    keep(study, results)
    study_page.write(study.name)


def quick(study: Study, chosen: Mapping[str, Settings]) -> study_page.Results:
    """The results of rows as small as they go, of which nothing is kept."""
    small = {
        name: {key: study.quick.get(key, value) for key, value in settings.items()} for name, settings in chosen.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        return measured(study, small, Path(folder), 1, 1, QUICK_FRAMES)


def measured(
    study: Study, chosen: Mapping[str, Settings], folder: Path, seeds: int, scenes: int, frames: int
) -> study_page.Results:
    """Every variant's measures for every seed, mean over the first frames that the seed has to itself."""
    folder.mkdir(parents=True, exist_ok=True)
    room = study.room(seeds * scenes, folder)
    judge, weights = study.judge(room), study.weights(room)
    rows: dict[str, dict[str, dict[str, float]]] = {name: {} for name in chosen}
    for seed in range(seeds):
        for name, settings in chosen.items():
            found, clips = [], []
            for case in _cases(study, room, settings, frames)[seed * scenes : (seed + 1) * scenes]:
                file = clip_file(folder, settings, seed, case, frames, weights)
                clip, of_clip = _clip(file, lambda a=settings, b=case, c=seed: study.make(room, a, b, c))
                missing = [measure for measure in study.measures if measure not in of_clip]
                of_clip |= judge.of(clip, case, settings.get("first_frame", True), missing)
                study_page.put(_figures(file), of_clip)
                found.append(of_clip)
                clips.append(clip)
            rows[name][str(seed)] = {
                measure: round(float(np.mean([one[measure] for one in found])), 6)
                for measure in study.measures if measure in found[0]
            }  # fmt: skip
            rows[name][str(seed)] |= judge.together(clips, study.measures)
            print(f"{name}, seed {seed}: {rows[name][str(seed)]}", flush=True)
    return {"scenes": scenes, "frames": frames, "measures": study.measures, "drawn": study.drawn, "rows": rows}


def _cases(study: Study, room: Any, settings: Settings, frames: int) -> list[Any]:
    others = {name: settings[name] for name in study.asked if name in settings}
    return room.cases(settings.get("frames", frames), **others)


def clip_file(folder: Path, settings: Settings, seed: int, case: Any, frames: int, weights: list[str]) -> Path:
    """Where a clip is kept, named by what makes it."""
    return folder / f"{_name([settings, seed, case.caption, case.start, frames, weights])}.npz"


def _clip(file: Path, make: Callable[[], np.ndarray]) -> tuple[np.ndarray, dict[str, float]]:
    """The clip in this file, made unless it is there, and what is known of it: at first, what it cost."""
    if not file.exists():
        with unet_frames() as seen:
            clip = make()
        study_page.put(_figures(file), {"unet_frames": float(seen[0])})
        kept(file, lambda: clip)
    return kept(file, lambda: clip), json.loads(_figures(file).read_text(encoding="utf-8"))


@contextmanager
def unet_frames() -> Iterator[list[int]]:
    """How many frames go through a UNet meanwhile, those of the prompt and of the negative prompt both; training is
    not counted.
    """
    seen = [0]

    def count(module: torch.nn.Module, given: tuple) -> None:
        if isinstance(module, UNetModel) and not torch.is_grad_enabled():
            seen[0] += len(given[0])

    hook = register_module_forward_pre_hook(count)
    try:
        yield seen
    finally:
        hook.remove()


def keep(study: Study, results: study_page.Results) -> None:
    """Put results into the tracked file; rows that were not asked for this time stay, in the study's order."""
    file = study_page.RESULTS / f"{study.name}.json"
    before = study_page.kept(study.name) if file.exists() else {}
    same = all(before.get(key) == results[key] for key in ("scenes", "frames"))
    rows = {**(before["rows"] if same else {}), **results["rows"]}
    results["rows"] = {name: rows[name] for name in study.variants if name in rows}
    study_page.keep(study.name, results)


def _figures(file: Path) -> Path:
    return file.with_suffix(".json")


def _name(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def _weights() -> list[str]:
    return [fingerprint(file) for file in sorted((MINIATURE / "models").rglob("*.safetensors"))]
