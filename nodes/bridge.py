"""The bridge to ComfyUI: how motion adapters and a clean first frame enter a MODEL. Only public seams: clone, patches, wrappers.

A patched MODEL carries one `MotionStack` of all its adapters; no state outlives a call of the UNet, and the UNet's modules are never touched.
"""

from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from comfy.ldm.modules.attention import SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.patcher_extension import WrappersMP

from ..motion_modules import unet
from ..motion_modules.adapter import AdapterError, MotionAdapter, check_fits
from ..motion_modules.key_frames import NoLayers, Rule
from ..motion_modules.mask_predictor import MaskContext, mix_first_frame, resize_masks
from ..motion_modules.methods import METHODS, MOTION_LORA, Layers, place
from ..motion_modules.sites import Site
from ..motion_modules.unet import GATES, KEY, Call
from .motion_lora import apply_motion_lora
from .noise_schedule import set_schedule
from .unet_handlers import HANDLERS

CLIPS = "few_shot_motion_clips"  # transformer_options: clips in a batch, where there is more than one
_FAMILIES = {"SD15": "Stable Diffusion 1.x", "SD20": "Stable Diffusion 2.x", "SD21UnclipL": "Stable Diffusion 2.x unCLIP", "SDXL": "SDXL",
             "SSD1B": "SSD-1B", "SDXLRefiner": "SDXL refiner", "ModelScope": "ModelScope T2V"}  # fmt: skip


@dataclass(frozen=True)
class Active:
    """One adapter in use: its layers, its strength, and the part of the sampling in which it acts."""

    module: Layers | NoLayers
    strength: float = 1.0
    joint_norm: bool = True
    start_percent: float = 0.0
    end_percent: float = 1.0
    mask: torch.Tensor | None = None  # `f h w`: what split layers take for the subject, or the baseline's condition
    context: MaskContext | None = None  # of an adapter that was trained with the first frame's mask as a condition

    def acts(self, sampling, sigma: float) -> bool:
        """At this noise level of the schedule `sampling`? That may be set behind the adapter, so it is asked at every call."""
        return sampling.percent_to_sigma(self.end_percent) <= sigma <= sampling.percent_to_sigma(self.start_percent)


@dataclass(frozen=True)
class MotionStack:
    """All adapters of one MODEL, and the wrappers that bring them into each call."""

    adapters: tuple[Active, ...]
    checkpointing: bool = False

    def begin_call(self, executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **conds):
        """An APPLY_MODEL wrapper: hand a `Call` down to this call's layers."""
        options = dict(transformer_options or {})
        sigma, diffusion_model = float(t.max()), executor.class_obj.diffusion_model
        active = [adapter for adapter in self.adapters if adapter.acts(executor.class_obj.model_sampling, sigma)]
        if active:
            frames = _frames(x, options, active)
            for adapter in active:
                if adapter.mask is not None and len(adapter.mask) not in (1, frames):
                    raise ValueError(
                        f"The mask has {len(adapter.mask)} frames, the clip {frames}: give one mask per frame, or a single one for all."
                    )
                if adapter.context is not None:
                    x = _with_mask(adapter, x, frames, executor.class_obj.model_sampling.calculate_input(t, torch.ones_like(t)))
            options[KEY] = Call(
                frames=frames,
                names=unet.block_names(diffusion_model),
                adapters=[(adapter.module, adapter.strength) for adapter in active],
                joint_norm=min(1.0, max(adapter.strength * adapter.joint_norm for adapter in active)),
                key_frames=next(filter(None, (adapter.module.key_frames for adapter in active)), ()),
                key_strength=min(1.0, max(adapter.strength * bool(adapter.module.key_frames) for adapter in active)),
                checkpointing=self.checkpointing,
                ends=unet.row_ends(diffusion_model),
                masks={id(adapter.module): adapter.mask for adapter in active if adapter.mask is not None and adapter.context is None},
                gates=options.get(GATES),
            )
        return executor(x, t, c_concat, c_crossattn, control, options, **conds)

    def end_call(self, executor, x, timesteps=None, context=None, y=None, control=None, transformer_options=None, **kwargs):
        """A DIFFUSION_MODEL wrapper: the UNet's last convolution is in no block, its motion is added here."""
        options = transformer_options or {}
        out = executor(x, timesteps, context, y, control, options, **kwargs)
        return unet.conv_out(executor.class_obj.out, out, options[KEY]) if KEY in options else out


