"""What the mask predictor's norm is worth: the predictor by itself, with and without it, learnt from the exact latents
of eight clips and asked about scenes that none of them shows.

No UNet has a part in it. `python3 dev study mask_norm` prints the IoU of both at the latents' size, several seeds.
"""

import argparse

import numpy as np
import torch
import world
from few_shot_motion.motion_modules.mask_predictor import MaskPredictor, resize_masks
from torch.nn import functional as F

from .. import markdown
from ..interpreter import STATE
from .classroom import FRAMES, Classroom

MOTION = "moves right"


class WithoutNorm(MaskPredictor):
    """The same three convolutions on the latents as they are."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv_3(F.silu(self.conv_2(F.silu(self.conv_1(x.flatten(0, 1))))))
        return y[:, 0].unflatten(0, x.shape[:2])


def learnt(predictor: MaskPredictor, latents: torch.Tensor, masks: torch.Tensor, steps: int) -> MaskPredictor:
    """The predictor after `steps` steps on clips `b f c h w`, one clip a step, and their masks `b f h w`."""
    optimizer = torch.optim.AdamW(predictor.parameters(), 1e-3)
    for step in range(steps):
        clip = slice(step % len(latents), step % len(latents) + 1)
        loss = F.binary_cross_entropy_with_logits(predictor(latents[clip]), masks[clip])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return predictor.eval()


@torch.no_grad()
def overlap(predictor: MaskPredictor, latents: torch.Tensor, masks: torch.Tensor) -> float:
    """Mean IoU per frame of what it says of clips `b f c h w` with their masks `b f h w` of 0 and 1."""
    found, true = predictor(latents) > 0, masks > 0.5
    both, either = (found & true).sum((-2, -1)), (found | true).sum((-2, -1))
    return float((both / either.clamp(min=1)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help="of training")
    parser.add_argument("--unseen", type=int, default=8, help="scenes to be asked about")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    classroom = Classroom(MOTION, options.unseen, STATE / "study" / "mask_norm")
    exact = [(scene, world.path(MOTION, start, FRAMES)) for scene, start in classroom.unseen]
    drawn = [torch.from_numpy(world.draw_clip(scene, states)).float() / 255 for scene, states in exact]
    subjects = [
        torch.stack([torch.from_numpy(world.subject_mask(scene.shape, state)).float() for state in states])
        for scene, states in exact
    ]
    sets = []
    for pictures, masks in ((classroom.clips, classroom.masks), (drawn, subjects)):
        with torch.inference_mode():
            encoded = torch.stack([classroom.vae.encode(clip) for clip in pictures])
            latents = classroom.model.model.process_latent_in(encoded)
            small = resize_masks(torch.stack([mask.float() for mask in masks]), *latents.shape[-2:])
        sets += [latents.clone(), (small >= 0.5).float()]
    rows = []
    for name, kind in (("with the norm", MaskPredictor), ("without", WithoutNorm)):
        found = []
        for seed in options.seeds:
            torch.manual_seed(seed)
            found.append(overlap(learnt(kind(latents.shape[2]), *sets[:2], options.steps), *sets[2:]))
        rows.append([name, f"{np.mean(found):.2f} ± {np.ptp(found) / 2:.2f}"])
    print(markdown.table(["predictor", "IoU on unseen scenes"], rows))


if __name__ == "__main__":
    main()
