"""All motion of one MODEL, and how it enters each call of the UNet: wrappers that hand a `Call` down to the layers, and
add what no block can.

No state outlives a call of the UNet, and the UNet's modules are never touched.
"""

from dataclasses import dataclass

import torch
from comfy.patcher_extension import WrappersMP

from ...motion_modules import unet
from ...motion_modules.key_frames import NoLayers
from ...motion_modules.mask_predictor import MaskContext, mix_first_frame, resize_masks
from ...motion_modules.methods import Layers
from ...motion_modules.unet import GATES, KEY, Call
from .unet_handlers import HANDLERS

CLIPS = "few_shot_motion_clips"  # transformer_options: clips in a batch, where there is more than one


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
        """At this noise level of the schedule `sampling`? That may be set behind the adapter, so it is asked at every
        call.
        """
        return sampling.percent_to_sigma(self.end_percent) <= sigma <= sampling.percent_to_sigma(self.start_percent)


@dataclass(frozen=True)
class MotionStack:
    """All adapters of one MODEL, and the wrappers that bring them into each call."""

    adapters: tuple[Active, ...]
    checkpointing: bool = False

    def begin_call(
        self, executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **conds
    ):
        """An APPLY_MODEL wrapper: hand a `Call` down to this call's layers."""
        options = dict(transformer_options or {})
        sigma, diffusion_model = float(t.max()), executor.class_obj.diffusion_model
        active = [adapter for adapter in self.adapters if adapter.acts(executor.class_obj.model_sampling, sigma)]
        if active:
            frames = _frames(x, options, active)
            for adapter in active:
                if adapter.mask is not None and len(adapter.mask) not in (1, frames):
                    raise ValueError(
                        f"The mask has {len(adapter.mask)} frames, the clip {frames}: give one mask per frame, or a "
                        "single one for all."
                    )
                if adapter.context is not None:
                    x = _with_mask(
                        adapter, x, frames, executor.class_obj.model_sampling.calculate_input(t, torch.ones_like(t))
                    )
            options[KEY] = Call(
                frames=frames,
                names=unet.block_names(diffusion_model),
                adapters=[(adapter.module, adapter.strength) for adapter in active],
                joint_norm=min(1.0, max(adapter.strength * adapter.joint_norm for adapter in active)),
                key_frames=next(filter(None, (adapter.module.key_frames for adapter in active)), ()),
                key_strength=min(1.0, max(adapter.strength * bool(adapter.module.key_frames) for adapter in active)),
                checkpointing=self.checkpointing,
                ends=unet.row_ends(diffusion_model),
                masks={
                    id(adapter.module): adapter.mask
                    for adapter in active
                    if adapter.mask is not None and adapter.context is None
                },
                gates=options.get(GATES),
            )
        return executor(x, t, c_concat, c_crossattn, control, options, **conds)

    def end_call(
        self, executor, x, timesteps=None, context=None, y=None, control=None, transformer_options=None, **kwargs
    ):
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
            f"A batch of {x.shape[0]} latents cannot be {parts} clips of equal length: give every clip the same number "
            "of frames."
        )
    frames, most = x.shape[0] // parts, min(adapter.module.max_frames or x.shape[0] for adapter in active)
    if frames > most:
        raise ValueError(f"A clip of {frames} frames is longer than the {most} that this motion module tells apart: "
                         "make it shorter, or put "
                         "Context Windows (Manual) behind the motion with dim 0, a length of 16 and causal_window_fix "
                         "off.")  # fmt: skip
    return frames


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