def _with_mask(adapter: Active, x: torch.Tensor, frames: int, input_scale: torch.Tensor) -> torch.Tensor:
    """x `(b f) c h w` with every clip's frame 0 mixed with its mask, as far as the adapter's strength goes."""
    clips = x.unflatten(0, (-1, frames))
    mask = resize_masks(adapter.mask[:1], *x.shape[-2:]).to(x.device).expand(len(clips), -1, -1)
    mixed = mix_first_frame(adapter.context, clips, mask, input_scale[::frames])
    return torch.lerp(clips, mixed, min(1.0, adapter.strength)).flatten(0, 1)


def _frames(x: torch.Tensor, options: dict, active: list[Active]) -> int:
    parts = len(options.get("cond_or_uncond", [0])) * options.get(CLIPS, 1)
    if x.shape[0] % parts:
        raise ValueError(
            f"A batch of {x.shape[0]} latents cannot be {parts} clips of equal length: give every clip the same number of frames."
        )
    frames, most = x.shape[0] // parts, min(adapter.module.max_frames or x.shape[0] for adapter in active)
    if frames > most:
        raise ValueError(f"A clip of {frames} frames is longer than the {most} that this motion module tells apart: make it shorter, or put "
                         "Context Windows (Manual) behind the motion with dim 0, a length of 16 and causal_window_fix off.")  # fmt: skip
    return frames


# ---------------------------------------------------------------------------------------------------- adapters in a MODEL


def image_unet(model) -> UNetModel:
    """The UNet of a MODEL. Raises AdapterError where it is something else."""
    diffusion_model = model.model.diffusion_model
    is_video = isinstance(diffusion_model, UNetModel) and any(
        isinstance(layer, SpatialVideoTransformer) for layer in diffusion_model.modules()
    )
    if not isinstance(diffusion_model, UNetModel) or is_video:
        raise AdapterError(f"Motion layers need the UNet of an image model (SD 1.x, SD 2.x or SDXL); this model is {family(model)} with a "
                           f"{type(diffusion_model).__name__}: load one of those checkpoints.")  # fmt: skip
    return diffusion_model


def family(model) -> str:
    name = type(model.model.model_config).__name__
    return _FAMILIES.get(name, name)


def sites_of(model, method: str = "lamp") -> list[Site]:
    return METHODS[method].sites({name: value.shape for name, value in image_unet(model).state_dict().items()})


def base_query(model):
    """name, shape -> the model's own weight of a query projection, without any LoRA that may be loaded with it."""

    def query(name: str, shape: torch.Size) -> torch.Tensor:
        patches = model.get_key_patches(f"diffusion_model.{name}")
        weight = patches.get(f"diffusion_model.{name}")
        if weight is None or weight[0][0].shape != shape:
            found = "none" if weight is None else tuple(weight[0][0].shape)
            raise AdapterError(f"This adapter was made for Stable Diffusion 1.4, the model is {family(model)}: its {name} is {tuple(shape)}, "
                               f"the model's {found}. Load a Stable Diffusion 1.x checkpoint.")  # fmt: skip
        return weight[0][0].float().cpu()

    return query


def motion_patcher(adapter: MotionAdapter, sites: list[Site], dtype: torch.dtype, disable_dynamic: bool = False):
    """An adapter's layers under ComfyUI's memory management."""
    module = place(adapter, sites, dtype, comfy.ops.manual_cast)
    patcher_class = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = patcher_class(module, comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device())
    patcher.cached_patcher_init = (motion_patcher, (adapter, sites, dtype))
    return patcher


