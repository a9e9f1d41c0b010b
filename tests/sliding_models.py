"""What repeat-and-slide is tried on: a small UNet whose frames see each other, a small video model, and its calls."""

import comfy.latent_formats
import comfy.model_base
import comfy.model_patcher
import comfy.samplers
import comfy.sd
import comfy.supported_models
import torch
import unets
from comfy.taesd.taesd import TAESD
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.nodes.repeat_and_slide import RepeatAndSlideSampler, SamplerRepeatAndSlide


def made_moving(base):
    """A small UNet with an adapter: a model whose frames see each other."""
    tensors = unets.random_weights(MotionModule(bridge.sites_of(base), 0), 1)
    return bridge.apply_adapter(base, MotionAdapter("lamp", {name: 0.3 * value for name, value in tensors.items()}))


class VideoUNet(torch.nn.Module):
    """A video network in little, `b c f h w`: each frame and its neighbours."""

    def __init__(self, device=None, dtype=None, operations=None, **_):
        super().__init__()
        self.conv = torch.nn.Conv3d(4, 4, (5, 3, 3), padding=(2, 1, 1))
        self.dtype = torch.float32

    def forward(self, x, timesteps=None, context=None, **_):
        return torch.tanh(self.conv(x)) + 0.01 * context.mean()


def made_video_model(process=comfy.model_base.ModelType.EPS):
    class VideoLatents(comfy.latent_formats.SD15):
        latent_dimensions = 3

    class Config(comfy.supported_models.SD15):
        latent_format = VideoLatents

    config = Config({"in_channels": 4})
    config.set_inference_dtype(torch.float32, None)
    torch.manual_seed(0)
    model = comfy.model_base.BaseModel(config, process, unet_model=VideoUNet).eval().requires_grad_(False)
    return comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))


def made_vae():
    halves = [(name, half) for name, half in TAESD().named_children() if name.startswith("taesd_")]
    weights = {f"{name}.{key}": value for name, half in halves for key, value in unets.random_weights(half, 0).items()}
    return comfy.sd.VAE(sd={**weights, "vae_scale": torch.tensor(1.0), "vae_shift": torch.tensor(0.0)})


def text(seed: int, width: int = 64) -> list:
    return [[torch.randn(1, 9, width, generator=torch.Generator().manual_seed(seed)), {}]]


def latents(frames: int, seed: int = 3, size: int = 8) -> dict:
    return {"samples": torch.randn(frames, 4, size, size, generator=torch.Generator().manual_seed(seed)) * 5}


CUSTOM = {"length": 5, "preset": "custom", "seed": 1, "cfg": 2.0, "window": 4, "queue": "latent",
          "sampler_name": "euler", "scheduler": "ddim_uniform",
          "steps": 2, "resample": 1, "resample_start": 0.0, "resample_end": 1.0, "new_frames": 1, "context": 0,
          "inversion": True, "end": "clean",
          "batch": "frames of one clip"}  # fmt: skip


@torch.inference_mode()
def run(model, frames, **changed):
    """The node's two outputs and what it says."""
    out = RepeatAndSlideSampler.execute(model, text(1), text(2), frames, **{**CUSTOM, **changed})
    return out.args[0]["samples"], out.args[1], out.ui.as_dict()["text"][0]


def counting(model) -> tuple:
    """The model with a list of its calls: how many frames, and which of cond and uncond."""
    model, calls = model.clone(), []
    model.set_model_unet_function_wrapper(
        lambda apply, call: (
            calls.append((call["input"].shape, call["cond_or_uncond"]))
            or apply(call["input"], call["timestep"], **call["c"])
        )
    )
    return model, calls


# ------------------------------------------------------------------------------------------------ SamplerCustomAdvanced


@torch.inference_mode()
def advanced(model, latent: dict, sigmas=None, **changed) -> tuple[torch.Tensor, torch.Tensor]:
    from comfy_extras.nodes_custom_sampler import CFGGuider, SamplerCustomAdvanced
    from few_shot_motion.nodes.frame_noise import FrameNoise

    settings = {
        "window": 4,
        "context": 0,
        "new_frames": 1,
        "resample": 1,
        "resample_start": 0.0,
        "resample_end": 1.0,
        "inversion": True,
    }
    sampler = SamplerRepeatAndSlide.execute(**{**settings, "sampler_name": "euler", **changed}).args[0]
    guider = CFGGuider.execute(model, text(1), text(2), 2.0).args[0]
    if sigmas is None:
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "ddim_uniform", 2)
    noise = FrameNoise.execute(3, "independent", 0.0, True).args[0]
    return tuple(out["samples"] for out in SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent).args)
