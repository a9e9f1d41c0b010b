"""ComfyUI's models as the training room wants them: clips as latents, a denoiser with a gradient, progress with a
picture.
"""

from collections.abc import Callable

import comfy.model_management
import comfy.model_patcher
import comfy.sampler_helpers
import comfy.samplers
import comfy.utils
import torch
from torch import Tensor

from ...motion_modules.module import MotionModule
from ..files.video_file import components_of
from ..patching.motion_stack import FRAMES, Active, set_stack


def pictures(clip, frame_step: int, width: int, height: int) -> Tensor:
    """A VIDEO or IMAGE batch as pictures `f h w 3`, every `frame_step`-th frame, scaled and cropped to a size unless
    that is 0 x 0.
    """
    images = (clip if isinstance(clip, Tensor) else components_of(clip, "A clip").images)[::frame_step, ..., :3]
    if width and height:
        images = comfy.utils.common_upscale(images.movedim(-1, 1), width, height, "area", "center").movedim(1, -1)
    return images


def trainable_model(model):
    """A MODEL of its own to train on: loaded anew from its file, frozen, on the device.

    Call it outside inference mode. Raises ValueError where the model's loader cannot load it twice.
    """
    if model.cached_patcher_init is None:
        raise ValueError(
            "This model cannot be loaded a second time for training: load it with one of ComfyUI's own loaders, Load "
            "Checkpoint say."
        )
    return model.clone(force_deepcopy=True)


def attach(base, module: MotionModule, joint_norm: bool, checkpointing: bool) -> dict:
    """Put layers in training into a model and load it; returns the transformer_options to call it with."""
    earlier = base.get_attachment("few_shot_motion")
    adapters = (*(earlier.adapters if earlier else ()), Active(module, joint_norm=joint_norm))
    set_stack(base, adapters, checkpointing)
    for name, layer in module.weight_deltas().items():
        base.add_weight_wrapper(f"diffusion_model.{name}", layer)
    base.model.requires_grad_(False)
    comfy.model_management.load_models_gpu([base, *base.get_additional_models()], force_full_load=True)
    base.pre_run()
    options = comfy.model_patcher.create_model_options_clone(base.model_options)
    comfy.sampler_helpers.prepare_model_patcher(base, {}, options)
    return options["transformer_options"]


def model_conditions(base, conditioning: list, latents: Tensor) -> list[dict[str, Tensor]]:
    """Per caption, what the UNet wants of it for a clip `f c h w`: text, and SDXL's size and pooled text."""
    conditions = []
    for caption in conditioning:
        conds = comfy.sampler_helpers.convert_cond(caption)
        conds = comfy.samplers.encode_model_conds(base.model.extra_conds, conds, latents, base.load_device, "positive")
        made = {
            key: cond.process_cond(batch_size=len(latents), area=None).cond
            for key, cond in conds[0]["model_conds"].items()
        }
        conditions.append({key: value.clone() if isinstance(value, Tensor) else value for key, value in made.items()})
    return conditions


def denoiser(base, options: dict, conditions: list[dict[str, Tensor]], autocast: torch.dtype | None) -> Callable:
    """model(x, sigma) over clips `b f c h w`, sigma `b`, one condition per clip."""
    device = base.load_device

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        clips, frames = x.shape[:2]
        conds = {key: torch.cat([condition[key] for condition in conditions]) for key in conditions[0]}
        call = {**options, "cond_or_uncond": [0], FRAMES: frames, "sigmas": sigma}
        with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            denoised = base.model.apply_model(
                x.flatten(0, 1), sigma.repeat_interleave(frames), transformer_options=call, **conds
            )
        return denoised.unflatten(0, (clips, frames))

    return model
