"""LAMP's training objective (arXiv 2310.10769, equations 3 and 4), in the sigma space of any denoiser."""

from collections.abc import Callable

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]  # model(x, sigma) -> denoised, x `b f c h w`, sigma `b`


def lamp_loss(model: Denoiser, x0: Tensor, eps: Tensor, sigma: Tensor, input_scale: Tensor, power: float = 0.0) -> Tensor:
    """Mean squared error of the predicted noise of frames 1 and on; frame 0 is a condition: clean in the input, absent from the loss.

    x0, eps: `b f c h w`; sigma: `b`; input_scale: `b`, what the model multiplies its input by. The squared error is weighted by
    (1 + sigma^2) ** power: 0 is the paper's, 1 the error of v = (eps - sigma x0) / sqrt(1 + sigma^2) for models that predict it.
    """
    level = sigma.view(-1, 1, 1, 1, 1)
    x = x0 + level * eps
    x = torch.cat([x0[:, :1] / input_scale.view(-1, 1, 1, 1, 1), x[:, 1:]], dim=1)  # the UNet sees z0 itself
    error = (x0 - model(x, sigma))[:, 1:] / level  # = predicted eps - eps, since x = x0 + sigma eps
    return (error.float().square() * (1 + level**2) ** power).mean()
