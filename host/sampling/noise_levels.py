"""The noise levels of a sampling, by ComfyUI's schedules."""

import comfy.samplers
from torch import Tensor


def noise_levels(sampling, scheduler: str, steps: int) -> Tensor:
    """Sigmas from high to low, one more than steps, for a model_sampling.

    Raises ValueError where a schedule makes no numbers of so few steps, as kl_optimal of one.
    """
    sigmas = comfy.samplers.calculate_sigmas(sampling, scheduler, steps)
    if len(sigmas) < 2 or not sigmas.isfinite().all():
        raise ValueError(
            f"The schedule {scheduler} has no noise levels for {steps} steps: take more steps, or another schedule."
        )
    return sigmas
