"""A UNet of Stable Diffusion 1.x's shape with the miniature's text tower, taught by the frames of real clips."""

from pathlib import Path

import config
import fitting
import image_model
import numpy as np
import torch
from torch import Tensor

from ...trouble import Trouble
from . import clips

STAGE = "unet"
STEPS, BATCH, SEED = 30_000, 4, 1
LEARNING_RATE = 3e-4  # at the miniature's 1e-3 a UNet four times as wide, shown four pictures a step, runs away
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
    of_clips = lessons(latents)
    image_model.train_image(
        STAGE, of_clips, SEED, steps, device, folder, UNET, batch, SAVE_EVERY, learning_rate=LEARNING_RATE
    )


def checkpoint(folder: Path) -> tuple[Path, int]:
    """The checkpoint in the folder that was trained longest, for Load Checkpoint, and how many steps that was: the mean
    weights of the state there, or one that came from another machine. Raises Trouble where nothing is trained yet."""
    written, state = folder / "checkpoints", folder / f"{STAGE}.state"
    written.mkdir(parents=True, exist_ok=True)
    if state.exists():
        reached = torch.load(state, weights_only=True, map_location="cpu")
        file = _file(written, reached["step"])
        if not file.exists():
            fitting.write(reached["mean"], file)
    steps = max((int(file.stem.rpartition("_")[2]) for file in written.glob(_file(written, "*").name)), default=0)
    if not steps:
        raise Trouble(f"There is no UNet in {folder} yet: train one with --only unet")
    return _file(written, steps), steps


def _file(folder: Path, steps: int | str) -> Path:
    return folder / f"filmed_{steps}.safetensors"