def apply_adapter(model, adapter: MotionAdapter, strength: float = 1.0, start_percent: float = 0.0, end_percent: float = 1.0,
                  mask: torch.Tensor | None = None):  # fmt: skip
    """A clone of the model with one adapter more; strength 0 is the model as it was. `mask`: the subject `f h w`, for adapters that know what one is.

    Raises AdapterError where the adapter does not fit the model, or the mask the adapter.
    """
    image_unet(model)
    context = MaskContext.of(adapter.mask_tensors)
    _check_mask(adapter, context, mask)
    if adapter.method == MOTION_LORA:
        if (start_percent, end_percent) != (0.0, 1.0):
            raise AdapterError("A motion LoRA acts as long as its motion module does: leave its percents at 0 and 1, set the module's.")
        return apply_motion_lora(model, adapter, strength)
    sites = sites_of(model, adapter.method)
    check_fits(adapter, sites, family(model))
    patched = model.clone()
    if strength == 0:
        return patched
    patcher = motion_patcher(adapter, sites, model.model.get_dtype_inference())
    patched.set_additional_models(KEY, [*patched.get_additional_models_with_key(KEY), patcher])
    set_schedule(patched, adapter.schedule)
    _add(patched, Active(patcher.model, strength, adapter.joint_norm, start_percent, end_percent, mask, context))
    deltas = {f"diffusion_model.{name}": ("diff", (layer.delta.weight.detach(),)) for name, layer in patcher.model.weight_deltas().items()}
    patched.add_patches(deltas, strength)
    return patched


def attend_to(model, key_frames: Rule, start_percent: float = 0.0, end_percent: float = 1.0):
    """A clone of the model whose self-attention takes keys and values from these frames, without any layers (Text2Video-Zero).

    Raises AdapterError where the model's self-attention already follows another rule.
    """
    image_unet(model)
    patched = model.clone()
    _add(patched, Active(NoLayers(key_frames), joint_norm=False, start_percent=start_percent, end_percent=end_percent))
    return patched


def _add(patched, active: Active) -> None:
    """One adapter more in the stack of a cloned model."""
    earlier = patched.get_attachment(KEY)
    adapters = earlier.adapters if earlier else ()
    rule = active.module.key_frames
    others = [there.module.key_frames for there in adapters if there.module.key_frames]
    if rule and others and (rule != others[0] or "memory" in rule):
        raise AdapterError(f"This adapter's self-attention looks at {_named(rule)}, that of an adapter already in the model at "
                           f"{_named(others[0])}: a model can follow one of them, so take one adapter out.")  # fmt: skip
    set_stack(patched, MotionStack((*adapters, active)))


def _named(rule: Rule) -> str:
    return " and ".join("a memory of its own" if word == "memory" else f"the {word} frame" for word in rule)


def _check_mask(adapter: MotionAdapter, context: MaskContext | None, mask: torch.Tensor | None) -> None:
    if context is not None and mask is None:
        raise AdapterError(
            "This adapter was trained with the first frame's mask as a condition, and none is given: connect a mask of the subject."
        )
    if mask is not None and context is None and not adapter.split:
        raise AdapterError(
            "A mask is given, this adapter does not tell subject from background: take the mask away, or train an adapter with split on."
        )


def set_stack(patched, stack: MotionStack) -> None:
    """Make `stack` the one stack of a cloned model."""
    if patched.get_attachment(KEY) is None:
        for handler in HANDLERS:
            patched.set_model_forward_timestep_embed_patch(handler)
        patched.set_model_attn1_patch(unet.take_key_frames)
        patched.set_model_attn1_output_patch(unet.give_frames_back)
    patched.set_attachments(KEY, stack)
    for kind, wrapper in ((WrappersMP.APPLY_MODEL, stack.begin_call), (WrappersMP.DIFFUSION_MODEL, stack.end_call)):
        patched.remove_wrappers_with_key(kind, KEY)
        patched.add_wrapper_with_key(kind, KEY, wrapper)
