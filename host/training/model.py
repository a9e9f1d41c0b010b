"""ComfyUI's models as the training room wants them: with layers in training, and as a denoiser with a gradient."""

from collections.abc import Callable

import comfy.model_management
import comfy.model_patcher
import comfy.sampler_helpers
import torch
from torch import Tensor

from ...motion_modules.call import KEY
from ...motion_modules.module import MotionModule
from ..patching.bridge import add_active
from ..patching.motion_stack import FRAMES, Active, set_stack
from .conditions import in_one_batch

HALVES = torch.float16, torch.bfloat16


def attach(
    base, module: MotionModule, joint_norm: bool, checkpointing: bool, autocast: torch.dtype | None = None
) -> dict:
    """Put layers in training into a model and load it; returns the transformer_options to call it with.

    A model that computes in half precision (fp16, bf16) or in fp64 computes in `autocast`, or in fp32, from now on.
    Raises AdapterError where self-attention in the model already follows another rule.
    """
    computes_in = base.get_model_object("manual_cast_dtype") or base.model.get_dtype()
    if computes_in not in (torch.float32, autocast):
        base.set_model_compute_dtype(autocast or torch.float32)
    add_active(base, Active(module, joint_norm=joint_norm))
    set_stack(base, base.get_attachment(KEY).adapters, checkpointing)
    for name, layer in module.weight_deltas().items():
        base.add_weight_wrapper(f"diffusion_model.{name}", layer)
    base.model.requires_grad_(False)
    load(base, autocast)
    options = comfy.model_patcher.create_model_options_clone(base.model_options)
    comfy.sampler_helpers.prepare_model_patcher(base, {}, options)
    return options["transformer_options"]


def load(base, autocast: torch.dtype | None) -> None:
    """Put a model in training on the device, whole; weights in another half precision than `autocast` become that."""
    comfy.model_management.load_models_gpu([base, *base.get_additional_models()], force_full_load=True)
    base.pre_run()
    if is_recast(base.model.get_dtype(), autocast):
        _recast(base.model.diffusion_model, autocast)


def is_recast(held: torch.dtype, autocast: torch.dtype | None) -> bool:
    """Do weights held in one dtype become `autocast` once, and not again in every call?"""
    return held in HALVES and autocast in HALVES and held != autocast


def _recast(unet: torch.nn.Module, autocast: torch.dtype | None) -> None:
    """Convolutions' and products' weights in the dtype autocast would give them, call by call; norms keep theirs."""
    for layer in unet.modules():
        if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d)) and layer.weight.dtype in HALVES:
            for value in layer.parameters(recurse=False):
                value.data = value.data.to(autocast)
            layer.comfy_cast_weights = False  # pyright: ignore


def computing(device: torch.device, autocast: torch.dtype | None) -> torch.autocast:
    """A context in which products are of `autocast`; without one, of what tensors are in."""
    return torch.autocast(device.type, dtype=autocast, enabled=autocast is not None)


def denoiser(base, options: dict, conditions: list[dict[str, Tensor]], autocast: torch.dtype | None) -> Callable:
    """model(x, sigma) over clips `b f c h w`, sigma `b`, one condition per clip."""
    device = base.load_device

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        clips, frames = x.shape[:2]
        conds = in_one_batch(conditions)
        call = {**options, "cond_or_uncond": [0], FRAMES: frames, "sigmas": sigma}
        with computing(device, autocast):
            denoised = base.model.apply_model(
                x.flatten(0, 1), sigma.repeat_interleave(frames), transformer_options=call, **conds
            )
        return denoised.unflatten(0, (clips, frames))

    return model
