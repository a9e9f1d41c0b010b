"""Masks on the miniature: the ablation of the mask-predictor paper, and motion layers split into subject and
background.

Every variant is trained on the same eight clips with several seeds and animates the same unseen first frames. One
result file per variant and seed under `.dev/study/masks`: what is there is not made again, so a study may be cut and
gone on with. It ends with the table of all there is.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import comfy.samplers
import measure
import numpy as np
import torch
import world
from few_shot_motion.host.metrics.clip_file import from_file as clip_from_file
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.host.sampling.clip_sampling import condition_model
from few_shot_motion.metrics import clip_scores
from few_shot_motion.motion_modules.mask_predictor import MaskPredictor, resize_masks
from few_shot_motion.nodes.masks import PredictMask

from .. import contact_sheet, markdown
from ..interpreter import STATE
from .classroom import FRAMES, SEED, Classroom

RESULTS = STATE / "study" / "masks"
MOTION = "moves right"
VARIANTS: dict[str, dict[str, Any] | None] = {  # None: without masks
    "LAMP": None,
    "mask x0": {"mask_input": "x0"},
    "mask noise": {"mask_input": "noise"},
    "mask-conditioned": {"mask_input": "conditioned"},
    "split layers": {"mask_input": "x0", "split": True},
}
PROBE = 1.0  # sigma at which the noise variant's predictor looks at the predicted noise
MEASURES = ("mask_iou", "mask_iou_px", "background_change", "alignment", "consistency", "diversity",
            "displacement_ratio", "direction_cosine",
            "path_error", "shape_iou", "colour_kept")  # fmt: skip


class Miniature(Classroom):
    """Learns the variants and animates by them."""

    def __init__(self, unseen: int):
        super().__init__(MOTION, unseen, RESULTS)
        self.pair = clip_from_file("miniature_clip.safetensors")

    def variant(self, variant: str, seed: int, steps: int):
        """A variant's adapter, and its losses."""
        learning = VARIANTS[variant]
        masks = {} if learning is None else {**learning, "masks": self.masks}
        return self.train(_file(variant, seed, steps).stem, seed, steps, **masks)

    def clip_and_masks(self, adapter, scene: world.Scene, start: world.State) -> tuple[np.ndarray, torch.Tensor | None]:
        """A first frame's clip uint8 `f h w 3`, and the masks at the latent's size `f h w` where the adapter has a
        predictor.
        """
        given = torch.from_numpy(world.subject_mask(scene.shape, start))[None].float()
        model = apply_adapter(
            self.model, adapter, mask=given if adapter.metadata.get("mask_input") == "conditioned" else None
        )
        positive, negative = self.encode(scene.caption(MOTION)), self.encode("")
        latent = self.animate(model, positive, negative, self.first_frame(scene, start))
        picture = (self.vae.decode(latent["samples"].float()) * 255).round().byte().numpy()
        if adapter.metadata.get("mask_input") == "noise":
            with self.precision():
                predicted = _predicted_noise(model, latent, positive, self.noise)
            return picture, MaskPredictor.of(adapter.mask_tensors).probabilities(predicted.float())
        has_predictor = adapter.metadata.get("mask_input") == "x0"
        return picture, PredictMask.execute(adapter, latent, "latent").args[0] if has_predictor else None

    def measured(self, variant: str, seed: int, steps: int) -> dict[str, Any]:
        """Train a variant with a seed, animate the unseen first frames, measure; leaves a contact sheet beside the
        figures.
        """
        adapter, losses = self.variant(variant, seed, steps)
        groups, found, features = [], [], []
        for scene, start in self.unseen:
            with torch.inference_mode():
                picture, masks = self.clip_and_masks(adapter, scene, start)
            figures = measure.measure_clip(picture, scene, world.path(MOTION, start, FRAMES))
            figures["background_change"] = measure.background_change(picture, scene.shape)
            group = {variant: picture}
            if masks is not None:
                figures |= _overlaps(masks, _subjects(picture, scene.shape))
                shown = torch.nn.functional.interpolate(masks[:, None], scale_factor=world.CELL)[:, 0]
                group["mask"] = (shown[..., None].repeat(1, 1, 1, 3) * 255).byte().numpy()
            groups.append(group)
            found.append(figures)
            features.append(self.pair.embed_images(torch.from_numpy(picture).movedim(-1, 1).float() / 255))
            figures["alignment"] = clip_scores.alignment(features[-1], self.pair.embed_text(scene.caption(MOTION)))
        np.savez_compressed(
            _file(variant, seed, steps).with_suffix(".npz"), clips=np.stack([group[variant] for group in groups])
        )
        contact_sheet.sheet(groups).save(_file(variant, seed, steps).with_suffix(".png"))
        means = {key: round(float(np.mean([clip[key] for clip in found])), 4) for key in sorted(found[0])}
        means["consistency"] = round(float(np.mean([clip_scores.consistency(clip) for clip in features])), 4)
        means["diversity"] = round(clip_scores.diversity(features), 4)
        return {
            "variant": variant,
            "seed": seed,
            "steps": steps,
            "means": means,
            "clips": found,
            "losses": losses["loss"],
        }


