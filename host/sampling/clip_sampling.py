"""Sampling clips with ComfyUI: the clean first frame as wrappers around any sampler, and LAMP's statistics after each
step.
"""

from collections.abc import Callable
from functools import partial

import comfy.sample
import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP

from ...samplers.first_frame import ADAIN_TO_FIRST_FRAME, condition_on_first_frame, in_steps, sample_stepwise
from ...samplers.pieces import Piece
from ...samplers.statistics import match_statistics
from ..patching.motion_masks import MOVES, PIECE
from ..patching.motion_stack import FIRST_FRAME
from .frame_noise import following
from .noise_levels import noise_levels

_KNOWN = "few_shot_motion_known"  # model_options: the clean latents of a clip's known first frames
_ENDS = "few_shot_motion_ends"  # and of its last ones, where they are given
# Samplers whose every step starts from x alone, so that x may be changed between steps; True: they draw noise in each
MEMORYLESS = {"euler": False, "ddim": False, "heun": False, "dpm_2": False, "euler_ancestral": True,
              "dpm_2_ancestral": True,
              "dpmpp_2s_ancestral": True, "lcm": True}  # fmt: skip


def condition_model(model, piece: Piece | None = None, ends: int = 0):
    """A clone of the model that keeps frame 0 of whatever latent it samples: fed clean at every step, returned bit for
    bit. Of a piece of a longer clip it keeps every frame that is known; `ends` frames at the end are fed clean, too.
    """
    conditioned = model.clone()
    wrappers = {WrappersMP.OUTER_SAMPLE: partial(_return_known, piece),
                WrappersMP.SAMPLER_SAMPLE: partial(_remember_known, piece, ends),
                WrappersMP.PREDICT_NOISE: _predict_from_known}  # fmt: skip
    for kind, wrapper in wrappers.items():
        conditioned.remove_wrappers_with_key(kind, FIRST_FRAME)
        conditioned.add_wrapper_with_key(kind, FIRST_FRAME, wrapper)
    return conditioned


def _return_known(piece, executor, noise, latent_image, sampler, sigmas, denoise_mask=None, *args, **kwargs):
    clip = executor(noise, latent_image, sampler, sigmas, denoise_mask, *args, **kwargs)
    if denoise_mask is not None:  # core's arithmetic comes near to what it keeps
        clip = torch.where(denoise_mask.to(clip) == 0, latent_image.to(clip), clip)
    known = piece.known if piece else 1
    return torch.cat([latent_image[:known].to(clip), clip[known:]])


def _remember_known(piece, ends, executor, guider, sigmas, extra_args, callback, noise, latent_image=None,
                    denoise_mask=None, *args, **kwargs):  # fmt: skip
    options = {**extra_args["model_options"], FIRST_FRAME: latent_image[:1]}
    options[_KNOWN] = latent_image[: piece.known if piece else 1]
    options[_ENDS] = latent_image[len(latent_image) - ends :]
    told = {PIECE: piece} if piece else {}
    if denoise_mask is not None and (denoise_mask < 1).any():  # what is to stay is not moved either
        told[MOVES] = denoise_mask[:, 0]
    if told:
        options["transformer_options"] = {**options.get("transformer_options", {}), **told}
    extra_args = {**extra_args, "model_options": options}
    return executor(guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *args, **kwargs)


def _predict_from_known(executor, x, timestep, model_options=None, seed=None):
    model_options = model_options or {}
    known = model_options[_KNOWN]
    sampling = executor.class_obj.inner_model.model_sampling
    scale = sampling.calculate_input(timestep[:1].view(1, 1, 1, 1), torch.ones_like(known[:1]))
    predict = partial(executor, timestep=timestep, model_options=model_options, seed=seed)
    return condition_on_first_frame(predict, x, known, scale, model_options[_ENDS])


def stepwise_sampler(name: str, seed: int, steps: int):
    """A ComfyUI sampler with LAMP's statistics after each of its steps.

    Raises ValueError for samplers that carry something from step to step.
    """
    inner = comfy.samplers.sampler_object(name)
    options_of = _without_memory(name, inner)
    switch = round(ADAIN_TO_FIRST_FRAME / 50 * steps)  # the release's 50 steps, whatever the number here

    def sample(model, x, sigmas, extra_args=None, callback=None, disable=None):
        z0 = extra_args["model_options"][FIRST_FRAME]
        return sample_stepwise(inner.sampler_function, model, x, sigmas, z0, switch, extra_args=extra_args,
                               callback=callback, disable=disable, **options_of(x, seed))  # fmt: skip

    return comfy.samplers.KSAMPLER(sample)


def matching_sampler(sampler, begins: int):
    """A SAMPLER after each of whose steps the frames from `begins` on take the first one's mean and spread, as the
    recurrent system's release has it from frame 9 on. All frames are equally noisy, so no scale comes into it.

    Raises ValueError for samplers that carry something from step to step, or are none of ComfyUI's.
    """
    name = getattr(getattr(sampler, "sampler_function", None), "__name__", type(sampler).__name__)
    options_of = _without_memory(name.removeprefix("sample_"), sampler)

    def sample(model, x, sigmas, extra_args=None, callback=None, disable=None, **_):
        options = options_of(x, (extra_args or {}).get("seed") or 0)
        return in_steps(sampler.sampler_function, model, x, sigmas, lambda x, i: match_statistics(x, begins),
                        extra_args=extra_args, callback=callback, disable=disable, **options)  # fmt: skip

    return comfy.samplers.KSAMPLER(sample, inpaint_options=sampler.inpaint_options)


def _without_memory(name: str, sampler) -> Callable[[torch.Tensor, int], dict]:
    """What a sampler's function is called with, one step at a time: its own options, and noise for all steps of x.

    Raises ValueError for one that carries something from step to step.
    """
    if name not in MEMORYLESS:
        raise ValueError(f"Statistics after every step need a sampler without memory, {name} has one: choose "
                         f"{', '.join(MEMORYLESS)}, or match "
                         "statistics at the end only.")  # fmt: skip

    def options(x: torch.Tensor, seed: int) -> dict:
        found = dict(sampler.extra_options)
        if MEMORYLESS[name]:
            generator = torch.Generator().manual_seed(following(seed, 1))  # as core: not the seed of the first noise
            found["noise_sampler"] = lambda sigma, sigma_next: torch.randn(x.shape, generator=generator).to(x)
        return found

    return options


def sample_clip(
    model, positive, negative, latents, noise, seed, steps, cfg, sampler, scheduler, denoise=1.0, mask=None,
    piece: Piece | None = None, callback: Callable | None = None, ends: int = 0,
) -> torch.Tensor:  # fmt: skip
    """What KSampler does, with a given noise and sampler object; returns latents `f c h w` on the CPU.

    Of `steps / denoise` steps the last ones; mask `f 1 h w`: 0 keeps the latent. piece: what part the latents are of a
    longer clip; ends: how many of its last frames are given.
    """
    sampling = model.get_model_object("model_sampling")
    sigmas = noise_levels(sampling, scheduler, int(steps / denoise))
    if denoise < 1:
        sigmas = sigmas[-(steps + 1) :]
    guider = comfy.samplers.CFGGuider(condition_model(model, piece, ends))
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider.sample(noise, latents, sampler, sigmas, denoise_mask=mask, callback=callback, seed=seed).cpu()
