"""Repeat-and-slide over whole clips: as a SAMPLER, all slides in one run of a guider, and slide by slide with room for
a VAE between them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import comfy.samplers
import torch
from torch import Tensor

from ...samplers.repeat_and_slide import Frames, Noise, calls_per_slide, repeat_and_slide, seeded_noise
from ...samplers.slides import Slide, plan_slides
from .given_frames import Clip, PixelQueue, known_in
from .preview import clip_callback
from .sliding import Settings, from_host, is_video, solve, to_host, visible


class Report:
    """Tells ComfyUI's callback of every call of the model, and counts them."""

    def __init__(self, callback: Callable | None, total: int):
        self.callback, self.total, self.calls = callback, total, 0

    def __call__(self, denoised: Tensor, x: Tensor) -> None:
        if self.callback:
            self.callback(self.calls, denoised, x, self.total)
        self.calls += 1


@dataclass(frozen=True)
class _SlideSampler(comfy.samplers.Sampler):
    """A SAMPLER for one slide; the latent it is run on is the window."""

    slide: Slide
    settings: Settings
    noise: Noise
    report: Callable
    ask: bool

    def sample(
        self, guider, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        video = is_video(guider.model_patcher)
        q = from_host(latent_image, video)
        return to_host(
            solve(guider, sigmas, extra_args, q, self.slide, self.settings, self.noise, self.report, self.ask), video
        )


def animate(guider, sigmas: Tensor, slides: Sequence[Slide], known: Mapping[int, Tensor], settings: Settings, seed: int,
            report: Report,
            pixels: PixelQueue | None) -> Iterator[Frames]:  # fmt: skip
    """One clip slide by slide, each a run of the guider of its own, so that ComfyUI may swap UNet and VAE between them.

    Latents on the CPU.
    """
    video, noise = is_video(guider.model_patcher), seeded_noise(seed)

    def solve_slide(q: Tensor, slide: Slide) -> Tensor:
        window = to_host(q, video)
        sampler = _SlideSampler(slide, settings, noise, report, ask=report.calls == 0)
        return from_host(guider.sample(torch.zeros_like(window), window, sampler, sigmas, seed=seed).cpu(), video)

    return repeat_and_slide(slides, known, solve_slide, *((pixels.decode, pixels.encode) if pixels else ()))


def make(
    guider,
    sigmas: Tensor,
    slides: Sequence[Slide],
    clips: Sequence[Clip],
    settings: Settings,
    seed: int,
    pixels: PixelQueue | None,
) -> int:
    """Make clips one after the other, each with the next seed; returns how often the model was called."""
    model = guider.model_patcher
    total = (
        len(clips) * len(slides) * calls_per_slide(settings.repeats(model.get_model_object("model_sampling"), sigmas))
    )
    report = Report(clip_callback(model, total), total)
    for i, clip in enumerate(clips):
        for made in animate(guider, sigmas, slides, clip.given, settings, (seed + i) % (1 << 64), report, pixels):
            clip.take(made)
    return report.calls


@dataclass(frozen=True)
class ClipSampler(comfy.samplers.Sampler):
    """A SAMPLER for SamplerCustomAdvanced: makes every frame that the latent's noise mask marks, or without a mask all
    but the first.
    """

    window: int
    context: int
    new_frames: int
    settings: Settings

    def sample(
        self, guider, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        """Core's own call: latents and noise `f c h w`, of video models `b c f h w` -> the clip, in that shape."""
        video, sampling = is_video(guider.model_patcher), guider.inner_model.model_sampling
        clips, noises = (x.movedim(2, 1) if video else x[None] for x in (latent_image, noise))  # b f c h w
        known = [frame == 0 for frame in range(clips.shape[1])]
        if denoise_mask is not None:
            known = known_in(from_host(denoise_mask, video)[:, 0] < 0.5)
        slides = plan_slides(known, self.window, self.context, self.new_frames)
        if self.settings.inversion:
            sigmas = visible(sigmas, sampling)
        report = Report(callback, len(clips) * len(slides) * calls_per_slide(self.settings.repeats(sampling, sigmas)))
        made = clips.clone()
        for i, (clip, eps) in enumerate(zip(made, noises, strict=True)):
            seeded = seeded_noise(
                ((extra_args.get("seed") or 0) + 1 + i) % (1 << 64)
            )  # as core: not the seed of the noise itself
            for frames in self._slides(guider, sigmas, extra_args, slides, known, clip, eps, seeded, report):
                clip[list(frames.indices)] = frames.latents
        whole = made.movedim(1, 2) if video else made[0]
        if callback:
            callback(report.total - 1, whole, whole, report.total)
        return whole

    def _slides(self, guider, sigmas, extra_args, slides, known, clip, eps, seeded, report) -> Iterator[Frames]:
        def solve_slide(q: Tensor, slide: Slide) -> Tensor:
            def noise(role: str, like: Tensor) -> Tensor:
                return eps[list(slide.frames)] if role == "start" else seeded(role, like)

            return solve(guider, sigmas, extra_args, q, slide, self.settings, noise, report, ask=report.calls == 0)

        given = {frame: clip[frame].clone() for frame, there in enumerate(known) if there}
        return repeat_and_slide(slides, given, solve_slide)
