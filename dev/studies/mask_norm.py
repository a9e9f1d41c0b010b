"""What the mask predictor's norm is worth: the predictor by itself, with and without it, learnt from the exact latents
of eight clips and asked about exact clips of scenes that none of them shows.

No UNet has a part in it. `python3 dev study mask_norm` writes docs/mask_norm.md.
"""

from pathlib import Path

import numpy as np
import torch
from few_shot_motion.motion_modules.mask_predictor import MaskPredictor, resize_masks
from few_shot_motion.training.mask_loss import mask_targets
from testset import Case
from torch.nn import functional as F

from .classroom import Classroom
from .harness import Settings, Study, run
from .judge import with_masks

MOTION = "moves right"


class WithoutNorm(MaskPredictor):
    """The same three convolutions on the latents as they are."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv_3(F.silu(self.conv_2(F.silu(self.conv_1(x.flatten(0, 1))))))
        return y[:, 0].unflatten(0, x.shape[:2])


class Room(Classroom):
    """The predictors that learnt from the clips' exact latents."""

    def __init__(self, unseen: int, results: Path):
        super().__init__(MOTION, unseen, results)
        self._predictors: dict[tuple[bool, int], MaskPredictor] = {}

    def lessons(self, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents `b f c h w` of the clips that so many steps get to see, and their masks of 0 and 1, `b f h w`."""
        latents = torch.stack([self.seen(clip) for clip in self.clips[:steps]])
        masks = torch.stack([mask.float() for mask in self.masks[:steps]])
        return latents, mask_targets(resize_masks(masks, *latents.shape[-2:]), "hard")

    def seen(self, clip: torch.Tensor) -> torch.Tensor:
        """A clip's latents `f c h w` as the UNet sees them, of pictures `f h w 3`."""
        with torch.inference_mode():
            latents = self.model.model.process_latent_in(self.vae.encode(clip))
        return latents.clone()  # one that gradients may pass

    def predictor(self, norm: bool, seed: int, steps: int) -> MaskPredictor:
        """What has learnt from a clip a step."""
        if (norm, seed) not in self._predictors:
            torch.manual_seed(seed)
            latents, targets = self.lessons(steps)
            predictor = (MaskPredictor if norm else WithoutNorm)(latents.shape[2])
            optimizer = torch.optim.AdamW(predictor.parameters(), 1e-3)
            for step in range(steps):
                clip = slice(step % len(latents), step % len(latents) + 1)
                loss = F.binary_cross_entropy_with_logits(predictor(latents[clip]), targets[clip])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            self._predictors[norm, seed] = predictor.eval()
        return self._predictors[norm, seed]


def make(room: Room, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """The exact clip, and what a predictor says of it, uint8 `f h w 4`."""
    clip, predictor = case.draw(), room.predictor(settings["norm"], seed, settings["training"])
    with torch.no_grad():
        logits = predictor(room.seen(torch.from_numpy(clip).float() / 255)[None])[0]
    return with_masks(clip, torch.sigmoid(logits))


STUDY = Study(
    "mask_norm",
    {"with the norm": {"norm": True, "training": 400}, "without": {"norm": False, "training": 400}},
    ("mask_iou", "mask_iou_px"),
    ("mask_iou", "mask_iou_px"),
    Room,
    make,
    quick={"training": 2},
    scenes=8,
)


def main() -> None:
    """The command."""
    run(STUDY)
