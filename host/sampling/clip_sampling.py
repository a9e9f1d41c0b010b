"""Sampling clips with ComfyUI: the clean first frame as wrappers around any sampler, and LAMP's statistics after each
step.
"""

import comfy.sample
import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP

from ...samplers.first_frame import ADAIN_TO_FIRST_FRAME, condition_on_first_frame, sample_stepwise, with_first_frame
from ..inputs.frames import check_dimensions
from .noise_levels import noise_levels
from .preview import clip_callback

FIRST_FRAME = "few_shot_motion_first_frame"  # in a run's model_options: the first frame as the UNet sees it
# Samplers whose every step starts from x alone, so that x may be changed between steps; True: they draw noise in each
MEMORYLESS = {"euler": False, "ddim": False, "heun": False, "dpm_2": False, "euler_ancestral": True,
              "dpm_2_ancestral": True,
              "dpmpp_2s_ancestral": True, "lcm": True}  # fmt: skip


def condition_model(model):
    """A clone of the model that keeps frame 0 of whatever latent it samples: fed clean at every step, returned bit for
    bit.
    """
    conditioned = model.clone()
    wrappers = {WrappersMP.OUTER_SAMPLE: _return_first_frame, WrappersMP.SAMPLER_SAMPLE: _remember_first_frame,
                WrappersMP.PREDICT_NOISE: _predict_with_first_frame}  # fmt: skip
    for kind, wrapper in wrappers.items():
        conditioned.remove_wrappers_with_key(kind, FIRST_FRAME)
        conditioned.add_wrapper_with_key(kind, FIRST_FRAME, wrapper)
    return conditioned


def _return_first_frame(executor, noise, latent_image, *args, **kwargs):
    return with_first_frame(executor(noise, latent_image, *args, **kwargs), latent_image[:1])


def _remember_first_frame(executor, guider, sigmas, extra_args, callback, noise, latent_image=None, *args, **kwargs):
    extra_args = {**extra_args, "model_options": {**extra_args["model_options"], FIRST_FRAME: latent_image[:1]}}
    return executor(guider, sigmas, extra_args, callback, noise, latent_image, *args, **kwargs)


def _predict_with_first_frame(executor, x, timestep, model_options=None, seed=None):
    model_options = model_options or {}
    z0 = model_options[FIRST_FRAME]
    sampling = executor.class_obj.inner_model.model_sampling
    scale = sampling.calculate_input(timestep[:1].view(1, 1, 1, 1), torch.ones_like(z0))
    return condition_on_first_frame(lambda noised: executor(noised, timestep, model_options, seed), x, z0, scale)


def first_frame_latents(first_frame: dict, length: int) -> torch.Tensor:
    """A clip's latents `f c h w` with the given frame first and nothing after it.

    Raises ValueError where the latent is not one frame.
    """
    samples = first_frame["samples"]
    check_dimensions(samples, 4, "What comes in at first_frame")
    if samples.shape[0] != 1:
        raise ValueError(
            f"One first frame is wanted, the latent holds {samples.shape[0]}: choose one of them with Get Latent From "
            "Batch."
        )
    return torch.cat([samples, samples.new_zeros(length - 1, *samples.shape[1:])])


def stepwise_sampler(name: str, seed: int, steps: int):
    """A ComfyUI sampler with LAMP's statistics after each of its steps.

    Raises ValueError for samplers that carry something from step to step.
    """
    if name not in MEMORYLESS:
        raise ValueError(f"Statistics after every step need a sampler without memory, {name} has one: choose "
                         f"{', '.join(MEMORYLESS)}, or match "
                         "statistics at the end only.")  # fmt: skip
    inner = comfy.samplers.sampler_object(name)
    switch = round(ADAIN_TO_FIRST_FRAME / 50 * steps)  # the release's 50 steps, whatever the number here

    def sample(model, x, sigmas, extra_args=None, callback=None, disable=None):
        options = dict(inner.extra_options)
        if MEMORYLESS[name]:
            generator = torch.Generator().manual_seed(seed + 1)  # as core: not the seed of the first noise
            options["noise_sampler"] = lambda sigma, sigma_next: torch.randn(x.shape, generator=generator).to(x)
        z0 = extra_args["model_options"][FIRST_FRAME]
        return sample_stepwise(inner.sampler_function, model, x, sigmas, z0, switch,
                               extra_args=extra_args, callback=callback, disable=disable, **options)  # fmt: skip

    return comfy.samplers.KSAMPLER(sample)


def sample_clip(model, positive, negative, latents, noise, seed, steps, cfg, sampler, scheduler) -> torch.Tensor:
    """What KSampler does, with a given noise and sampler object; returns latents `f c h w` on the CPU."""
    sigmas = noise_levels(model.get_model_object("model_sampling"), scheduler, steps)
    guider = comfy.samplers.CFGGuider(condition_model(model))
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    callback = clip_callback(model, steps)
    return guider.sample(noise, latents, sampler, sigmas, callback=callback, seed=seed).cpu()
