"""The jump behind a given first frame: how far brightness and colour step from frame 0 to 1, against the steps after
it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_FRAMES = 3
_LUMA = (0.2126, 0.7152, 0.0722)  # Rec. 709


@dataclass(frozen=True)
class Steps:
    """Absolute change of a frame's mean from each frame to the next, in levels of 255."""

    luminance: Tensor  # f-1
    colour: Tensor  # f-1

    @property
    def luminance_jump(self) -> float:
        """The first step in luminance beyond the median of those after it, in levels of 255."""
        return _jump(self.luminance)

    @property
    def colour_jump(self) -> float:
        """The first step in B - Y and R - Y together beyond the median of those after it, in levels of 255."""
        return _jump(self.colour)


def _jump(steps: Tensor) -> float:
    """The first step beyond the median of those after it: 0 where it is like any other."""
    return float(steps[0] - steps[1:].quantile(0.5))


def colour_means(video: Tensor) -> Tensor:
    """f c h w in [0, 1] => f 3: mean luma and the two colour differences B - Y and R - Y, in levels of 255."""
    rgb = video.double().mean(dim=(-2, -1)) * 255
    luma = rgb @ torch.tensor(_LUMA, dtype=torch.float64, device=rgb.device)
    return torch.stack([luma, rgb[:, 2] - luma, rgb[:, 0] - luma], dim=1)


def steps(video: Tensor) -> Steps:
    """f 3 h w in [0, 1] => the f-1 steps. Raises ValueError where there are no steps behind the first."""
    if len(video) < LEAST_FRAMES:
        raise ValueError(
            f"A first-frame jump needs videos of at least {LEAST_FRAMES} frames, this one has {len(video)}: make "
            "longer ones."
        )
    change = colour_means(video).diff(dim=0)
    return Steps(change[:, 0].abs(), change[:, 1:].norm(dim=1))
