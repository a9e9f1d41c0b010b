"""Noise across the frames of a clip.

LAMP, equation 6 (arXiv 2310.10769): eps_i = alpha * eps_s + (1 - alpha) * eps_i. Autoregressive noise (recurrent causal attention paper):
eps_i = alpha * eps_{i-1} + (1 - alpha) * eps_i. Both shrink the variance (0.68 at alpha 0.2); kept at one, the second weight is
sqrt(1 - alpha^2) instead of 1 - alpha.
"""

import torch
from torch import Tensor

STRATEGIES = ("independent", "shared", "autoregressive")


def frame_noise(seed: int, shape: torch.Size, strategy: str = "independent", alpha: float = 0.2, unit_variance: bool = True) -> Tensor:
    """Noise `f c h w` on the CPU; alpha in [0, 1], 0 makes every strategy independent.

    Frame by frame from one generator, so a longer clip begins like a shorter one.
    """
    generator = torch.Generator().manual_seed(seed)
    eps = torch.stack([torch.randn(shape[1:], generator=generator) for _ in range(shape[0])])
    return correlate(eps, strategy, alpha, unit_variance)


def correlate(eps: Tensor, strategy: str, alpha: float, unit_variance: bool) -> Tensor:
    """Independent noise `f c h w` -> noise that frames have in common; frame 0 stays as drawn, and is what is shared."""
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
    raise ValueError(f"Unknown noise strategy {strategy!r}: choose one of {', '.join(STRATEGIES)}.")
