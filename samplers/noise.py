"""Noise across the frames of a clip.

LAMP, equation 6 (arXiv 2310.10769): eps_i = alpha * eps_s + (1 - alpha) * eps_i. Autoregressive noise (recurrent causal
attention paper): eps_i = alpha * eps_{i-1} + (1 - alpha) * eps_i. Both shrink the variance (0.68 at alpha 0.2); kept at
one, the second weight is sqrt(1 - alpha^2) instead of 1 - alpha. Warped noise is shared noise that moves with what is
to be seen.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .warp import deltas, uncovered, warp

STRATEGIES = ("independent", "shared", "autoregressive", "warped")
Move = tuple[float, float]  # (right, down) from frame to frame, in cells of the latent


def frame_noise(seed: int, shape: torch.Size, strategy: str = "independent", alpha: float = 0.2,
                unit_variance: bool = True,
                move: Move = (0.0, 0.0)) -> Tensor:  # fmt: skip
    """Noise `f c h w` on the CPU; alpha in [0, 1], 0 makes every strategy independent. `move` is for warped noise.

    Frame by frame from one generator, so a longer clip begins like a shorter one.
    """
    generator = torch.Generator().manual_seed(seed)
    eps = torch.stack([torch.randn(shape[1:], generator=generator) for _ in range(shape[0])])
    return correlate(eps, strategy, alpha, unit_variance, move)


def correlate(eps: Tensor, strategy: str, alpha: float, unit_variance: bool, move: Move = (0.0, 0.0)) -> Tensor:
    """Independent noise `f ... h w` -> noise that frames have in common; frame 0 stays as drawn, and is what is shared.

    Warped: what frame 0's noise does not reach is the frame's own. Raises ValueError for an unknown strategy.
    """
    own = (1 - alpha**2) ** 0.5 if unit_variance else 1 - alpha
    if strategy == "independent":
        return eps
    if strategy == "shared":
        return torch.cat([eps[:1], alpha * eps[:1] + own * eps[1:]])
    if strategy == "autoregressive":
        frames = [eps[0]]
        for drawn in eps[1:]:
            frames.append(alpha * frames[-1] + own * drawn)
        return torch.stack(frames)
    if strategy == "warped":
        size = (eps.shape[-2], eps.shape[-1])
        frames = [eps[0]]
        for drawn, delta in zip(eps[1:], deltas(move, len(eps), size)[1:], strict=True):
            frames.append(
                torch.where(uncovered(*size, delta).to(eps.device), drawn, alpha * warp(eps[0], delta) + own * drawn)
            )
        return torch.stack(frames)
    raise ValueError(f"Unknown noise strategy {strategy!r}: choose one of {', '.join(STRATEGIES)}.")


def frame_seeds(seed: int, frames: int) -> list[int]:
    """One seed per frame for noise drawn step by step; a longer clip begins like a shorter one, and no frame is one of
    the next seed's.
    """
    generator = torch.Generator().manual_seed(seed)
    return [int(torch.randint(2**63 - 1, (), generator=generator)) for _ in range(frames)]


def step_noise(
    draw: Callable[..., Tensor], strategy: str, alpha: float, unit_variance: bool, move: Move = (0.0, 0.0)
) -> Callable[..., Tensor]:
    """A sampler's source of noise, draw(sigma, sigma_next) -> `f ... h w` of independent frames, with the frames made
    to share.

    The mixture is linear, so what holds a frame's draws together over the steps (a Brownian path for SDE samplers)
    still does.
    """
    return lambda sigma, sigma_next: correlate(draw(sigma, sigma_next), strategy, alpha, unit_variance, move)
