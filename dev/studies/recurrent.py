"""What the memory of recurrent causal attention is worth: learnt on the miniature, then taken away; the official form
beside it.

Adapters and clips are kept under `.dev`, so an interrupted study goes on where it stopped. `python3 dev study
recurrent` prints the table and writes a contact sheet to `.dev/study/recurrent`.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from testset import Case

from .. import contact_sheet, demo, markdown, prompt
from ..frames import fetched
from ..interpreter import STATE
from .served import served
from .studio import MEASURES, followed, kept, means

RESULTS = STATE / "study" / "recurrent"
MOTION = "moves right"
CAPTIONS = 16
SHOWN = 8  # clips on the contact sheet
FORMS = ("fixed", "official")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1200, help="of training")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--count", type=int, default=CAPTIONS, help="captions that no training clip had")
    parser.add_argument(
        "--without-convolutions", action="store_true", help="as the paper has it: no motion convolutions beside"
    )
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    without = ", without convolutions" if options.without_convolutions else ""
    with served("recurrent") as studio:
        seen = demo.clips.write_training_set(
            studio.input / "clips" / "recurrent", MOTION, demo.CLIPS, demo.FRAMES, demo.SEED
        )
        cases = [
            Case(scene, MOTION, [])
            for scene, _ in demo.clips.first_frames(MOTION, options.count, demo.SEED, exclude=seen)
        ]
        groups: list[contact_sheet.Group] = [{} for _ in cases[:SHOWN]]
        for form in options.forms:
            with studio.phase(f"learn: {form}"):
                learning = {"method": "Recurrent", "recurrence": form, "steps": options.steps,
                            "motion_convolutions": not without, "lr_schedule": "warm-up, linear decay",
                            "save_every": 100, "resume": True}  # fmt: skip
                name = f"recurrent_{form}{'_without_convolutions' if without else ''}"
                adapter = studio.train("clips/recurrent", name, prompt.load("train_motion_lamp"), **learning)
            file = studio.input.with_name("output") / "motion_adapters" / adapter
            largest = _largest_memory_weight(file)
            adapters = {form: adapter} | ({f"{form}, memory zeroed": _without_memory(file).name} if largest else {})
            for row, name in adapters.items():
                place = RESULTS / f"{row}{without}, {options.steps} steps"
                with studio.phase(f"sample: {row}"):
                    drawn = [
                        kept(place / f"{i:03}.npz", partial(_sample, studio, case.caption, name))
                        for i, case in enumerate(cases)
                    ]
                for group, clip in zip(groups, drawn, strict=False):
                    group[row] = clip
                rows[row] = means([followed(clip, case) for clip, case in zip(drawn, cases, strict=True)])
                rows[row]["largest_memory_weight"] = largest if row == form else 0.0
    contact_sheet.sheet(groups).save(RESULTS / f"clips{without}.png")
    report = {"steps": options.steps, "rows": rows, "seconds": studio.seconds}
    (RESULTS / f"report{without}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"\n{_table(rows)}\nPictures and figures are in {RESULTS}")


def _sample(studio: demo.Demo, caption: str, adapter: str) -> np.ndarray:
    """The frames of one clip from words alone, uint8 (f, h, w, 3)."""
    graph = prompt.load("text_to_video_recurrent")
    prompt.set_inputs(graph, "Checkpoint", ckpt_name=studio.checkpoint)
    prompt.set_inputs(graph, "Motion adapter", adapter=adapter)
    prompt.set_inputs(graph, "Prompt", text=caption)
    prompt.set_inputs(graph, "Length and size", batch_size=demo.FRAMES, **studio.size)
    prompt.set_inputs(graph, "Noise", seed=demo.SEED)
    prompt.set_inputs(graph, "Steps", steps=studio.settings.sample["steps"])
    prompt.set_inputs(graph, "Guidance", cfg=studio.settings.sample["cfg"])
    frames = prompt.add_frame_saver(graph, "Save video", "recurrent/frames")
    files = studio.client.run(graph)[frames]["images"]
    return fetched(studio.client, files)


def _largest_memory_weight(file: Path) -> float:
    with safe_open(file, framework="pt") as content:
        names = [name for name in content.keys() if "memory_update" in name]  # noqa: SIM118 - not a dict
        return max(float(content.get_tensor(name).abs().max()) for name in names)


def _without_memory(file: Path) -> Path:
    """A copy of an adapter whose memory stays at zero."""
    with safe_open(file, framework="pt") as content:
        metadata = content.metadata()
    tensors = {
        name: torch.zeros_like(value) if "memory_update" in name else value for name, value in load_file(file).items()
    }
    copy = file.with_name(f"zeroed_{file.name}")
    save_file(tensors, copy, metadata)
    return copy


def _table(rows: dict[str, Any]) -> str:
    """Means over the captions in Markdown; 1 is perfect but in path_error, whose unit is a cell of 8 px."""
    columns = (*MEASURES, "largest_memory_weight")
    lines = [[row, *(f"{found[key]:.2f}" for key in columns)] for row, found in rows.items()]
    return markdown.table(["memory", *columns], lines)
