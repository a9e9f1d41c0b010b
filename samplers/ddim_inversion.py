"""DDIM inversion: the noise from which deterministic sampling gives a clip back (Song et al., arXiv 2010.02502,
equation 13 run backwards), as Tune-A-Video (arXiv 2212.11565) and LAMP's editing (arXiv 2310.10769) start from.
"""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor


def unit_variance(sigma: Tensor) -> Tensor:
    """What a model of noise or v multiplies x by before its UNet sees it."""
    return (1 + sigma**2).rsqrt()


def ddim_inversion(model: Callable, x: Tensor, sigmas: Tensor, input_scale: Callable[[Tensor], Tensor] = unit_variance,
                   callback: Callable[[dict], None] | None = None) -> Tensor:  # fmt: skip
    """x = z + sigma * eps at sigmas[0] -> x at sigmas[-1]; sigmas ascend and may start at 0, the clean latent.

    As the releases have it, the noise of a step is predicted at the level it leads to, from what the step starts with:
    the UNet sees that clip in its own scale and is told the later level. Taking it at that level too would need the
    answer before the question; so sampling gives the clip back up to an error of the order of one step. `model(x,
    sigma) -> denoised`; callback(dict) after every call as k-diffusion's samplers do.
    """
    for i, (low, high) in enumerate(pairwise(sigmas)):
        seen = x * (input_scale(low) / input_scale(high))
        denoised = model(seen, high)
        eps = (seen - denoised) / high
        if callback is not None:
            callback({"i": i, "x": x, "sigma": high, "sigma_hat": high, "denoised": denoised})
        x = x + (high - low) * eps
    return x
