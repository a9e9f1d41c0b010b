"""A UNet of Stable Diffusion 1.x's shape with the miniature's text tower, taught by the frames of real clips."""

from pathlib import Path

import config
import fitting
import image_model
import numpy as np
import torch
from torch import Tensor

from . import clips

STAGE = "unet"
STEPS, BATCH, SEED = 30_000, 4, 1
SAVE_EVERY = 50  # steps: it runs beside other work and is often ended
UNET = {
    **config.UNET, "channel_mult": [1, 2, 4], "num_res_blocks": [1, 1, 1], "transformer_depth": [1, 1, 1],
    "transformer_depth_output": [1] * 6,
}  # fmt: skip
BEHIND = 20  # of the 77 tokens: the longest caption has 18, and one before


def lessons(latents: dict[str, Tensor]) -> image_model.Lessons:
    """Single frames, every other one of a walk, with the clip's caption, which every tenth goes without."""
    names, spoken = list(latents), sorted(set(clips.CAPTIONS.values()))
    walks, signs = ([name for name in names if (name in clips.WALKS) is is_walk] for is_walk in (True, False))

    def frames(seed: int, step: int, count: int) -> tuple[Tensor, list[str]]:
        rng = np.random.default_rng([seed, step])
        chosen, captions = [], []
        for i in range(count):
            of = walks if i % 2 else signs
            name = of[rng.integers(len(of))]
            chosen.append(latents[name][rng.integers(len(latents[name]))])
            captions.append("" if rng.random() < 0.1 else clips.CAPTIONS[name])
        return torch.stack(chosen), captions

    def captions(rng: np.random.Generator, count: int) -> tuple[list[str], np.ndarray]:
        drawn = rng.integers(len(spoken), size=(count, 1))
        return [spoken[i] for i in drawn[:, 0]], drawn

    return image_model.Lessons(frames, lambda z: z, [len(spoken)], captions, BEHIND)


def train(latents: dict[str, Tensor], folder: Path, steps: int, device: str, batch: int = BATCH) -> None:
    """Go on where the state in the folder stopped, or begin."""
    folder.mkdir(parents=True, exist_ok=True)
    image_model.train_image(STAGE, lessons(latents), SEED, steps, device, folder, UNET, batch, SAVE_EVERY)


def checkpoint(folder: Path) -> tuple[Path, int]:
    """The mean weights of the state in the folder as a checkpoint for Load Checkpoint, written unless it is there, and
    how many steps they have. Raises FileNotFoundError where nothing is trained yet."""
    state = torch.load(folder / f"{STAGE}.state", weights_only=True, map_location="cpu")
    file = folder / "checkpoints" / f"filmed_{state['step']}.safetensors"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        fitting.write(state["mean"], file)
    return file, state["step"]
