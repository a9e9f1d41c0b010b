"""Sampling with a clean first frame (LAMP, arXiv 2310.10769, section 3.3): frame 0 is a condition, never noised and
never predicted.

Samplers here work in ComfyUI's sigma space, x = z + sigma * eps; a model scales x by 1/sqrt(sigma^2 + 1) before its
UNet sees it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .statistics import adain

ADAIN_TO_FIRST_FRAME = (
    30  # LAMP's release: from step 31 of 50 on, frames are matched to the clean first frame, before that to frame 1
)


def condition_on_first_frame(
    predict: Callable[[Tensor], Tensor], x: Tensor, known: Tensor, input_scale: Tensor | float,
    ends: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """One prediction with frame 0 clean: the UNet sees it as it is. The first frames, `known` (k c h w), are what is
    denoised of them; those behind frame 0 stay under the noise the sampler has them under. The clip's last frames,
    `ends`, are as clean as frame 0 where they are given.

    `input_scale`: what the model multiplies x by before its UNet, so that z / input_scale arrives there as z.
    """
    ends = known[:0] if ends is None else ends
    inner = slice(1, len(x) - len(ends))
    denoised = predict(torch.cat([(known[:1] / input_scale).to(x), x[inner], (ends / input_scale).to(x)]))
    return torch.cat([known.to(denoised), denoised[len(known) : inner.stop], ends.to(denoised)])


def match_step(x: Tensor, sigma: Tensor, z0: Tensor, to_first_frame: bool) -> Tensor:
    """LAMP's statistics after one step, which ended at `sigma`: frames from 2 on take the mean and spread of frame 1,
    or all of frame 0.

    Frame 0 is clean while the others are noisy latents scaled by sqrt(1 + sigma^2); so is it, to be compared.
    """
    if to_first_frame:
        return torch.cat([x[:1], adain(x[1:], z0.to(x) * (1 + sigma**2).sqrt())])
    return torch.cat([x[:2], adain(x[2:], x[1:2])])


def sample_stepwise(sample: Callable, model: Callable, x: Tensor, sigmas: Tensor, z0: Tensor,
                    to_first_frame_after: int = ADAIN_TO_FIRST_FRAME,
                    **options) -> Tensor:  # fmt: skip
    """Run a sampler without memory one step at a time, with LAMP's statistics after each step and at the end.

    `sample(model, x, sigmas, **options)` is any sampler of the k-diffusion kind whose step depends on nothing before
    it.
    """

    def after(x: Tensor, i: int) -> Tensor:
        return match_step(x, sigmas[i + 1], z0, to_first_frame=i > to_first_frame_after)

    x = in_steps(sample, model, x, sigmas, after, **options)
    return match_step(x, sigmas[-1], z0, to_first_frame=True)


def in_steps(sample: Callable, model: Callable, x: Tensor, sigmas: Tensor, after: Callable[[Tensor, int], Tensor],
             **options) -> Tensor:  # fmt: skip
    """Run a sampler without memory one step at a time; after(x, i) is what the next step goes on with from step i."""
    callback = options.pop("callback", None)
    for i in range(len(sigmas) - 1):
        report = None if callback is None else (lambda state, i=i: callback({**state, "i": i}))
        x = after(sample(model, x, sigmas[i : i + 2], callback=report, **options), i)
    return x
