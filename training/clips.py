"""Which frames of which clip a training step sees."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClipSet:
    """Clips as latents `f c h w`, each at least `frames` long, all of one size; `flipped`, their mirror images, for augmentation."""

    latents: list[Tensor]
    frames: int
    flipped: list[Tensor] | None = None

    def draw(self, step: int, batch: int, generator: torch.Generator) -> tuple[Tensor, list[int]]:
        """Windows `b f c h w` for a step and which clips they are from: in turn, from a random frame on, half of them mirrored."""
        windows, chosen = [], []
        for i in range(batch):
            clip = (step * batch + i) % len(self.latents)
            source = self.latents
            if self.flipped is not None and torch.rand((), generator=generator) < 0.5:
                source = self.flipped
            latents = source[clip]
            start = int(torch.randint(0, len(latents) - self.frames + 1, (), generator=generator))
            windows.append(latents[start : start + self.frames])
            chosen.append(clip)
        return torch.stack(windows), chosen


def check_clips(clips: list[Tensor], frames: int, captions: int) -> None:
    """Raise ValueError, one sentence, where pictures `f h w c` cannot be trained on."""
    if not clips:
        raise ValueError("There are no clips to learn from: connect a list of videos, or image batches of one clip each.")
    if captions not in (1, len(clips)):
        raise ValueError(f"There are {len(clips)} clips and {captions} captions: give one caption per clip, or a single one for all.")
    for i, clip in enumerate(clips, start=1):
        if len(clip) < frames:
            raise ValueError(f"Clip {i} has {len(clip)} frames, {frames} are needed: use longer clips or fewer frames.")
        if not torch.isfinite(clip).all():
            raise ValueError(f"Clip {i} holds values that are no numbers (NaN or infinite): check the nodes that made it.")
    sizes = {tuple(clip.shape[1:3]) for clip in clips}
    if len(sizes) > 1:
        found = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise ValueError(f"The clips have different sizes ({found}): set width and height, and each is scaled and cropped to that size.")
