"""What I3D is shown of a video: which of its frames, which part of them, and how they come to 224 by 224 pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 224  # px

ORIGINAL, HALF_PIXEL = "original (TF1)", "half-pixel centres"
FIRST, SPREAD = "the first", "evenly spread"
WHOLE, SQUARE = "whole picture", "centre square"
CHOICES, CROPS = (FIRST, SPREAD), (WHOLE, SQUARE)


@dataclass(frozen=True)
class View:
    """Features can be compared where they are of one view."""

    frames: int = 16
    resize: str = ORIGINAL
    choice: str = FIRST  # of the frames
    crop: str = WHOLE

    def places(self, length: int) -> list[int]:
        """The frames that are seen of a video of `length` frames or more: its first ones, or from the first to the last
        at equal distances, rounded half up.
        """
        if self.choice == FIRST or length == self.frames:
            return list(range(self.frames))
        gaps = self.frames - 1
        return [(2 * i * (length - 1) + gaps) // (2 * gaps) for i in range(self.frames)]

    @property
    def which(self) -> str:
        """The frames, in words: `… of each` video."""
        return f"the first {self.frames}" if self.choice == FIRST else f"{self.frames} evenly spread"

    def __str__(self) -> str:
        return f"{self.which} frames, {self.crop}, {self.resize}"


def to_input(video: Tensor, view: View = View()) -> Tensor:
    """f c h w in [0, 1] => 1 c f 224 224 in [-1, 1], of the frames given: cropped or its aspect ignored, bilinear
    without antialiasing.
    """
    video = video.float()
    if view.crop == SQUARE:
        video = centre_square(video)
    return (RESIZES[view.resize](video) * 2 - 1).movedim(0, 1)[None]


def centre_square(video: Tensor) -> Tensor:
    """... h w => ... s s, s the shorter side; of an odd rest one pixel more is left out behind."""
    side = min(video.shape[-2:])
    top, left = ((n - side) // 2 for n in video.shape[-2:])
    return video[..., top : top + side, left : left + side]


def resize_original(video: Tensor) -> Tensor:
    """... h w => ... 224 224 as TensorFlow 1's `resize_bilinear` with align_corners off, which the distance's authors
    call: the picture's place i * n / 224 for pixel i, no half-pixel centres; the last pixel goes on beyond its own.
    """
    for dim in (-1, -2):
        n = video.shape[dim]
        place = torch.arange(SIDE, dtype=torch.float32) * torch.tensor(n / SIDE, dtype=torch.float32)
        low = place.long().clamp(max=n - 1)
        weight = (place - low).view([SIDE] + [1] * (-1 - dim)).to(video)
        low = low.to(video.device)
        near, far = video.index_select(dim, low), video.index_select(dim, (low + 1).clamp(max=n - 1))
        video = near + (far - near) * weight
    return video


def resize_half_pixel(video: Tensor) -> Tensor:
    """f c h w => f c 224 224 as PyTorch and TensorFlow 2 do: (i + 0.5) * n / 224 - 0.5 for pixel i."""
    return F.interpolate(video, (SIDE, SIDE), mode="bilinear", align_corners=False)


RESIZES: dict[str, Callable[[Tensor], Tensor]] = {ORIGINAL: resize_original, HALF_PIXEL: resize_half_pixel}
