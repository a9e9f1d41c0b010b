"""AnimateDiff in a MODEL, for several tests: a module, a LoRA, what the UNet gives, a clip."""

import comfy.model_base
import comfy.samplers
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules import animatediff_file
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformers
from few_shot_motion.motion_modules.methods import MOTION_LORA
from few_shot_motion.motion_modules.module import MotionModule

FRAMES = 8


def animatediff_for(model, version: str = "v3", seed: int = 1, fresh: bool = False) -> MotionAdapter:
    """A motion module with every layer alive, or with none."""
    sites = [site for site in bridge.sites_of(model, "animatediff") if version == "v2" or site.path != "middle_block"]
    module = TemporalTransformers(sites, 24 if version == "v1" else 32)
    positions = {name: value for name, value in module.state_dict().items() if name.endswith(".pe")}
    tensors = {**unets.random_weights(module, seed), **positions}
    if fresh:
        tensors = {name: torch.zeros_like(value) if ".proj_out." in name else value for name, value in tensors.items()}
    return MotionAdapter("animatediff", tensors, joint_norm=version == "v1", schedule=animatediff_file.SD_SCHEDULE,
                         metadata={"base": "Stable Diffusion 1.x"})  # fmt: skip


def lora_for(adapter: MotionAdapter, seed: int = 4) -> MotionAdapter:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, weight in adapter.tensors.items():
        if ".attention_blocks." in name and ".to_" in name and weight.ndim == 2:
            for part, shape in (("up", (len(weight), 2)), ("down", (2, len(weight)))):
                tensors[name.replace(".weight", f".{part}.weight")] = 0.2 * torch.randn(shape, generator=generator)
    return MotionAdapter(MOTION_LORA, tensors, 2)


def lamp_for(model) -> MotionAdapter:
    tensors = unets.random_weights(MotionModule(bridge.sites_of(model)), 7)
    return MotionAdapter("lamp", {name: 0.3 * value for name, value in tensors.items()})


@torch.inference_mode()
def output(model, frames: int = FRAMES, timestep: float = 500.0, order=None) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    latents, text = torch.randn(1, frames, 4, 8, 6, generator=generator), torch.randn(1, 9, 64, generator=generator)
    unets.load(model)
    return unets.eps_of(model, latents if order is None else latents[:, order], torch.tensor([timestep]), text)[0]


def far(found: torch.Tensor, other: torch.Tensor) -> float:
    return (found - other).abs().max().item()


def sigma_max(model) -> float:
    return float(model.get_model_object("model_sampling").sigma_max)


def sampled(model, steps: int = 2, frames: int = FRAMES) -> tuple[torch.Tensor, list[float]]:
    """A clip by ComfyUI's own sampler, with guidance; and the noise levels the UNet was asked at."""
    generator, seen = torch.Generator().manual_seed(3), []
    watched = model.clone()
    watched.set_model_unet_function_wrapper(
        lambda apply, call: (
            seen.append(float(call["timestep"].max())) or apply(call["input"], call["timestep"], **call["c"])
        )
    )
    noise, conds = (
        torch.randn(frames, 4, 8, 8, generator=generator),
        [[[torch.randn(1, 9, 64, generator=generator), {}]] for _ in range(2)],
    )
    with torch.inference_mode():
        sampler = comfy.samplers.KSampler(
            watched, steps, "cpu", "euler", "normal", 1.0, model_options=watched.model_options
        )
        clip = sampler.sample(
            noise,
            *conds,
            cfg=4.0,
            latent_image=torch.zeros_like(noise),
            force_full_denoise=True,
            disable_pbar=True,
            seed=3,
        )
    return clip, seen
