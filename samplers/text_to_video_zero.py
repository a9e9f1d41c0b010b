"""Text2Video-Zero (Khachatryan et al., arXiv 2303.13439): one picture becomes the frames of a clip, half-way in its
noise.

Frame 0 is sampled alone down to the noise level t0. The others are its latent there, warped, and under fresh noise up
to t1 again; from t1 on all are sampled together, with keys and values of frame 0 in self-attention. t1 has more noise
than t0.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .noising import Noising
from .warp import warp, warp_all

T0, T1 = 881, 941  # of 1000 timesteps, the release's
SIDE = 64  # cells of the latents they are for, 512 px of SD 1.5
BACKGROUND_SMOOTHING = 0.6  # the paper's alpha; the release counts it the other way round, 0.4
# a step whose noise differs by less is taken for t0 or t1 itself: multistep samplers are not to see tiny steps
_NEAR = 1.03


def for_size(sigma: Tensor, size: tuple[int, int]) -> Tensor:
    """The noise level at which latents of `size` cells (h, w) show as much of their layout as SIDE x SIDE ones do at
    sigma.

    What is laid out is as many cells wide as the picture is, and a mean over n x n cells hides n times less of it:
    sigma goes with the side (Hoogeboom et al., simple diffusion, arXiv 2301.11093). Larger latents keep sigma, as the
    release does with SDXL's.
    """
    return sigma * min(1.0, math.sqrt(size[0] * size[1]) / SIDE)


def split_schedule(sigmas: Tensor, t0: Tensor, t1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A schedule's three parts: start to t1 and t1 to t0 with one frame, t1 to the end with all. Levels that it lacks
    are put in.

    A schedule that starts between t1 and t0 has its start for t1, and nothing before it. Raises ValueError where it has
    none of t0.
    """
    start, end = sigmas[0], sigmas[-1]
    if not (start > t0 * _NEAR and t0 > end):
        raise ValueError(
            f"The picture is moved at the noise level {float(t0):.4g}, the schedule runs from {float(start):.4g} to "
            f"{float(end):.4g}: use one that starts from pure noise, with all its steps in one sampler and denoise 1, "
            "or a lower t0."
        )
    t1 = torch.minimum(t1, start)
    above, below = sigmas[sigmas > t1 * _NEAR], sigmas[sigmas < t1 / _NEAR]
    between = below[below > t0 * _NEAR]
    return torch.cat([above, t1[None]]), torch.cat([t1[None], between, t0[None]]), torch.cat([t1[None], below])


def branch(
    x_t1: Tensor, x_t0: Tensor, eps: Tensor, by: Sequence[tuple[float, float]], t0: Tensor, t1: Tensor, noising: Noising
) -> Tensor:
    """Algorithm 1: frames `f c h w` at t1 from frame 0 `1 c h w` at t1 and at t0; eps `f c h w`, whose frame 0 is not
    looked at.

    by: every frame's delta, see warp.deltas.
    """
    warped = warp_all(x_t0, by[1:])
    return torch.cat([x_t1, noising.back(t0, t1, warped, eps[1:])])


def foregrounds(masks: Tensor, by: Sequence[tuple[float, float]], size: tuple[int, int]) -> Tensor:
    """Masks `f h w`, one per frame or the first frame's alone, as the release uses them: `f 1 h w` of cells, 0 or 1,
    grown by two cells.

    A single mask moves with the frames.
    """
    cells = F.interpolate((masks > 0.5).float()[:, None], size=size, mode="nearest")
    cells = warp_all(cells, by) if len(masks) == 1 else cells
    return F.max_pool2d(cells, 5, stride=1, padding=2)


def smooth_background(
    x: Tensor, foreground: Tensor, by: Sequence[tuple[float, float]], alpha: float = BACKGROUND_SMOOTHING
) -> Tensor:
    """Background smoothing: where neither a frame nor the warped frame 0 shows foreground, frames take alpha of the
    warped frame 0.

    x `f c h w` at t1, foreground `f 1 h w` of 0 and 1; frame 0 stays.
    """
    frames = [x[:1]]
    for k, delta in enumerate(by[1:], start=1):
        background = (1 - foreground[k : k + 1]) * (1 - warp(foreground[:1], delta))
        frames.append(torch.lerp(x[k : k + 1], warp(x[:1], delta), alpha * background))
    return torch.cat(frames)