def _predicted_noise(model, latent: dict, positive: list, noise) -> torch.Tensor:
    """The noise a model predicts in a finished clip that is noised once more, scaled like a LATENT."""

    def probe(model, x, sigmas, extra_args=None, callback=None, disable=None):
        return (x - model(x, sigmas[:1].expand(len(x)), **(extra_args or {}))) / sigmas[0]

    guider = comfy.samplers.CFGGuider(condition_model(model))
    guider.set_conds(positive, positive)
    guider.set_cfg(1.0)
    sigmas, sampler = torch.tensor([PROBE, 0.0]), comfy.samplers.KSAMPLER(probe)
    return guider.sample(
        noise.generate_noise(latent), latent["samples"], sampler, sigmas, seed=SEED, disable_pbar=True
    ).cpu()


def _subjects(picture: np.ndarray, shape: str) -> torch.Tensor:
    """Where the subject is in each frame as drawn, `f h w`."""
    found = [measure.find_subject(frame, (shape,)) for frame in picture]
    return torch.stack(
        [torch.zeros(picture.shape[1:3]) if s is None else torch.from_numpy(s.mask).float() for s in found]
    )


def _overlaps(masks: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    """IoU of masks at the latent's size with the subject in the pictures, frames 1 and on: at the latent's size, and in
    pixels.
    """

    def iou(a: torch.Tensor, b: torch.Tensor) -> float:
        both, either = (a & b).sum(dim=(1, 2)), (a | b).sum(dim=(1, 2))
        return float((both / either.clamp(min=1))[1:].mean())

    small, large = resize_masks(truth, *masks.shape[-2:]) >= 0.5, resize_masks(masks, *truth.shape[-2:]) >= 0.5
    return {"mask_iou": iou(masks >= 0.5, small), "mask_iou_px": iou(large, truth >= 0.5)}


# ---------------------------------------------------------------------------------------------------------- results


def _file(variant: str, seed: int, steps: int) -> Path:
    return RESULTS / f"{variant.replace(' ', '_')}_{steps}_steps_seed_{seed}.json"


def table(steps: int, seeds: list[int]) -> str:
    """Mean over seeds and half their range, in Markdown, of what is there."""
    rows = []
    for variant in VARIANTS:
        files = [file for seed in seeds if (file := _file(variant, seed, steps)).exists()]
        means = [json.loads(file.read_text(encoding="utf-8"))["means"] for file in files]
        values = {key: [mean[key] for mean in means if key in mean] for key in MEASURES}
        cells = [f"{np.mean(v):.3f} ± {np.ptp(v) / 2:.3f}" if v else "–" for v in values.values()]
        rows.append([variant, str(len(files)), *cells])
    return markdown.table(["variant", "seeds", *MEASURES], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=800, help="training steps of every variant")
    parser.add_argument("--unseen", type=int, default=8, help="first frames to animate")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    missing = [
        (variant, seed)
        for seed in options.seeds
        for variant in options.variants
        if not _file(variant, seed, options.steps).exists()
    ]
    miniature = Miniature(options.unseen) if missing else None
    for variant, seed in missing:
        start = time.monotonic()
        found = miniature.measured(variant, seed, options.steps)
        found["seconds"] = round(time.monotonic() - start)
        part = _file(variant, seed, options.steps).with_suffix(".part")
        part.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        part.replace(_file(variant, seed, options.steps))
        print(f"{variant}, seed {seed}: {found['seconds']} s, {found['means']}", flush=True)
    text = table(options.steps, options.seeds)
    (RESULTS / f"table_{options.steps}_steps.md").write_text(text, encoding="utf-8")
    print(text)
