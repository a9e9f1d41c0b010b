"""How a model's process adds noise to a clean latent: x = a(sigma) z + b(sigma) n, whatever its parametrisation.

DDPM and score models in ComfyUI's variables have a = 1, b = sigma (EPS and V alike), flow models a = 1 - sigma, b =
sigma.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

# noise to signal at the top of Stable Diffusion's schedule; beyond it a schedule counts as starting from pure noise
FAINTEST = 15.0
OFFICIAL_START = 8.39  # noise to signal at timestep 901 of 1000, where TI2V-Zero's ten steps start


class Noising(NamedTuple):
    """A process, as functions of sigma."""

    signal: Callable[[Tensor], Tensor]  # a
    noise: Callable[[Tensor], Tensor]  # b
    pure_noise: Callable[[Tensor], Tensor]  # what unit noise is multiplied by where sampling starts from nothing else
    settle: Callable[[Tensor, Tensor], Tensor]  # x, sigma -> x in the clean latent's scale, its last noise left in

    def at(self, sigma: Tensor, z: Tensor, eps: Tensor) -> Tensor:
        """TI2V-Zero, equation 3 (its 7a for a queue): a clean latent at noise level sigma."""
        return self.signal(sigma) * z + self.noise(sigma) * eps

    def back(self, low: Tensor, high: Tensor, x: Tensor, eps: Tensor) -> Tensor:
        """The steps of the forward process between two noise levels at once (equation 1): from x at `low` to x at
        `high`.
        """
        alpha = self.signal(high) / self.signal(low)
        variance = self.noise(high) ** 2 - (alpha * self.noise(low)) ** 2
        return alpha * x + variance.clamp(min=0).sqrt() * eps

    def ratio(self, sigma: Tensor) -> float:
        """Noise to signal; infinite at the pure noise of a flow."""
        signal = float(self.signal(sigma))
        return float(self.noise(sigma)) / signal if signal > 0 else float("inf")


VARIANCE_EXPLODING = Noising(
    lambda s: torch.ones_like(s), lambda s: s, lambda s: (1 + s**2).sqrt(), lambda x, s: x / (1 + s**2).sqrt()
)
FLOW = Noising(lambda s: 1 - s, lambda s: s, lambda s: s, lambda x, s: x)


def visible_start(schedule: Callable[[int], Tensor], steps: int, noising: Noising) -> Tensor:
    """`steps` steps of a schedule from where something of the picture is left in the noise.

    A schedule that starts from pure noise (flow, zero terminal SNR) would leave an inversion nothing to invert: of a
    finer one its end is taken.
    """
    sigmas, finer = schedule(steps), steps
    if noising.ratio(sigmas[0]) <= FAINTEST:
        return sigmas
    while noising.ratio(sigmas[0]) > OFFICIAL_START and finer < 20 * steps:
        finer += 1
        sigmas = schedule(finer)[-(steps + 1) :]
    return sigmas


def visible_part(sigmas: Tensor, noising: Noising) -> Tensor:
    """A given schedule from where something of the picture is left in the noise: what starts from pure noise starts
    later.
    """
    if noising.ratio(sigmas[0]) <= FAINTEST:
        return sigmas
    low, high = sigmas.new_zeros(()), sigmas[0]
    for _ in range(50):  # the ratio grows with sigma
        middle = (low + high) / 2
        low, high = (low, middle) if noising.ratio(middle) > OFFICIAL_START else (middle, high)
    return torch.cat([low[None], sigmas[sigmas < low]])
