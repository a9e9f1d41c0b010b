"""DDIM inversion with ComfyUI: a SAMPLER that runs up the schedule, and what it finds as NOISE."""

import comfy.model_sampling
import comfy.samplers
import torch
from torch import Tensor

from ...samplers.ddim_inversion import ddim_inversion
from ..inputs.frames import check_dimensions
from ..patching.image_model import family, image_unet
from .sliding import noising_of

CLEAN = "clean"


def inverter(sampling) -> comfy.samplers.KSAMPLER:
    """A SAMPLER that takes sigmas from low to high: a clean clip to its noise, by the model's own predictions."""

    def input_scale(sigma: Tensor) -> Tensor:
        return sampling.calculate_input(sigma, torch.ones_like(sigma))

    def sample(model, x, sigmas, extra_args=None, callback=None, disable=None):
        levels = x.new_ones(x.shape[0])
        return ddim_inversion(
            lambda seen, sigma: model(seen, sigma * levels, **extra_args), x, sigmas, input_scale, callback
        )

    return comfy.samplers.KSAMPLER(sample)


def unit_of_noise(sampling, sigma: Tensor) -> Tensor:
    """What core multiplies unit noise by where sampling starts at sigma: not quite the same at the schedule's top."""
    at_the_top = float(sigma) >= float(sampling.sigma_max) * (1 - 1e-5)
    return noising_of(sampling).pure_noise(sigma) if at_the_top else sigma


class InvertedNoise:
    """ComfyUI's NOISE, of one clip."""

    seed = 0

    def __init__(self, noise: Tensor):
        self.noise = noise

    def generate_noise(self, latent: dict) -> Tensor:
        """Core's own call: the inverted clip. Raises ValueError for a LATENT of another shape."""
        asked = tuple(latent["samples"].shape)
        if asked != tuple(self.noise.shape):
            raise ValueError(f"The inverted clip has latents of the shape {tuple(self.noise.shape)}, {asked} are to be "
                             "sampled: give both the same length "
                             "and size.")  # fmt: skip
        return self.noise.clone()


def check(model, latents: Tensor, first_frame: str, cfg: float, negative) -> None:
    """Raise ValueError, one sentence, where this model cannot invert this clip in this way."""
    sampling, latent_format = model.get_model_object("model_sampling"), model.get_model_object("latent_format")
    if not isinstance(sampling, comfy.model_sampling.EPS):
        raise ValueError(f"DDIM inversion needs a model that predicts noise or v; this model is {family(model)}, which "
                         "does not: load a checkpoint of SD 1.x, "
                         "SD 2.x or SDXL.")  # fmt: skip
    check_dimensions(latents, latent_format.latent_dimensions + 2, "What comes in at latent_image")
    if cfg != 1 and negative is None:
        raise ValueError(f"A cfg of {cfg:g} needs a negative prompt to guide away from: connect one, or set cfg to 1.")
    if first_frame == CLEAN:
        image_unet(model)
        if len(latents) < 2:
            raise ValueError(
                "The clip has one frame, and the first frame is to stay clean: give it more frames, or set first_frame "
                "to inverted."
            )
