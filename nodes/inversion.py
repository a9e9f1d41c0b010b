"""The node that finds a clip's noise, to sample it again with another prompt or another first frame."""

import comfy.model_sampling
import comfy.samplers
import latent_preview
import torch
from comfy_api.latest import io
from torch import Tensor

from ..samplers.ddim_inversion import ddim_inversion
from .clip_sampling import condition_model
from .image_model import family, image_unet
from .motion import CATEGORY
from .sliding import noising_of

_CLEAN = "clean"


class DDIMInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_DDIMInversion",
            display_name="DDIM Inversion",
            category=CATEGORY,
            description="Finds the noise from which a model makes a given clip again, so that sampling it with another prompt keeps the clip's motion.",
            search_aliases=["Tune-A-Video", "LAMP editing", "invert", "unsample", "video editing", "video to video"],
            inputs=[
                io.Model.Input("model", tooltip="The model that is to make the clip again, with the same adapters on it."),
                io.Conditioning.Input("positive", tooltip="Prompt of the inversion. An empty one as in the releases, or what the clip shows."),
                io.Latent.Input("latent_image", tooltip="The clip, encoded with this model's VAE, one latent per frame."),
                io.Int.Input("steps", default=50, min=1, max=1000,
                             tooltip="Steps, the same as in the sampling afterwards. More come closer to the clip; the papers take 50."),
                io.Combo.Input("scheduler", options=comfy.samplers.KSampler.SCHEDULERS, default="ddim_uniform",
                               tooltip="Schedule, the same as in the sampling afterwards; ddim_uniform is the papers'."),
                io.Combo.Input("first_frame", options=["inverted", _CLEAN], default="inverted",
                               tooltip="clean: frame 0 stays as it is and conditions the others, for First-Frame-Conditioned KSampler. inverted: it becomes "
                               "noise like every frame, as in the releases of both LAMP and Tune-A-Video."),
                io.Float.Input("cfg", default=1.0, min=0.0, max=100.0, step=0.1, round=0.01, advanced=True,
                               tooltip="Classifier-free guidance during the inversion. 1 is off, as in the releases; more moves away from the clip."),
                io.Conditioning.Input("negative", optional=True, tooltip="Needed with a cfg other than 1 only."),
            ],
            outputs=[io.Latent.Output(tooltip="The clip at the highest noise level: for KSampler (Advanced) with add_noise off, or SamplerCustomAdvanced with "
                                      "DisableNoise."),
                     io.Noise.Output(tooltip="The same as NOISE, for samplers that start from an empty latent: First-Frame-Conditioned KSampler.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, positive, latent_image: dict, steps: int, scheduler: str, first_frame: str, cfg: float, negative=None
    ) -> io.NodeOutput:
        latents = latent_image["samples"]
        _check(model, latents, first_frame, cfg, negative)
        sampling = model.get_model_object("model_sampling")
        sigmas = comfy.samplers.calculate_sigmas(sampling, scheduler, steps).flip(0)
        guider = comfy.samplers.CFGGuider(condition_model(model) if first_frame == _CLEAN else model)
        guider.set_conds(positive, positive if negative is None else negative)
        guider.set_cfg(cfg)
        callback = latent_preview.prepare_callback(model, len(sigmas) - 1)
        inverted = guider.sample(torch.zeros_like(latents), latents, inverter(sampling), sigmas, callback=callback, seed=0).cpu()
        return io.NodeOutput(
            {"samples": inverted}, _InvertedNoise(model.model.process_latent_in(inverted) / _unit_of_noise(sampling, sigmas[-1]))
        )


def inverter(sampling) -> comfy.samplers.KSAMPLER:
    def input_scale(sigma: Tensor) -> Tensor:
        return sampling.calculate_input(sigma, torch.ones_like(sigma))

    def sample(model, x, sigmas, extra_args=None, callback=None, disable=None):
        levels = x.new_ones(x.shape[0])
        return ddim_inversion(lambda seen, sigma: model(seen, sigma * levels, **extra_args), x, sigmas, input_scale, callback)

    return comfy.samplers.KSAMPLER(sample)


def _unit_of_noise(sampling, sigma: Tensor) -> Tensor:
    """What core multiplies unit noise by where sampling starts at sigma: not quite the same at the schedule's very top."""
    at_the_top = float(sigma) >= float(sampling.sigma_max) * (1 - 1e-5)
    return noising_of(sampling).pure_noise(sigma) if at_the_top else sigma


class _InvertedNoise:
    """ComfyUI's NOISE, of one clip."""

    seed = 0

    def __init__(self, noise: Tensor):
        self.noise = noise

    def generate_noise(self, latent: dict) -> Tensor:
        asked = tuple(latent["samples"].shape)
        if asked != tuple(self.noise.shape):
            raise ValueError(f"The inverted clip has latents of the shape {tuple(self.noise.shape)}, {asked} are to be sampled: give both the same length "
                             "and size.")  # fmt: skip
        return self.noise.clone()


def _check(model, latents: Tensor, first_frame: str, cfg: float, negative) -> None:
    sampling, latent_format = model.get_model_object("model_sampling"), model.get_model_object("latent_format")
    if not isinstance(sampling, comfy.model_sampling.EPS):
        raise ValueError(f"DDIM inversion needs a model that predicts noise or v; this model is {family(model)}, which does not: load a checkpoint of SD 1.x, "
                         "SD 2.x or SDXL.")  # fmt: skip
    channels = latent_format.latent_channels
    if latents.ndim != latent_format.latent_dimensions + 2 or latents.shape[1] != channels:
        raise ValueError(f"The clip's latents have the shape {tuple(latents.shape)}, this model's have {channels} channels: encode the frames with the VAE of "
                         "this model.")  # fmt: skip
    if not latents.isfinite().all():
        raise ValueError("The clip holds values that are no numbers (NaN or infinite): check the nodes that made it.")
    if cfg != 1 and negative is None:
        raise ValueError(f"A cfg of {cfg:g} needs a negative prompt to guide away from: connect one, or set cfg to 1.")
    if first_frame == _CLEAN:
        image_unet(model)
        if len(latents) < 2:
            raise ValueError(
                "The clip has one frame, and the first frame is to stay clean: give it more frames, or set first_frame to inverted."
            )


NODES = [DDIMInversion]
