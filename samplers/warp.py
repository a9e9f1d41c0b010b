"""Moving latents and noise by whole cells: every value stays as it is, so noise keeps its variance.

Text2Video-Zero (arXiv 2303.13439) warps by a constant field delta on a picture of 512 x 512, whatever the real size,
and takes the nearest cell at x + delta: what is seen moves by minus delta. Artists say where it shall go, so `deltas`
turns that round.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

GRID = 512  # the picture's width and height in which delta is told


def deltas(move: tuple[float, float], frames: int, size: tuple[int, int]) -> list[tuple[float, float]]:
    """The paper's delta of every frame, (right, down), for something that moves by `move` from frame to frame; frame 0
    stays.

    move: (right, down) in the unit in which `size` tells the picture's (height, width), px for instance.
    """
    height, width = size
    x, y = -move[0] * GRID / width, -move[1] * GRID / height
    return [(frame * x, frame * y) for frame in range(frames)]


def sources(cells: int, delta: float) -> Tensor:
    """Where each of `cells` along one axis takes its value from; may lie outside.

    The release resizes its grid of 512 to the cells and looks the nearest up, half a 512th before the cell's own place.
    """
    return (torch.arange(cells, dtype=torch.float64) + (delta - 0.5) * cells / GRID).round().long()


def warp(x: Tensor, delta: tuple[float, float]) -> Tensor:
    """x `... h w` looked up at (right, down) delta, in 512ths of the picture; mirrored where that lies outside."""
    (height, width), (dx, dy) = x.shape[-2:], delta
    rows, columns = (_mirror(sources(cells, by), cells).to(x.device) for cells, by in ((height, dy), (width, dx)))
    return x[..., rows, :][..., columns]


def uncovered(height: int, width: int, delta: tuple[float, float]) -> Tensor:
    """The cells `h w` for which a warp has nothing but its mirror image."""
    rows, columns = sources(height, delta[1]), sources(width, delta[0])
    return ((rows < 0) | (rows >= height))[:, None] | (columns < 0) | (columns >= width)


def warp_all(x: Tensor, by: Sequence[tuple[float, float]]) -> Tensor:
    """One frame `1 c h w` under every delta, `f c h w`."""
    return torch.cat([warp(x, delta) for delta in by])


def _mirror(index: Tensor, cells: int) -> Tensor:
    """... 1 0 | 0 1 2 | 2 1 ..., as often as it takes."""
    index = index % (2 * cells)
    return torch.where(index < cells, index, 2 * cells - 1 - index)
