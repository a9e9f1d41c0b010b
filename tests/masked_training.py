"""A training with masks, for several tests: clips of a bright subject, their masks, a VAE of means."""

import torch
import unets
from few_shot_motion.nodes import training

FRAMES = 4


class MeanVae:
    """A VAE of 8x8 means, for models whose pictures nobody looks at."""

    latent_dim, latent_channels = 2, 4

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        means = torch.nn.functional.avg_pool2d(images.movedim(-1, 1), 8)
        return torch.cat([means, means[:, :1]], dim=1) * 5


def subject(seed: int) -> torch.Tensor:
    """A box that wanders, `f h w`."""
    mask = torch.zeros(5, 64, 48)
    for i in range(5):
        mask[i, 8 * seed + 4 * i : 8 * seed + 4 * i + 24, 8:32] = 1
    return mask


MASKS = [subject(i) for i in range(2)]


CLIPS = [(0.2 + 0.6 * mask[..., None] + 0.05 * torch.rand(5, 64, 48, 3,
                                                          generator=torch.Generator().manual_seed(i))).clamp(0, 1)
         for i, mask in enumerate(MASKS)]  # fmt: skip


CAPTIONS = [[[torch.randn(1, 9, 64, generator=torch.Generator().manual_seed(i)), {}]] for i in range(2)]


SETTINGS = {
    "method": "LAMP", "frames": FRAMES, "steps": 6, "learning_rate": 1e-3, "rank": 0, "seed": 1, "width": 0,
            "height": 0, "batch_size": 1,
    "query_rate": 0.1, "frame_step": 1, "flip": False, "group_norm": "joint", "precision": "fp32",
            "gradient_checkpointing": False,
    "weighting": "uniform",
}  # fmt: skip


def run(clips=CLIPS, given=MASKS, name="run", save_every=0, resume=False, **changes):
    settings = {**SETTINGS, "name": name, "save_every": save_every, "resume": resume, **changes}
    with torch.inference_mode():  # as the executor
        return training.TrainMotionLoRA.execute(
            [unets.sd_model(unets.TINY)],
            [MeanVae()],
            clips,
            CAPTIONS,
            masks=given,
            **{key: [value] for key, value in settings.items()},
        ).args


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
