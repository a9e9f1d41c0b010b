"""One slide of repeat-and-slide with ComfyUI: a MODEL's process, frames in and out of its layout, steps of its own
samplers.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import comfy.model_management
import comfy.samplers
import torch
from torch import Tensor

from ...samplers.noising import Noising, visible_part, visible_start
from ...samplers.repeat_and_slide import Noise, frames_meet, repeats_at, sample_slide
from ...samplers.slides import Slide
from ..said import say
from .noise_levels import noise_levels

# Samplers whose every step starts from x alone and asks the model once, at the step's own noise level
STEPWISE = ("euler", "ddim", "euler_ancestral", "lcm", "euler_cfg_pp", "euler_ancestral_cfg_pp")


def noising_of(sampling) -> Noising:
    """The process of a model_sampling, asked of its own noise_scaling."""

    def scaled(sigma: Tensor, eps: float, z: float, max_denoise: bool = False) -> Tensor:
        return sampling.noise_scaling(sigma, torch.full_like(sigma, eps), torch.full_like(sigma, z), max_denoise)

    def settle(x: Tensor, sigma: Tensor) -> Tensor:
        return sampling.calculate_input(sigma, x) / sampling.calculate_input(
            torch.zeros_like(sigma), torch.ones_like(sigma)
        )

    return Noising(
        lambda s: scaled(s, 0, 1), lambda s: scaled(s, 1, 0), lambda s: scaled(s, 1, 0, max_denoise=True), settle
    )


def is_video(model) -> bool:
    """Whether a MODEL's latents are clips `b c f h w`; otherwise frames ride in the batch."""
    return model.get_model_object("latent_format").latent_dimensions == 3


def to_host(frames: Tensor, video: bool) -> Tensor:
    """`f c h w` -> the layout of a model: `1 c f h w` or `f c h w`."""
    return frames.movedim(0, 1)[None] if video else frames


def from_host(latents: Tensor, video: bool) -> Tensor:
    """The inverse of to_host."""
    return latents[0].movedim(1, 0) if video else latents


def schedule(model, scheduler: str, steps: int, inversion: bool, ends_at_smallest: bool) -> Tensor:
    """The sigmas of a slide: started where the picture is visible in the noise if it is to be inverted, ended at 0 or
    the model's smallest.
    """
    sampling = model.get_model_object("model_sampling")

    def sigmas_of(steps: int) -> Tensor:
        return noise_levels(sampling, scheduler, steps)

    sigmas = (
        told(sigmas_of(steps), visible_start(sigmas_of, steps, noising_of(sampling))) if inversion else sigmas_of(steps)
    )
    smallest = torch.tensor([float(sampling.sigma_min)])
    return torch.cat([sigmas[sigmas > smallest * 1.0001], smallest]) if ends_at_smallest else sigmas


def visible(sigmas: Tensor, sampling) -> Tensor:
    """Given sigmas from where the picture is visible in the noise. Raises ValueError where they do not get that far."""
    left = visible_part(sigmas, noising_of(sampling))
    if len(left) < 2:
        raise ValueError(
            f"The sigmas from {float(sigmas[0]):.4g} to {float(sigmas[-1]):.4g} are all of pure noise: use sigmas that "
            "end at 0."
        )
    return told(sigmas, left)


def told(sigmas: Tensor, left: Tensor) -> Tensor:
    """`left` of a schedule; where it starts lower, with a line about it in the log."""
    if float(left[0]) < float(sigmas[0]):
        say("The schedule starts from pure noise, which leaves nothing of the known frames: started at sigma "
            f"{float(left[0]):.4g} instead of {float(sigmas[0]):.4g}.", warning=True)  # fmt: skip
    return left


@dataclass(frozen=True)
class Settings:
    """How slides are sampled; the part that is resampled is told in percent, 0 to 1, as elsewhere in ComfyUI."""

    sampler: comfy.samplers.KSAMPLER
    resample: int = 4
    resample_start: float = 0.0
    resample_end: float = 1.0
    inversion: bool = True

    def repeats(self, sampling, sigmas: Tensor) -> list[int]:
        """How often each step of the schedule is taken again; 0 outside of resample_start to resample_end."""
        high, low = (
            float(sampling.percent_to_sigma(self.resample_start)),
            float(sampling.percent_to_sigma(self.resample_end)),
        )
        return repeats_at(sigmas, self.resample, high, low)


class _Model:
    """The guider as samplers call it, one slide long: counts calls, shows the newest frame, stops when the user says
    so.
    """

    def __init__(self, guider, video: bool, shown: list[int], extra_args: dict, report: Callable):
        self.inner_model, self.video, self.shown, self.extra_args, self.report = (
            guider,
            video,
            shown,
            extra_args,
            report,
        )

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args) -> Tensor:
        """x and the answer in the model's layout, as samplers want it."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        denoised = self.inner_model(x, sigma, **(extra_args or self.extra_args))
        newest, noisy = (to_host(from_host(clip, self.video)[self.shown], self.video) for clip in (denoised, x))
        self.report(newest, noisy)
        return denoised

    def frames(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x and the answer frames first, not counted."""
        host = to_host(x, self.video)
        return from_host(self.inner_model(host, sigma.expand(len(host)), **self.extra_args), self.video)


def solve(guider, sigmas: Tensor, extra_args: dict, q: Tensor, slide: Slide, settings: Settings, noise: Noise,
          report: Callable,
          ask: bool) -> Tensor:  # fmt: skip
    """One slide in the model's own scale, frames first: the window, clean as far as the last sigma goes.

    report(denoised, x) is called after every call of the model. With `ask` the model is first asked whether its frames
    meet.
    """
    video = is_video(guider.model_patcher)
    model = _Model(guider, video, slide.slots, extra_args, report)
    sampling, inner = guider.inner_model.model_sampling, settings.sampler
    noising, repeats = noising_of(sampling), settings.repeats(sampling, sigmas)
    if ask:
        check_frames_meet(model.frames, q, slide.known, sigmas, noising)

    def sample(model, x: Tensor, sigmas: Tensor) -> Tensor:
        options = dict(inner.extra_options)
        if "noise_sampler" in inspect.signature(inner.sampler_function).parameters:
            options["noise_sampler"] = lambda sigma, sigma_next: to_host(noise("step", x), video)
        stepped = inner.sampler_function(
            model, to_host(x, video), sigmas, extra_args=dict(extra_args), disable=True, **options
        )
        return from_host(stepped, video)

    x = sample_slide(sample, model, q, slide.known, sigmas, repeats, noising, noise, settings.inversion)
    return noising.settle(x, sigmas[-1])


def check_frames_meet(model: Callable, q: Tensor, known: Sequence[bool], sigmas: Tensor, noising: Noising) -> None:
    """Raises ValueError for a model that makes every frame for itself; asked at the start and in the middle, for layers
    that act in parts.
    """
    eps = torch.randn(q.shape, generator=torch.Generator().manual_seed(0)).to(q)
    for sigma in (sigmas[0], sigmas[len(sigmas) // 2]):
        if frames_meet(model, noising.at(sigma, q, eps), known, sigma):
            return
    raise ValueError(
        "This model makes each frame for itself: changing the known frames did not change its prediction of the new "
        "one. Give it motion with Load Motion Adapter (AnimateDiff, Recurrent, ...) or Load ModelScope T2V, at a "
        "strength above 0."
    )
