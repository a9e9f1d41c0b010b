"""Training objectives in the sigma space of any denoiser: LAMP's (arXiv 2310.10769, equations 3 and 4), and the one
without a first frame.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]  # model(x, sigma) -> denoised, x `b f c h w`, sigma `b`


def lamp_loss(
    model: Denoiser, x0: Tensor, eps: Tensor, sigma: Tensor, input_scale: Tensor, power: float = 0.0, ends: int = 0
) -> Tensor:
    """Mean squared error of the predicted noise of frames 1 and on; frame 0 is a condition: clean in the input, absent
    from the loss. So are as many frames at the clip's end as `ends` says.

    x0, eps: `b f c h w`; sigma: `b`; input_scale: `b`, what the model multiplies its input by. The squared error is
    weighted by (1 + sigma^2) ** power: 0 is the paper's, 1 the error of v = (eps - sigma x0) / sqrt(1 + sigma^2) for
    models that predict it.
    """
    x, inner = x0 + _level(sigma) * eps, slice(1, x0.shape[1] - ends)
    seen = x0 / _level(input_scale)  # the UNet sees z0 itself
    x = torch.cat([seen[:, :1], x[:, inner], seen[:, inner.stop :]], dim=1)
    return _weighted(noise_error(model, x, x0, sigma)[:, inner], sigma, power)


def video_loss(
    model: Denoiser, x0: Tensor, eps: Tensor, sigma: Tensor, input_scale: Tensor, power: float = 0.0
) -> Tensor:
    """The same over all frames, frame 0 noised like the others: no first frame is given (Tune-A-Video, recurrent causal
    attention).
    """
    return _weighted(noise_error(model, x0 + _level(sigma) * eps, x0, sigma), sigma, power)


def noise_error(model: Denoiser, x: Tensor, x0: Tensor, sigma: Tensor) -> Tensor:
    """predicted eps - eps, where x = x0 + sigma eps."""
    return (x0 - model(x, sigma)) / _level(sigma)


def _weighted(error: Tensor, sigma: Tensor, power: float) -> Tensor:
    return (error.float().square() * (1 + _level(sigma) ** 2) ** power).mean()


def _level(values: Tensor) -> Tensor:
    """One value per clip, against `b f c h w`."""
    return values.view(-1, 1, 1, 1, 1)
