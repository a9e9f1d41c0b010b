"""Which frames of which clip a training step sees."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClipSet:
    """Clips as latents `f c h w`, each at least `frames` long, all of one size; `flipped`, their mirror images, for
    augmentation.

    `masks`: per clip `f h w`, 1 on the subject, at the latents' size.
    """

    latents: list[Tensor]
    frames: int
    flipped: list[Tensor] | None = None
    masks: list[Tensor] | None = None

    def draw(self, step: int, batch: int, generator: torch.Generator) -> tuple[Tensor, list[int], Tensor | None]:
        """Windows `b f c h w` for a step, which clips they are from, and their masks `b f h w`: in turn, from a random
        frame on, half of them mirrored."""
        windows, chosen, masks = [], [], []
        for i in range(batch):
            clip = (step * batch + i) % len(self.latents)
            source = self.latents
            if self.flipped is not None and torch.rand((), generator=generator) < 0.5:
                source = self.flipped
            latents = source[clip]
            start = int(torch.randint(0, len(latents) - self.frames + 1, (), generator=generator))
            windows.append(latents[start : start + self.frames])
            chosen.append(clip)
            if self.masks is not None:
                window = self.masks[clip][start : start + self.frames]
                masks.append(window.flip(-1) if source is self.flipped else window)
        return torch.stack(windows), chosen, torch.stack(masks) if masks else None


def check_clips(clips: list[Tensor], frames: int, captions: int) -> None:
    """Raise ValueError, one sentence, where pictures `f h w c` cannot be trained on."""
    if not clips:
        raise ValueError(
            "There are no clips to learn from: connect a list of videos, or image batches of one clip each."
        )
    if captions not in (1, len(clips)):
        raise ValueError(
            f"There are {len(clips)} clips and {captions} captions: give one caption per clip, or a single one for all."
        )
    for i, clip in enumerate(clips, start=1):
        if len(clip) < frames:
            raise ValueError(f"Clip {i} has {len(clip)} frames, {frames} are needed: use longer clips or fewer frames.")
        if not torch.isfinite(clip).all():
            raise ValueError(
                f"Clip {i} holds values that are no numbers (NaN or infinite): check the nodes that made it."
            )
    sizes = {tuple(clip.shape[1:3]) for clip in clips}
    if len(sizes) > 1:
        found = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise ValueError(
            f"The clips have different sizes ({found}): set width and height, and each is scaled and cropped to that "
            "size."
        )


def check_masks(masks: list[Tensor], clips: list[Tensor]) -> list[str]:
    """What is odd about masks `f h w` of clips `f h w c`, a sentence each: they can be learnt from, but hardly mean it.

    Raises ValueError, one sentence, where they cannot.
    """
    if len(masks) != len(clips):
        raise ValueError(
            f"There are {len(clips)} clips and {len(masks)} masks: give one batch of masks per clip, in the clips' "
            "order."
        )
    odd = []
    for i, (mask, clip) in enumerate(zip(masks, clips, strict=True), start=1):
        if len(mask) != len(clip):
            raise ValueError(
                f"Clip {i} has {len(clip)} frames, its masks are {len(mask)}: give one mask per frame of the clip."
            )
        if not torch.isfinite(mask).all() or mask.min() < 0 or mask.max() > 1:
            raise ValueError(
                f"The masks of clip {i} hold values outside 0 to 1: 1 is the subject, 0 the background; check the "
                "nodes that made them."
            )
        if mask.max() < 0.5 or mask.min() >= 0.5:
            what = "empty, there is no subject in them" if mask.max() < 0.5 else "full, there is no background in them"
            odd.append(f"The masks of clip {i} are {what}.")
    return odd
