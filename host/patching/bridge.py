"""The bridge to ComfyUI: how motion adapters enter a MODEL. Only public seams: clone, patches, wrappers.

A patched MODEL carries one `MotionStack` of all its adapters (motion_stack.py).
"""

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from comfy_api.torch_helpers.torch_compile import TORCH_COMPILE_KWARGS

from ...motion_modules.adapter import AdapterError, MotionAdapter
from ...motion_modules.call import KEY
from ...motion_modules.key_frames import NoLayers, Rule
from ...motion_modules.mask_predictor import MaskContext
from ...motion_modules.methods import MOTION_LORA, check_fits, place
from ...motion_modules.sites import Site
from .image_model import family, image_unet, sites_of
from .motion_lora import apply_motion_lora
from .motion_stack import Active, set_stack
from .noise_schedule import set_schedule
from .weight_change import change_weight


def motion_patcher(adapter: MotionAdapter, sites: list[Site], dtype: torch.dtype, disable_dynamic: bool = False):
    """An adapter's layers under ComfyUI's memory management."""
    module = place(adapter, sites, dtype, comfy.ops.manual_cast)
    patcher_class = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = patcher_class(
        module, comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    )
    patcher.cached_patcher_init = (motion_patcher, (adapter, sites, dtype))
    return patcher


def apply_adapter(model, adapter: MotionAdapter, strength: float = 1.0, start_percent: float = 0.0,
                  end_percent: float = 1.0,
                  mask: torch.Tensor | None = None, where: torch.Tensor | None = None):  # fmt: skip
    """A clone of the model with one adapter more; strength 0 is the model as it was. `mask`: the subject `f h w`, for
    adapters that know what one is. `where`: how much its layers may add, `f h w` or `1 h w`, 0 to 1.

    Raises AdapterError where the adapter does not fit the model, or the mask the adapter.
    """
    image_unet(model)
    context = MaskContext.of(adapter.mask_tensors)
    _check_mask(adapter, context, mask)
    if adapter.method == MOTION_LORA:
        if (start_percent, end_percent) != (0.0, 1.0):
            raise AdapterError(
                "A motion LoRA acts as long as its motion module does: leave its percents at 0 and 1, set the module's."
            )
        if where is not None:
            raise AdapterError(
                "A motion LoRA acts where its motion module does: leave its motion_mask and over_time out, set the "
                "module's."
            )
        return apply_motion_lora(model, adapter, strength)
    sites = sites_of(model, adapter.method)
    check_fits(adapter, sites, family(model))
    patched = model.clone()
    if strength == 0:
        return patched
    # behind core's TorchCompileModel the image model is loaded the old way, which alone can be compiled
    is_static = TORCH_COMPILE_KWARGS in model.model_options
    patcher = motion_patcher(adapter, sites, model.model.get_dtype_inference(), disable_dynamic=is_static)
    patched.set_additional_models(KEY, [*patched.get_additional_models_with_key(KEY), patcher])
    set_schedule(patched, adapter.schedule)
    active = Active(patcher.model, strength, adapter.joint_norm, start_percent, end_percent, mask, context,
                    where, adapter.clip_frames, adapter.heads_for_an_end)  # fmt: skip
    add_active(patched, active)
    for name, layer in patcher.model.weight_deltas().items():
        change_weight(patched, f"diffusion_model.{name.removesuffix('.weight')}", layer.delta.weight.detach(), strength)
    return patched


def attend_to(model, key_frames: Rule, start_percent: float = 0.0, end_percent: float = 1.0):
    """A clone of the model whose self-attention takes keys and values from these frames, without any layers
    (Text2Video-Zero).

    Raises AdapterError where the model's self-attention already follows another rule.
    """
    image_unet(model)
    patched = model.clone()
    asked = Active(NoLayers(key_frames), joint_norm=False, start_percent=start_percent, end_percent=end_percent)
    add_active(patched, asked)
    return patched


def add_active(patched, active: Active) -> None:
    """One adapter more in the stack of a cloned model."""
    earlier = patched.get_attachment(KEY)
    adapters = earlier.adapters if earlier else ()
    rule = active.module.key_frames
    others = [there.module.key_frames for there in adapters if there.module.key_frames]
    if rule and others and (rule != others[0] or "memory" in rule):
        raise AdapterError(
            f"This adapter's self-attention looks at {_named(rule)}, that of an adapter already in the model at "
            f"{_named(others[0])}: a model can follow one of them, so take one adapter out."
        )
    set_stack(patched, (*adapters, active))


def _named(rule: Rule) -> str:
    return " and ".join("a memory of its own" if word == "memory" else f"the {word} frame" for word in rule)


def _check_mask(adapter: MotionAdapter, context: MaskContext | None, mask: torch.Tensor | None) -> None:
    if context is not None and mask is None:
        raise AdapterError(
            "This adapter was trained with the first frame's mask as a condition, and none is given: connect a mask of "
            "the subject."
        )
    if mask is not None and context is None and not adapter.split:
        raise AdapterError(
            "A mask is given, this adapter does not tell subject from background: take the mask away, or train an "
            "adapter with split on."
        )
