"""Models and what they come with: MODEL, VAE, CLIP, prompts, noise, samplers; and whether they belong together."""

import comfy.clip_vision
import comfy.model_base
import comfy.model_patcher
import comfy.samplers
import comfy.sd
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import Tensor

from .values import check_numbers, is_plain, refuse


def is_model(value) -> bool:
    """A MODEL: core's patcher, or one derived from it, around a model that denoises."""
    return isinstance(value, comfy.model_patcher.ModelPatcher) and hasattr(value.model, "diffusion_model")


def is_vae(value) -> bool:
    """A VAE of pictures or videos, core's own or one that acts like it."""
    return all(hasattr(value, name) for name in ("encode", "latent_dim", "latent_channels"))


def check_vae(vae, model, what: str) -> None:
    """Raises ValueError where a VAE is none of a MODEL's."""
    channels = model.get_model_object("latent_format").latent_channels
    if vae.latent_dim != 2 or vae.latent_channels != channels:
        raise ValueError(
            f"{what} does not encode single frames of {channels} channels, it makes {vae.latent_channels} over "
            f"{vae.latent_dim} dimensions: connect the VAE of this model."
        )


def encoded(vae, images: Tensor, what: str) -> Tensor:
    """Latents `f c h w` of pictures, a copy. Raises ValueError where a VAE makes no numbers of them, as in fp16."""
    made = vae.encode(images).clone()
    if not all(end.isfinite() for end in made.aminmax()):
        raise ValueError(f"The VAE makes no numbers (NaN) of {what}: load it in fp32, or take another VAE.")
    return made


def conditioning(value, what: str) -> list:
    """A CONDITIONING: a prompt or several. Raises ValueError, one sentence, for anything else."""
    if not isinstance(value, list) or not all(_is_prompt(entry) for entry in value):
        refuse(value, what, "CONDITIONING")
    if not value:
        raise ValueError(f"{what} holds no prompt: connect CLIP Text Encode, with an empty text for none.")
    for words, options in value:
        check_numbers(words, what)
        if isinstance(pooled := options.get("pooled_output"), Tensor):
            check_numbers(pooled, what)
    return value


def _is_prompt(entry) -> bool:
    is_pair = isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[1], dict)
    return is_pair and is_plain(entry[0]) and entry[0].is_floating_point() and entry[0].ndim == 3


def check_words(prompts: list, model, what: str) -> None:
    """Raises ValueError where prompts were encoded for another MODEL, as far as an image UNet tells."""
    if not isinstance(model.model.diffusion_model, UNetModel):
        return
    wanted = getattr(model.model.model_config, "unet_config", {}).get("context_dim")
    for words, options in prompts:
        if isinstance(wanted, int) and words.shape[-1] != wanted:
            raise ValueError(
                f"{what} was encoded for another model: its prompts have {words.shape[-1]} channels, this model reads "
                f"{wanted}; connect the CLIP of this model."
            )
        if isinstance(model.model, comfy.model_base.SDXL) and not isinstance(options.get("pooled_output"), Tensor):
            raise ValueError(
                f"{what} was encoded for another model: SDXL reads a pooled text beside each prompt, and here is none; "
                "connect the CLIP of this model."
            )


def noise_of(noise, latents: Tensor) -> Tensor:
    """What a NOISE makes for a clip. Raises ValueError where that is no noise for it."""
    made = noise.generate_noise({"samples": latents})
    if not is_plain(made) or made.shape != latents.shape:
        found = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
        raise ValueError(
            f"The connected noise is {found} for a clip of {tuple(latents.shape)}: connect Shared/Autoregressive Noise "
            "or RandomNoise."
        )
    check_numbers(made, "The connected noise")
    return made


def _has(*names: str):
    return lambda value: all(hasattr(value, name) for name in names) and not isinstance(value, type)


def as_is(is_one, kind: str):
    """A check of nothing but the kind; `is_one` tells it."""

    def check(value, what: str):
        return value if is_one(value) else refuse(value, what, kind)

    return check


def _is_flow(value) -> bool:
    is_patcher = isinstance(value, comfy.model_patcher.ModelPatcher) and isinstance(value.model, torch.nn.Module)
    return is_patcher and not isinstance(value.model, comfy.model_base.BaseModel)


KINDS = {
    "MODEL": is_model,
    "VAE": is_vae,
    "CLIP": _has("cond_stage_model", "tokenize", "load_model"),
    "CLIP_VISION": _has("model", "encode_image", "config"),
    "NOISE": _has("generate_noise"),
    "SAMPLER": lambda value: isinstance(value, comfy.samplers.Sampler),
    "VIDEO": _has("get_components"),
    "OPTICAL_FLOW": _is_flow,
}
