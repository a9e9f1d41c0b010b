"""The bridge to ComfyUI: how motion adapters and a clean first frame enter a MODEL. Only public seams: clone, patches, wrappers.

A patched MODEL carries one `MotionStack` of all its adapters; no state outlives a call of the UNet, and the UNet's modules are never touched.
"""

from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from comfy.ldm.modules.attention import SpatialTransformer, SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, ResBlock, UNetModel, Upsample
from comfy.patcher_extension import WrappersMP

from ..motion_modules import unet
from ..motion_modules.adapter import AdapterError, MotionAdapter, check_fits
from ..motion_modules.module import MotionModule, module_from
from ..motion_modules.sites import Site, lamp_sites
from ..motion_modules.unet import KEY, Call

CLIPS = "few_shot_motion_clips"  # transformer_options: clips in a batch, where there is more than one
_FAMILIES = {"SD15": "Stable Diffusion 1.x", "SD20": "Stable Diffusion 2.x", "SD21UnclipL": "Stable Diffusion 2.x unCLIP", "SDXL": "SDXL",
             "SSD1B": "SSD-1B", "SDXLRefiner": "SDXL refiner"}  # fmt: skip


@dataclass(frozen=True)
class Active:
    """One adapter in use: its layers, its strength, and the noise levels between which it acts."""

    module: MotionModule
    strength: float = 1.0
    joint_norm: bool = True
    sigma_start: float = float("inf")
    sigma_end: float = 0.0


@dataclass(frozen=True)
class MotionStack:
    """All adapters of one MODEL, and the wrappers that bring them into each call."""

    adapters: tuple[Active, ...]
    checkpointing: bool = False

    def begin_call(self, executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **conds):
        """An APPLY_MODEL wrapper: hand a `Call` down to this call's layers."""
        options = dict(transformer_options or {})
        sigma = float(t.max())
        active = [adapter for adapter in self.adapters if adapter.sigma_end <= sigma <= adapter.sigma_start]
        if active:
            options[KEY] = Call(
                frames=_frames(x, options),
                names=unet.block_names(executor.class_obj.diffusion_model),
                adapters=[(adapter.module, adapter.strength) for adapter in active],
                joint_norm=min(1.0, max(adapter.strength * adapter.joint_norm for adapter in active)),
                first_frame=min(1.0, max(adapter.strength for adapter in active)),
                checkpointing=self.checkpointing,
            )
        return executor(x, t, c_concat, c_crossattn, control, options, **conds)

    def end_call(self, executor, x, timesteps=None, context=None, y=None, control=None, transformer_options=None, **kwargs):
        """A DIFFUSION_MODEL wrapper: the UNet's last convolution is in no block, its motion is added here."""
        options = transformer_options or {}
        out = executor(x, timesteps, context, y, control, options, **kwargs)
        return unet.conv_out(executor.class_obj.out, out, options[KEY]) if KEY in options else out


def _frames(x: torch.Tensor, options: dict) -> int:
    parts = len(options.get("cond_or_uncond", [0])) * options.get(CLIPS, 1)
    if x.shape[0] % parts:
        raise ValueError(
            f"A batch of {x.shape[0]} latents cannot be {parts} clips of equal length: give every clip the same number of frames."
        )
    return x.shape[0] // parts


# ---------------------------------------------------------------------------------------------------- handlers of the UNet's layers


def _on_res_block(layer, x, emb, context, options, *_):
    call = options.get(KEY)
    plain = layer.updown or layer.use_scale_shift_norm or layer.exchange_temb_dims or layer.skip_t_emb
    return layer(x, emb) if call is None or plain else unet.res_block(layer, x, emb, call)


def _on_transformer(layer, x, emb, context, options, *_):
    call = options.get(KEY)
    if call is not None:
        return unet.spatial_transformer(layer, x, context, options, call)
    out = layer(x, context, options)
    options["transformer_index"] += 1
    return out


def _on_conv(layer, x, emb, context, options, *_):
    call = options.get(KEY)
    return layer(x) if call is None else unet.plain_layer(layer, "", layer(x), call)


def _on_downsample(layer, x, emb, context, options, *_):
    call = options.get(KEY)
    return layer(x) if call is None else unet.plain_layer(layer, ".op", layer(x), call)


def _on_upsample(layer, x, emb, context, options, output_shape, *_):
    call = options.get(KEY)
    y = layer(x, output_shape=output_shape)
    return y if call is None else unet.plain_layer(layer, ".conv", y, call)


_HANDLERS = ((ResBlock, _on_res_block), (SpatialTransformer, _on_transformer), (Downsample, _on_downsample), (Upsample, _on_upsample),
             (torch.nn.Conv2d, _on_conv))  # fmt: skip


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


def sites_of(model) -> list[Site]:
    return lamp_sites({name: value.shape for name, value in image_unet(model).state_dict().items()})


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
    module = module_from(adapter.tensors, sites, adapter.rank, comfy.ops.manual_cast).to(dtype).requires_grad_(False).eval()
    patcher_class = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = patcher_class(module, comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device())
    patcher.cached_patcher_init = (motion_patcher, (adapter, sites, dtype))
    return patcher


def apply_adapter(model, adapter: MotionAdapter, strength: float = 1.0, start_percent: float = 0.0, end_percent: float = 1.0):
    """A clone of the model with one adapter more; strength 0 is the model as it was.

    Raises AdapterError where the adapter does not fit the model.
    """
    sites = sites_of(model)
    check_fits(adapter, sites, family(model))
    patched = model.clone()
    if strength == 0:
        return patched
    patcher = motion_patcher(adapter, sites, model.model.get_dtype_inference())
    patched.set_additional_models(KEY, [*model.get_additional_models_with_key(KEY), patcher])
    sampling = model.get_model_object("model_sampling")
    start, end = float(sampling.percent_to_sigma(start_percent)), float(sampling.percent_to_sigma(end_percent))
    earlier = model.get_attachment(KEY)
    active = Active(patcher.model, strength, adapter.joint_norm, start, end)
    stack = MotionStack((*(earlier.adapters if earlier else ()), active))
    set_stack(patched, stack)
    deltas = {f"diffusion_model.{name}": ("diff", (layer.delta.weight.detach(),)) for name, layer in patcher.model.query_deltas().items()}
    patched.add_patches(deltas, strength)
    return patched


def set_stack(patched, stack: MotionStack) -> None:
    """Make `stack` the one stack of a cloned model."""
    if patched.get_attachment(KEY) is None:
        for handler in _HANDLERS:
            patched.set_model_forward_timestep_embed_patch(handler)
        patched.set_model_attn1_patch(unet.take_first_frame)
        patched.set_model_attn1_output_patch(unet.give_frames_back)
    patched.set_attachments(KEY, stack)
    for kind, wrapper in ((WrappersMP.APPLY_MODEL, stack.begin_call), (WrappersMP.DIFFUSION_MODEL, stack.end_call)):
        patched.remove_wrappers_with_key(kind, KEY)
        patched.add_wrapper_with_key(kind, KEY, wrapper)
