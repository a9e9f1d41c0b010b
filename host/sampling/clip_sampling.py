"""Sampling clips with ComfyUI: the clean first frame as wrappers around any sampler, and LAMP's statistics after each
step.
"""

import comfy.sample
import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP

from ...samplers.first_frame import ADAIN_TO_FIRST_FRAME, condition_on_first_frame, sample_stepwise, with_first_frame
from ..patching.motion_masks import MOVES
from ..patching.motion_stack import FIRST_FRAME
from .frame_noise import following
from .noise_levels import noise_levels
from .preview import clip_callback

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


def _return_first_frame(executor, noise, latent_image, sampler, sigmas, denoise_mask=None, *args, **kwargs):
    clip = executor(noise, latent_image, sampler, sigmas, denoise_mask, *args, **kwargs)
    if denoise_mask is not None:  # core's arithmetic comes near to what it keeps
        clip = torch.where(denoise_mask.to(clip) == 0, latent_image.to(clip), clip)
    return with_first_frame(clip, latent_image[:1])


def _remember_first_frame(
    executor, guider, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, *args, **kwargs
):
    options = {**extra_args["model_options"], FIRST_FRAME: latent_image[:1]}
    if denoise_mask is not None and (denoise_mask < 1).any():  # what is to stay is not moved either
        options["transformer_options"] = {**options.get("transformer_options", {}), MOVES: denoise_mask[:, 0]}
    extra_args = {**extra_args, "model_options": options}
    return executor(guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *args, **kwargs)


def _predict_with_first_frame(executor, x, timestep, model_options=None, seed=None):
    model_options = model_options or {}
    z0 = model_options[FIRST_FRAME]
    sampling = executor.class_obj.inner_model.model_sampling
    scale = sampling.calculate_input(timestep[:1].view(1, 1, 1, 1), torch.ones_like(z0))
    return condition_on_first_frame(lambda noised: executor(noised, timestep, model_options, seed), x, z0, scale)


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
            generator = torch.Generator().manual_seed(following(seed, 1))  # as core: not the seed of the first noise
            options["noise_sampler"] = lambda sigma, sigma_next: torch.randn(x.shape, generator=generator).to(x)
        z0 = extra_args["model_options"][FIRST_FRAME]
        return sample_stepwise(inner.sampler_function, model, x, sigmas, z0, switch,
                               extra_args=extra_args, callback=callback, disable=disable, **options)  # fmt: skip

    return comfy.samplers.KSAMPLER(sample)


def sample_clip(
    model, positive, negative, latents, noise, seed, steps, cfg, sampler, scheduler, denoise=1.0, mask=None
) -> torch.Tensor:
    """What KSampler does, with a given noise and sampler object; returns latents `f c h w` on the CPU.

    Of `steps / denoise` steps the last ones; mask `f 1 h w`: 0 keeps the latent.
    """
    sampling = model.get_model_object("model_sampling")
    sigmas = noise_levels(sampling, scheduler, int(steps / denoise))
    if denoise < 1:
        sigmas = sigmas[-(steps + 1) :]
    guider = comfy.samplers.CFGGuider(condition_model(model))
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    callback = clip_callback(model, steps)
    return guider.sample(noise, latents, sampler, sigmas, denoise_mask=mask, callback=callback, seed=seed).cpu()
