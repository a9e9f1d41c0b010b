"""A tiny training: two clips, a tiny UNet, a VAE that only averages; what the tests of Train Motion LoRA share."""

import numpy as np
import torch
import unets
from few_shot_motion.nodes import training
from PIL import Image


class MeanVae:
    """A VAE of 8x8 means, for models whose pictures nobody looks at."""

    latent_dim, latent_channels = 2, 4

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        means = torch.nn.functional.avg_pool2d(images.movedim(-1, 1), 8)
        return torch.cat([means, means[:, :1]], dim=1) * 5


class Vae(MeanVae):
    """With a way back to pictures."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        pictures = torch.nn.functional.interpolate(latents[:, :3] / 5, scale_factor=8)
        return pictures.movedim(1, -1).clamp(0, 1)


CLIPS = [torch.rand(5, 64, 48, 3, generator=torch.Generator().manual_seed(i)) for i in range(2)]
CAPTIONS = [[[torch.randn(1, 9, 64, generator=torch.Generator().manual_seed(i)), {}]] for i in range(2)]
SETTINGS = {
    "method": "LAMP", "frames": 4, "steps": 6, "learning_rate": 1e-3, "rank": 0, "seed": 1, "width": 0, "height": 0,
            "batch_size": 1,
    "query_rate": 0.1, "frame_step": 1, "flip": False, "group_norm": "joint", "precision": "fp32",
            "gradient_checkpointing": False,
    "weighting": "uniform",
}  # fmt: skip


def run(model=None, clips=CLIPS, captions=CAPTIONS, name="run", save_every=0, resume=False, vae=None, masks=(),
        **changes):  # fmt: skip
    """Adapter and losses of a training as the node gives them; `changes`: of SETTINGS."""
    settings = {**SETTINGS, "name": name, "save_every": save_every, "resume": resume, **changes}
    model = model or unets.sd_model(unets.TINY)
    with torch.inference_mode():  # as the executor
        return training.TrainMotionLoRA.execute(
            [model],
            [vae or MeanVae()],
            clips,
            captions,
            masks=masks,
            **{key: [value] for key, value in settings.items()},
        ).args[:2]


def same(a, b) -> bool:
    """Are two state dicts equal, bit for bit?"""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def frames(file) -> torch.Tensor:
    """The pictures of an animation, `f h w 3`."""
    pictures = []
    with Image.open(file) as clip:
        for i in range(clip.n_frames):
            clip.seek(i)
            pictures.append(torch.from_numpy(np.array(clip.convert("RGB"))).float() / 255)
    return torch.stack(pictures)
