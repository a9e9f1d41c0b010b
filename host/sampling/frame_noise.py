"""Noise that the frames of a clip have in common, as ComfyUI's NOISE and in its samplers' own steps."""

import inspect

import comfy.samplers
import torch
from comfy.k_diffusion.sampling import BrownianTreeNoiseSampler

from ...samplers.noise import frame_noise, frame_seeds, step_noise

# take a source of noise and multiply it by 0
_ETA = {"sample_res_multistep": 0, "sample_res_multistep_cfg_pp": 0, "dpm_adaptive_function": 0}
# between levels as near as this a path has no direction; two-stage samplers ask there and take next to nothing of it
_NO_STEP = 1e-4


def following(seed: int, number: int) -> int:
    """The seed so many behind this one; behind the largest comes 0."""
    return (seed + number) % (1 << 64)


class ClipNoise:
    """ComfyUI's NOISE: an object with a seed that makes noise for a latent."""

    def __init__(
        self, seed: int, strategy: str = "independent", alpha: float = 0.0, unit_variance: bool = True, move=(0.0, 0.0)
    ):
        self.seed, self.how = seed, (strategy, alpha, unit_variance, move)

    def generate_noise(self, latent: dict) -> torch.Tensor:
        """Core's own call: noise of the LATENT's shape, on the CPU; `f c h w`, of video models `b c f h w`."""
        shape = torch.Size(_frames_first(latent["samples"]).shape)
        return _frames_back(frame_noise(self.seed, shape, *self.how))


def _frames_first(x: torch.Tensor) -> torch.Tensor:
    """`f c h w`, or of a video model's latents `b c f h w` -> `f b c h w`."""
    return x.movedim(2, 0) if x.ndim == 5 else x


def _frames_back(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(0, 2) if x.ndim == 5 else x


def sharing_sampler(sampler, *how) -> comfy.samplers.KSAMPLER:
    """A SAMPLER whose own noise the frames share as `how` says (strategy, alpha, unit variance, move).

    Every frame has a Brownian path of its own, as ComfyUI's SDE samplers have one for the whole batch; steps of an
    ancestral sampler are pieces of it that do not meet, so independent. Raises ValueError for samplers that draw no
    noise.
    """
    inner = getattr(sampler, "sampler_function", None)
    if inner is None or not _draws_noise(inner, sampler.extra_options):
        name = (
            type(sampler).__name__
            if inner is None
            else inner.__name__.removeprefix("sample_").removesuffix("_function")
        )
        raise ValueError(f"The sampler {name} draws no noise in its steps, so there is none to share: connect one that "
                         "does, for example "
                         "euler_ancestral, dpmpp_sde, dpmpp_2m_sde or lcm, or leave this node out.")  # fmt: skip

    def sample(model, x, sigmas, extra_args=None, callback=None, disable=None, **options):
        frames = _frames_first(x)
        share = step_noise(_paths(frames, sigmas, frame_seeds((extra_args or {}).get("seed") or 0, len(frames))), *how)

        def noise_sampler(sigma, sigma_next):
            return _frames_back(share(sigma, sigma_next)).to(x)

        return inner(
            model,
            x,
            sigmas,
            extra_args=extra_args,
            callback=callback,
            disable=disable,
            noise_sampler=noise_sampler,
            **options,
        )

    return comfy.samplers.KSAMPLER(sample, sampler.extra_options, sampler.inpaint_options)


def _paths(x: torch.Tensor, sigmas: torch.Tensor, seeds: list[int]):
    """sigma, sigma_next -> what a path of each frame does between them, of variance 1; x `f ...

    h w` tells shape and device.
    """
    tree = BrownianTreeNoiseSampler(x, sigmas.min(), sigmas.max(), seed=seeds, cpu=True)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(sigma, sigma_next) -> torch.Tensor:
        if abs(float(sigma) - float(sigma_next)) > _NO_STEP * float(sigma):
            return tree(sigma, sigma_next)
        return torch.stack([torch.randn(x.shape[1:], generator=generator) for generator in generators]).to(x)

    return draw


def _draws_noise(sample, options: dict) -> bool:
    """Does this sampler take a source of noise, and is it turned up?"""
    parameters = inspect.signature(sample).parameters.values()
    takes = any(
        parameter.name == "noise_sampler" or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters
    )
    return takes and 0 not in (options.get("eta", _ETA.get(sample.__name__)), options.get("s_noise"))
