"""Training objectives in the sigma space of any denoiser: LAMP's (arXiv 2310.10769, equations 3 and 4), and the one
without a first frame.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]  # model(x, sigma) -> denoised, x `b f c h w`, sigma `b`


def lamp_loss(
    model: Denoiser, x0: Tensor, eps: Tensor, sigma: Tensor, input_scale: Tensor, power: float = 0.0, ends: int = 0,
    focus: float = 0.0,
) -> Tensor:  # fmt: skip
    """Mean squared error of the predicted noise of frames 1 and on; frame 0 is a condition: clean in the input, absent
    from the loss. So are as many frames at the clip's end as `ends` says.

    x0, eps: `b f c h w`; sigma: `b`; input_scale: `b`, what the model multiplies its input by. The squared error is
    weighted by (1 + sigma^2) ** power: 0 is the paper's, 1 the error of v = (eps - sigma x0) / sqrt(1 + sigma^2) for
    models that predict it. focus: as in `where_it_moves`.
    """
    x, inner = x0 + _level(sigma) * eps, slice(1, x0.shape[1] - ends)
    seen = x0 / _level(input_scale)  # the UNet sees z0 itself
    x = torch.cat([seen[:, :1], x[:, inner], seen[:, inner.stop :]], dim=1)
    return _weighted(noise_error(model, x, x0, sigma)[:, inner], sigma, power, where_it_moves(x0, focus))


def video_loss(
    model: Denoiser, x0: Tensor, eps: Tensor, sigma: Tensor, input_scale: Tensor, power: float = 0.0, focus: float = 0.0
) -> Tensor:
    """The same over all frames, frame 0 noised like the others: no first frame is given (Tune-A-Video, recurrent causal
    attention).
    """
    error = noise_error(model, x0 + _level(sigma) * eps, x0, sigma)
    return _weighted(error, sigma, power, where_it_moves(x0, focus))


def where_it_moves(x0: Tensor, focus: float) -> Tensor:
    """Weights `b 1 1 h w` of a clip's positions, 1 on average (ours): the share `focus` of them, 0 to 1, goes by how
    much a position changes over the frames, its standard deviation, the rest is alike for all; 1 everywhere where
    nothing changes. An arm that waves is a few positions of hundreds, and they are what the motion is; by variance,
    what changes most, clouds before a sky, would leave it little.

    x0: `b f c h w`.
    """
    changes = x0.float().std(dim=1, correction=0, keepdim=True).mean(dim=2, keepdim=True)
    mean = changes.mean(dim=(-2, -1), keepdim=True)
    return torch.where(mean > 0, 1 - focus + focus * changes / mean, 1.0)


def noise_error(model: Denoiser, x: Tensor, x0: Tensor, sigma: Tensor) -> Tensor:
    """predicted eps - eps, where x = x0 + sigma eps."""
    return (x0 - model(x, sigma)) / _level(sigma)


def _weighted(error: Tensor, sigma: Tensor, power: float, weights: Tensor) -> Tensor:
    return (error.float().square() * weights * (1 + _level(sigma) ** 2) ** power).mean()


def _level(values: Tensor) -> Tensor:
    """One value per clip, against `b f c h w`."""
    return values.view(-1, 1, 1, 1, 1)
