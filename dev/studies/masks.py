"""What masks are worth: the mask-predictor paper's ablation, its two baselines, what it leaves to future work.

Every row but Text2Video-Zero learns "moves right" from the same eight clips, with their exact masks where there are
masks, anew for every seed, and animates the seed's own first frames, which no clip has shown. `python3 dev study masks`
writes docs/masks.md; of the rows that are learnt, each takes minutes of one core and seed.
"""

from typing import Any

import comfy.samplers
import numpy as np
import torch
import world
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.host.sampling.clip_sampling import condition_model
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.mask_predictor import MaskPredictor
from few_shot_motion.nodes.frame_noise import FrameNoise
from testset import Case

from .classroom import CLIPS, SEED
from .harness import Settings, Study, run
from .judge import with_masks
from .mask_norm import Room as OfPredictors
from .methods_room import text_to_video_zero

PROBE = 1.0  # sigma at which the noise variant's predictor looks at the predicted noise
_PLAIN: dict[str, Any] = {"steps": 10, "training": 300, "learning": {}}
_X0 = {"mask_input": "x0", "mask_weighting": "noise level", "mask_targets": "hard"}


def _x0(training: int = 300, **changes: Any) -> Settings:
    return {**_PLAIN, "training": training, "learning": {**_X0, **changes}}


VARIANTS: dict[str, Settings] = {
    "LAMP": _PLAIN,
    "LAMP, predictor learnt apart": {**_PLAIN, "apart": 400},
    "predictor on x0": _x0(),
    "predictor on noise": _x0(mask_input="noise"),
    "mask-conditioned": _x0(mask_input="conditioned"),
    "split layers": _x0(split=True),
    "Text2Video-Zero": {"steps": 20, "cfg": 3.0, "first_frame": False},
    "predictor on x0, constant weight": _x0(mask_weighting="constant"),
    "predictor on x0, rising weight": _x0(mask_weighting="rising"),
    "predictor on x0, falling weight": _x0(mask_weighting="falling"),
    "predictor on x0, soft targets": _x0(mask_targets="soft"),
    "LAMP, twice as long": {**_PLAIN, "training": 600},
    "predictor on x0, twice as long": _x0(600),
}


class Room(OfPredictors):
    """Learns the rows and keeps them."""

    def adapter(self, settings: Settings, seed: int, frames: int) -> MotionAdapter:
        """What a row learns with a seed."""
        learning, steps = settings["learning"], settings["training"]
        name = " ".join([*map(str, learning.values()), f"{steps} steps, {frames} frames, seed {seed}"])
        masks = {"masks": self.masks[:CLIPS]} if learning else {}
        return self.taught(name, seed, steps, frames=frames, **learning, **masks)


def make(room: Room, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3`; `f h w 4` where there is a predictor, with what it says of the finished latents."""
    if not settings.get("first_frame", True):
        return text_to_video_zero(room, settings, case, seed)
    adapter, mask = room.adapter(settings, seed, len(case.states)), None
    looks_at = adapter.metadata.get("mask_input")
    apart = room.predictor(True, seed, settings["apart"]) if "apart" in settings else None
    if looks_at == "conditioned":
        mask = torch.from_numpy(world.subject_mask(case.scene.shape, case.states[0]))[None].float()
    model, noise = apply_adapter(room.model, adapter, mask=mask), FrameNoise.execute(seed, "shared", 0.2, True).args[0]
    with torch.inference_mode():
        words, first = room.encode(case.caption), room.first_frame(case.scene, case.states[0])
        how = {"seed": seed, "noise": noise, "steps": settings["steps"]}
        latent = room.animate(model, words, room.encode(""), first, len(case.states), **how)
        clip, seen = room.drawn(latent["samples"]), latent["samples"].float()
        if apart:
            return with_masks(clip, apart.probabilities(room.model.model.process_latent_in(seen)))
        if looks_at not in ("x0", "noise"):
            return clip
        if looks_at == "noise":
            with room.precision():
                seen = _predicted_noise(model, latent, words, noise).float()
        return with_masks(clip, MaskPredictor.of(adapter.mask_tensors).probabilities(seen))


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


STUDY = Study(
    "masks",
    VARIANTS,
    ("mask_iou", "mask_iou_px", "background_change", "alignment", "consistency", "diversity", "displacement_ratio",
     "direction_cosine", "path_error", "shape_iou", "colour_kept"),
    ("mask_iou", "path_error", "shape_iou", "background_change"),
    Room,
    make,
    quick={"steps": 2, "training": 2, "apart": 2},
    scenes=2,
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
