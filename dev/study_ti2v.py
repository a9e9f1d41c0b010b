"""TI2V-Zero on the miniature, measured: what inversion and resampling are good for, what the presets cost, how well words are followed.

Every clip is kept under `.dev/study/ti2v`, so an interrupted study goes on where it stopped. Started by `python3 dev study ti2v`.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import comfy.sample
import measure
import numpy as np
import testset
import torch
import world
from few_shot_motion.metrics.frechet import frechet_distance, statistics
from few_shot_motion.nodes import repeat_and_slide
from few_shot_motion.nodes.motion import LoadMotionAdapter
from testset import Case, state_features

from . import contact_sheet, machine
from .interpreter import ROOT, STATE

PRIOR = "miniature_motion.safetensors"
RESULTS = STATE / "study" / "ti2v"
SEED = 1
CFG = 4.0
STRAIGHT = ("moves right", "moves left", "falls", "rises")  # motions with a direction
_CUSTOM = {"steps": 10, "resample": 0, "resample_start": 0.0, "resample_end": 1.0, "new_frames": 1, "inversion": True}
ROWS = {  # what differs from the node's defaults
    "no inversion": {"preset": "custom", **_CUSTOM, "inversion": False},
    "inversion": {"preset": "custom", **_CUSTOM},
    "inversion, resample 2": {"preset": "custom", **_CUSTOM, "resample": 2},
    "inversion, resample 4 (exact)": {"preset": "custom", **_CUSTOM, "resample": 4},
    "balanced": {"preset": "balanced"},
    "fast": {"preset": "fast"},
}
MEASURES = ("direction_cosine", "displacement_ratio", "path_error", "colour_kept", "shape_iou", "found")


class Studio:
    """The miniature with its motion prior, in this process."""

    def __init__(self):
        import nodes

        asyncio.run(nodes.load_custom_node(str(ROOT / "miniature")))
        image_model, self.text, self.vae = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
        self.model = LoadMotionAdapter.execute(image_model, PRIOR, 1.0).args[0]
        self.half = machine.training_precision() == "bf16"

    def words(self, caption: str) -> list:
        return [[self.text.encode_from_tokens(self.text.tokenize(caption)), {}]]

    def precision(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.half)

    def slide(self, case: Case, frames: int, window: int, seed: int, **settings) -> np.ndarray:
        """A clip from the case's first frame by repeat-and-slide."""
        first = torch.from_numpy(case.draw()[:1]).float() / 255
        made = {"length": frames, "seed": seed, "cfg": CFG, "window": window, "queue": "latent", "sampler_name": "euler",
                "scheduler": "ddim_uniform", **_CUSTOM, "context": 0, "end": "clean", "batch": "frames of one clip", **settings}  # fmt: skip
        with torch.inference_mode(), self.precision():
            out = repeat_and_slide.RepeatAndSlideSampler.execute(
                self.model, self.words(case.caption), self.words(""), first, vae=self.vae, **made
            )
        return _pixels(out.args[1])

    def write(self, case: Case, frames: int, seed: int) -> np.ndarray:
        """A clip from the caption alone: the prior's own text to video."""
        shape = (frames, 4, world.CELLS, world.CELLS)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode(), self.precision():
            latent = comfy.sample.sample(self.model, noise, 20, CFG, "euler", "ddim_uniform", self.words(case.caption), self.words(""),
                                         torch.zeros(shape), disable_pbar=True, seed=seed)  # fmt: skip
            return _pixels(self.vae.decode(latent.float()))


def _pixels(images: torch.Tensor) -> np.ndarray:
    return (images.float().clamp(0, 1) * 255).round().byte().numpy()


def followed(clip: np.ndarray, case: Case) -> dict[str, float]:
    """How a clip without a given first frame follows its caption: held against the exact course from where its subject begins."""
    begins = measure.find_subject(clip[0], (case.scene.shape,))
    if begins is None:
        return dict.fromkeys(MEASURES, 0.0)
    course = world.path(case.motion, world.State(begins.x, begins.y, begins.size), len(clip))
    return measure.measure_clip(clip, case.scene, course)


def kept(folder: Path, number: int, make) -> np.ndarray:
    """The clip of this number, made unless it is there."""
    file = folder / f"{number:03}.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        clip = make()
        part = file.with_suffix(".part")
        with part.open("wb") as opened:
            np.savez_compressed(opened, clip=clip)
        part.replace(file)
    return np.load(file)["clip"]


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in MEASURES}


def study(studio: Studio, cases: list[Case], frames: int, window: int, rows: list[str]) -> dict[str, dict[str, float]]:
    """Row -> its measures over the cases; `distance` is the Fréchet distance of the world's exact state to the whole test set."""
    reference = statistics(torch.from_numpy(np.stack([state_features(case.draw()[:frames]) for case in testset.test_set()])))
    found, sheets = {}, []
    for row in rows:
        started, folder = time.monotonic(), RESULTS / f"{frames}_frames_window_{window}" / row
        clips = []
        for number, case in enumerate(cases):
            clips.append(kept(folder, number, lambda: studio.slide(case, frames, window, SEED + number, **ROWS[row])))  # noqa: B023
            print(f"{row} {number + 1}/{len(cases)}, {(time.monotonic() - started) / (number + 1):.0f} s each", flush=True)
        measured = [measure.measure_clip(clip, case.scene, case.states[:frames]) for clip, case in zip(clips, cases, strict=True)]
        features = torch.from_numpy(np.stack([state_features(clip) for clip in clips]))
        found[row] = {"distance": frechet_distance(statistics(features), reference), **means(measured)}
        sheets.append((row, clips))
        print(row, {key: round(value, 3) for key, value in found[row].items()}, flush=True)
    groups = [{"exact": case.draw()[:frames], **{row[:16]: clips[i] for row, clips in sheets}} for i, case in enumerate(cases[:8])]
    contact_sheet.sheet(groups).save(RESULTS / f"{frames}_frames_window_{window}.png")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--window", type=int, default=16)
    parser.add_argument("--rows", nargs="*", choices=list(ROWS), default=list(ROWS))
    options = parser.parse_args()
    studio = Studio()
    torch.set_num_threads(1)
    cases = testset.test_set(options.clips)
    found = {"settings": {**vars(options), "cfg": CFG, "seed": SEED}}
    found["rows"] = study(studio, cases, options.frames, options.window, options.rows)
    straight = testset.test_set(32, motions=STRAIGHT)
    folder = RESULTS / "text_to_video"
    clips = [kept(folder, i, lambda: studio.write(case, testset.FRAMES, SEED + i)) for i, case in enumerate(straight)]  # noqa: B023
    found["text to video"] = means([followed(clip, case) for clip, case in zip(clips, straight, strict=True)])
    print("text to video", found["text to video"])
    json.dump(found, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
