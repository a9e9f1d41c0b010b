"""All motion of one MODEL, and how it enters each call of the UNet: wrappers that hand a `Call` down to the layers, and
add what no block can.

No state outlives a call of the UNet, and the UNet's modules are never touched.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial

import torch
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers.torch_compile import TORCH_COMPILE_KWARGS

from ...motion_modules import unet
from ...motion_modules.call import GATES, KEY, Acting, Call, Places, places_of
from ...motion_modules.key_frames import NoLayers
from ...motion_modules.mask_predictor import MaskContext, mix_first_frame, resize_masks
from ...motion_modules.methods import Layers
from ..inputs.frames import check_shape_of_masks
from ..said import say
from .compiled import COMPILED, Compiled, uncompiled
from .motion_masks import MOVES, in_call
from .unet_layers import acting, idle

LEVEL = "few_shot_motion_level"  # there: gives the noise level of a step, read from the device once at most
FIRST_FRAME = "few_shot_motion_first_frame"  # key of what keeps a clip's first frame clean (sampling/clip_sampling.py)
FRAMES = "few_shot_motion_frames"  # transformer_options: frames of a clip, where the caller is no sampler of ComfyUI


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
    where: torch.Tensor | None = None  # `f h w` or `1 h w`: how much its layers may add there, 0 to 1
    clip_frames: int = 0  # of the clips it was learnt from, if it was to go on from a clean first frame
    heads_for_an_end: bool = False  # was it learnt with last frames given, too

    def acts(self, sampling, sigma: Callable[[], float]) -> bool:
        """At this noise level of the schedule `sampling`? It is not asked for where the adapter acts at every one.

        The schedule may be set behind the adapter, so it is asked at every call.
        """
        if self.start_percent <= 0 and self.end_percent >= 1:
            return True
        low, high = sampling.percent_to_sigma(self.end_percent), sampling.percent_to_sigma(self.start_percent)
        return low <= sigma() <= high


@dataclass(frozen=True)
class MotionStack:
    """All adapters of one MODEL, and the wrappers that bring them into each call."""

    adapters: tuple[Active, ...]
    places: Places
    checkpointing: bool = False
    compiled: Compiled = field(default_factory=Compiled, repr=False)

    @property
    def from_first_frame(self) -> bool:
        """Whether any of it was learnt to go on from a clean first frame."""
        return self.clip_frames > 0

    @property
    def heads_for_an_end(self) -> bool:
        """Whether any of it was learnt with last frames given, too."""
        return any(adapter.heads_for_an_end for adapter in self.adapters)

    @property
    def clip_frames(self) -> int:
        """Frames that all of it that goes on from a first frame was learnt with; 0 where nothing was."""
        return min((adapter.clip_frames for adapter in self.adapters if adapter.clip_frames), default=0)

    def begin_run(self, executor, noise, latent_image, sampler, sigmas, *args, **kwargs):
        """An OUTER_SAMPLE wrapper, around a run of any sampler: says where motion wants a first frame and gets none.

        Pictures need none, and an inversion, whose sigmas rise, may do without as the releases' do.
        """
        given = executor.class_obj.model_patcher.get_wrappers(WrappersMP.OUTER_SAMPLE, FIRST_FRAME)
        if self.from_first_frame and not given and len(latent_image) > 1 and float(sigmas[0]) > float(sigmas[-1]):
            say(
                "The motion in the model was learnt to go on from a clean first frame (method LAMP), and this sampler "
                "gives it none: use First-Frame-Conditioned KSampler, or First-Frame Conditioning in front of it.",
                warning=True,
            )
        return executor(noise, latent_image, sampler, sigmas, *args, **kwargs)

    def begin_sampling(self, executor, model, conds, x_in, timestep, model_options):
        """A CALC_COND_BATCH wrapper, around every call of every node's model wrapper: motion is in the options already
        where such a node runs the blocks itself, as DeepCache does, and never asks the model as a whole.

        x_in is a clip `f c h w`, or a window of one; a single noise level for all of it is told for every frame.
        """
        level = cache(lambda: float(timestep.max()))
        options = {**idle(model_options.get("transformer_options", {})), LEVEL: level}
        if active := self._acting(model, level):
            _check_masks(active, x_in)
            call, check = self._call(model, active, options, len(x_in)), partial(_check_length, active, len(x_in))
            options = acting(options, call, check)  # not checked yet: another pack may still cut windows
            if settings := model_options.get(TORCH_COMPILE_KWARGS):
                options[COMPILED] = partial(self.compiled.run, settings)
        model_options = {**model_options, "transformer_options": options}
        return executor(model, conds, x_in, timestep.expand(len(x_in)), model_options)

    def begin_call(
        self, executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **conds
    ):
        """An APPLY_MODEL wrapper: hand a `Call` down to this call's layers. x is any number of clips `(b f) c h w`:
        guidance, regions and tiles stack them.
        """
        options, model = idle(dict(transformer_options or {})), executor.class_obj
        level = options.pop(LEVEL, None) or (lambda: float(t.max()))
        if active := self._acting(model, level):
            frames = frames_in(x, options)
            _check_length(active, frames)
            call = self._call(model, active, options, frames)
            for adapter in active:
                if adapter.context is not None:
                    scale = model.model_sampling.calculate_input(t, torch.ones_like(t))
                    x = _with_mask(adapter, x, frames, scale)
            with uncompiled():
                return executor(x, t, c_concat, c_crossattn, control, acting(options, call), **conds)
        return executor(x, t, c_concat, c_crossattn, control, options, **conds)

    def _acting(self, model, level: Callable[[], float]) -> list[Active]:
        return [adapter for adapter in self.adapters if adapter.acts(model.model_sampling, level)]

    def _call(self, model, active: list[Active], options: dict, frames: int) -> Call:
        """What the layers need to know."""
        diffusion_model = getattr(model.diffusion_model, "_orig_mod", model.diffusion_model)  # what core compiled
        return Call(
            frames=frames,
            places=self.places if self.places.unet is diffusion_model else places_of(diffusion_model),
            adapters=[_in_call(adapter, frames, options) for adapter in active],
            joint_norm=min(1.0, max(adapter.strength * adapter.joint_norm for adapter in active)),
            key_frames=next(filter(None, (adapter.module.key_frames for adapter in active)), ()),
            key_strength=min(1.0, max(adapter.strength * bool(adapter.module.key_frames) for adapter in active)),
            checkpointing=self.checkpointing,
            gates=options.get(GATES),
        )


def _in_call(adapter: Active, frames: int, options: dict) -> Acting:
    mask = adapter.mask if adapter.context is None else None
    return Acting(adapter.module, adapter.strength, mask, in_call((adapter.where, options.get(MOVES)), frames, options))


def follow_last_layers(
    executor, x, timesteps=None, context=None, y=None, control=None, transformer_options=None, **kwargs
):
    """A DIFFUSION_MODEL wrapper: the UNet's last layers are in no block, their motion is added here."""
    options = transformer_options or {}
    if options.get(KEY) is None:
        return executor(x, timesteps, context, y, control, transformer_options, **kwargs)
    given = (executor, x, timesteps, context, y, control, options, kwargs)
    run = options.get(COMPILED)
    return run(_with_last_layers, *given) if run else _with_last_layers(*given)


