"""The node that finds a clip's noise, to sample it again with another prompt or another first frame."""

import comfy.model_sampling
import comfy.samplers
import torch
from comfy_api.latest import io

from ..host.sampling.clip_sampling import condition_model
from ..host.sampling.inversion import CLEAN, InvertedNoise, check, inverter, unit_of_noise
from ..host.sampling.noise_levels import noise_levels
from ..host.sampling.preview import clip_callback
from ..host.sockets import CATEGORY

_MODEL = "The model that is to make the clip again, with the same adapters on it."
_POSITIVE = "Prompt of the inversion. An empty one as in the releases, or what the clip shows."
_LATENT_IMAGE = "The clip, encoded with this model's VAE, one latent per frame."
_STEPS = "Steps, the same as in the sampling afterwards. More come closer to the clip; the papers take 50."
_SCHEDULER = "Schedule, the same as in the sampling afterwards; ddim_uniform is the papers'."
_FIRST_FRAME = (
    "clean: frame 0 stays as it is and conditions the others, for First-Frame-Conditioned KSampler. inverted: it "
    "becomes noise like every frame, as in the releases of both LAMP and Tune-A-Video."
)
_CFG = "Classifier-free guidance during the inversion. 1 is off, as in the releases; more moves away from the clip."
_LATENT_OUT = (
    "The clip at the highest noise level: for KSampler (Advanced) with add_noise off, or SamplerCustomAdvanced with "
    "DisableNoise."
)
_NOISE_OUT = "The same as NOISE, for samplers that start from an empty latent: First-Frame-Conditioned KSampler."


class DDIMInversion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_DDIMInversion",
            display_name="DDIM Inversion",
            category=f"{CATEGORY}/noise",
            description="Finds the noise from which a model makes a given clip again, so that sampling it with another "
                        "prompt keeps the clip's motion.",
            search_aliases=["Tune-A-Video", "LAMP editing", "invert", "unsample", "video editing", "video to video",
                            "vid2vid", "video2video", "edit video", "视频编辑", "视频转视频"],
            inputs=[
                io.Model.Input("model", tooltip=_MODEL),
                io.Conditioning.Input("positive", tooltip=_POSITIVE),
                io.Latent.Input("latent_image", tooltip=_LATENT_IMAGE),
                io.Int.Input("steps", default=50, min=1, max=1000, tooltip=_STEPS),
                io.Combo.Input("scheduler", options=comfy.samplers.KSampler.SCHEDULERS, default="ddim_uniform",
                               tooltip=_SCHEDULER),
                io.Combo.Input("first_frame", options=["inverted", CLEAN], default="inverted", tooltip=_FIRST_FRAME),
                io.Float.Input("cfg", default=1.0, min=0.0, max=100.0, step=0.1, round=0.01, advanced=True,
                               tooltip=_CFG),
                io.Conditioning.Input("negative", optional=True, tooltip="Needed with a cfg other than 1 only."),
            ],
            outputs=[io.Latent.Output(tooltip=_LATENT_OUT),
                     io.Noise.Output(tooltip=_NOISE_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(
        cls,
        model,
        positive,
        latent_image: dict,
        steps: int,
        scheduler: str,
        first_frame: str,
        cfg: float,
        negative=None,
    ) -> io.NodeOutput:
        latents = latent_image["samples"]
        check(model, latents, first_frame, cfg, negative)
        sampling = model.get_model_object("model_sampling")
        sigmas = noise_levels(sampling, scheduler, steps).flip(0)
        guider = comfy.samplers.CFGGuider(condition_model(model) if first_frame == CLEAN else model)
        guider.set_conds(positive, positive if negative is None else negative)
        guider.set_cfg(cfg)
        callback = clip_callback(model, len(sigmas) - 1)
        inverted = guider.sample(
            torch.zeros_like(latents), latents, inverter(sampling), sigmas, callback=callback, seed=0
        ).cpu()
        return io.NodeOutput(
            {"samples": inverted},
            InvertedNoise(model.model.process_latent_in(inverted) / unit_of_noise(sampling, sigmas[-1])),
        )


NODES = [DDIMInversion]
