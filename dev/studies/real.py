"""Real clips, Stable Diffusion's own small autoencoder, and a small UNet of ours: what LAMP, Tune-A-Video and the mask
predictor make of people who walk out of a room.

The UNet is taught by the clips' frames, once, for hours; its training goes on where it stopped. `python3 dev study
real` writes docs/real.md; the clips and the autoencoder are no part of the repository, `--real DIR` says where they
are.
"""

import argparse
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .. import contact_sheet
from ..interpreter import STATE
from . import harness, study_page
from .classroom import FRAMES
from .filmed import clips, unet
from .filmed.room import Filmed, Judge, Walk
from .harness import Settings, Study

TRAINING, TUNING = 400, 100  # steps of motion layers, on four walks and on one
RESULTS = STATE / "study" / "real"
SHEET = study_page.PAGES / "real_clips.jpg"
OTHERS = clips.CAPTIONS[clips.SEEN[0]]  # another person's words
_SAMPLING, _WORDS = {"steps": 10}, {"first_frame": False}
METHODS = {
    "the first frame, still": (Filmed.still, {}),
    "the real clip, coded": (Filmed.coded, {}),
    "no adapter": (Filmed.plain, _SAMPLING),
    "LAMP": (Filmed.lamp, _SAMPLING),
    "LAMP, half the noise shared": (partial(Filmed.lamp, alpha=0.5), _SAMPLING),
    "LAMP, masks": (partial(Filmed.lamp, masked=True), _SAMPLING),
    "Tune-A-Video": (Filmed.tuned, {"steps": 20, **_WORDS}),
    "Tune-A-Video, another's words": (partial(Filmed.tuned, words=OTHERS), {"steps": 20, **_WORDS}),
}


def make(room: Filmed, settings: Settings, case: Walk, seed: int) -> np.ndarray:
    """By the method that the settings name."""
    return METHODS[settings["method"]][0](room, case, seed, settings.get("steps", 0))


STUDY = Study(
    "real",
    {name: {"method": name, **settings} for name, (_, settings) in METHODS.items()},
    ("course_error", "displacement_ratio", "person_iou", "found", "background_change", "psnr", "warping_error",
     "first_frame_jump", "predicted_iou"),
    ("course_error", "person_iou", "background_change", "psnr"),
    partial(Filmed, real=clips.REAL, training=TRAINING, tuning=TUNING),
    make,
    judge=Judge,
    weights=lambda filmed: filmed.made_by,
)  # fmt: skip


def quick(real: Path) -> study_page.Results:
    """Everything as small as it goes: a UNet of two steps, every row once. Nothing is kept."""
    few, frames = (clips.WALKS[0], next(iter(clips.CAPTIONS))), harness.QUICK_FRAMES
    settings = {name: {**row, "steps": 2} for name, row in STUDY.variants.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        latents = clips.latents(real, folder / "latents.safetensors", few, frames)
        unet.train(latents, folder, 2, "cpu")
        study = replace(STUDY, room=partial(Filmed, real=real, training=2, tuning=2, frames=frames))
        return harness.measured(study, settings, folder, 1, 1, frames)


def sheet(filmed: Filmed, folder: Path) -> Image.Image:
    """The real walks and what every row made of them with the first seed."""
    groups = []
    for case in filmed.cases(FRAMES)[: len(clips.UNSEEN)]:
        files = {name: harness.clip_file(folder, row, 0, case, FRAMES, filmed.made_by)
                 for name, row in STUDY.variants.items()}  # fmt: skip
        groups.append({"real": case.clip, **{name: np.load(file)["array"] for name, file in files.items()}})
    return contact_sheet.sheet(groups)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, default=clips.REAL, metavar="DIR", help="where clips and TAESD are")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=unet.STEPS, help="of the UNet's training")
    parser.add_argument("--batch", type=int, default=unet.BATCH, help="of the UNet's training")
    parser.add_argument("--training", type=int, default=TRAINING, help="LAMP's steps, on four walks")
    parser.add_argument("--tuning", type=int, default=TUNING, help="Tune-A-Video's steps, on one")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", choices=["unet", "clips"], help="train the UNet and stop, or go on with it as it is")
    parser.add_argument("--quick", action="store_true", help="every row once as small as it goes; nothing is kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.only != "unet":
        clips.place(options.real)
    if options.quick:
        print(study_page.table(quick(options.real)))
        return
    if options.only != "clips":
        latents = clips.latents(options.real, RESULTS / "latents.safetensors")
        unet.train(latents, RESULTS, options.steps, options.device, options.batch)
    if options.only == "unet":
        print(f"written: {unet.checkpoint(RESULTS)[0]}")
        return
    scenes = len(clips.UNSEEN)
    filmed = Filmed(options.seeds * scenes, RESULTS, options.real, options.training, options.tuning)
    study = replace(STUDY, room=lambda *_: filmed)
    results = harness.measured(study, study.variants, RESULTS, options.seeds, scenes, FRAMES)
    overlaps, distances = filmed.finds()
    results["said"] = {
        "unet_steps": f"{filmed.unet_steps:,}",
        "training_steps": str(options.training), "tuning_steps": str(options.tuning),
        "least_overlap": f"{min(overlaps):.2f}", "largest_distance": f"{max(distances):.1f}",
    }  # fmt: skip
    harness.keep(study, results)
    sheet(filmed, RESULTS).save(SHEET, quality=85, optimize=True)
    study_page.write(study.name)


if __name__ == "__main__":
    main()