def _with_last_layers(executor, x, timesteps, context, y, control, options, kwargs):
    call: Call = options[KEY]
    call.whole = True
    out = executor(x, timesteps, context, y, control, options, **kwargs)
    if call.last is None:
        raise ValueError(
            "Another node runs this model's layers without asking for the motion in it: take that node out of this "
            "model, or the motion."
        )
    return unet.conv_out(executor.class_obj.out, out, call)


def frames_in(x: torch.Tensor, options: dict) -> int:
    """Frames of a clip in a call of the model: what the run samples, or what a context window holds of it. ComfyUI
    tells a noise level for each.

    Raises ValueError where the batch x `(b f) c h w` is no number of such clips.
    """
    sigmas = options.get("sigmas")
    frames = options.get(FRAMES) or (0 if sigmas is None else sigmas.numel())
    if not frames:
        raise ValueError(
            "A node calls this model without saying how many frames a clip has: sample it with ComfyUI's own samplers."
        )
    if len(x) % frames:
        raise ValueError(
            f"A node hands {len(x)} latents at once to a model with motion, the clip has {frames} frames: whatever "
            "stacks or splits batches has to keep clips whole; set its batch size to a multiple, or take it out."
        )
    return frames


def _check_length(active: list[Active], frames: int) -> None:
    most = min(adapter.module.max_frames or frames for adapter in active)
    if frames > most:
        raise ValueError(
            f"A clip of {frames} frames is longer than the {most} that this motion module tells apart: make it "
            "shorter, or put Context Windows (Manual) behind the motion with dim 0, a length of 16 and "
            "causal_window_fix off."
        )
    for adapter in active:
        if adapter.mask is not None and len(adapter.mask) not in (1, frames):
            raise ValueError(
                f"The mask has {len(adapter.mask)} frames, the clip {frames}: give one mask per frame, or a single "
                "one for all."
            )


def _check_masks(active: list[Active], x: torch.Tensor) -> None:
    for adapter in active:
        for mask in (adapter.mask, adapter.where):
            if mask is None or mask.shape[1:] == (1, 1):
                continue
            height, width = mask.shape[1:]
            check_shape_of_masks((width, height), (x.shape[-1], x.shape[-2]), "The masks")


def _with_mask(adapter: Active, x: torch.Tensor, frames: int, input_scale: torch.Tensor) -> torch.Tensor:
    """x `(b f) c h w` with every clip's frame 0 mixed with its mask, as far as the adapter's strength goes."""
    clips = x.unflatten(0, (-1, frames))
    mask = resize_masks(adapter.mask[:1], *x.shape[-2:]).to(x.device).expand(len(clips), -1, -1)
    mixed = mix_first_frame(adapter.context, clips, mask, input_scale[::frames])
    return torch.lerp(clips, mixed, min(1.0, adapter.strength)).flatten(0, 1)


def set_stack(patched, adapters: tuple[Active, ...], checkpointing: bool = False) -> None:
    """Make these the adapters of a cloned model."""
    stack = MotionStack(adapters, places_of(patched.model.diffusion_model), checkpointing)
    patched.set_attachments(KEY, stack)
    wrappers = {
        WrappersMP.OUTER_SAMPLE: stack.begin_run,
        WrappersMP.CALC_COND_BATCH: stack.begin_sampling,
        WrappersMP.APPLY_MODEL: stack.begin_call,
        WrappersMP.DIFFUSION_MODEL: follow_last_layers,
    }
    for kind, wrapper in wrappers.items():
        patched.remove_wrappers_with_key(kind, KEY)
        patched.add_wrapper_with_key(kind, KEY, wrapper)
