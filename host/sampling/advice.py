"""What a sampler says on itself: values that do nothing as they are connected, and motion that is missing."""

import inspect
from collections.abc import Iterator

import comfy.samplers
import torch

from ...motion_modules.call import KEY


def draws_noise(sampler_name: str) -> bool:
    """Whether one of ComfyUI's samplers draws noise in its steps, which its seed decides."""
    sampler = comfy.samplers.sampler_object(sampler_name)
    return "noise_sampler" in inspect.signature(sampler.sampler_function).parameters


def of_first_frame_sampler(model) -> Iterator[str]:
    """Warnings about the MODEL that is to go on from a first frame."""
    stack = model.get_attachment(KEY)
    if stack is None:
        yield ("There is no motion of this pack in the model: unless another pack's is, every frame is a picture of "
               "its own; connect Load Motion Adapter.")  # fmt: skip
    elif not stack.from_first_frame:
        yield ("The motion in the model was learnt without a first frame (AnimateDiff, Recurrent, Tune-A-Video, or "
               "first_frame learnt), not to go on from one: use Repeat-and-Slide TI2V Sampler, or motion of the method "
               "LAMP with its first frame given.")  # fmt: skip


def of_last_frame(model, last_frame: dict | None, loop: bool) -> Iterator[str]:
    """A warning where a clip is to end in a given frame, and its motion never learnt to."""
    stack = model.get_attachment(KEY)
    if (loop or last_frame is not None) and stack is not None and not stack.heads_for_an_end:
        yield ("No motion in the model has learnt last frames: unless it leads there anyway, the clip jumps into its "
               "last one; train one with both_ends on.")  # fmt: skip


def of_length(model, length: int) -> Iterator[str]:
    """A warning where a clip is to be sampled at once that is longer than its motion was learnt with."""
    stack = model.get_attachment(KEY)
    if stack is not None and 0 < stack.clip_frames < length:
        yield (f"A clip of {length} frames is longer than the {stack.clip_frames} this motion was learnt with: "
               "First-Frame-Conditioned KSampler makes it in pieces, other samplers all at once, unless Context "
               "Windows (Manual) cuts it.")  # fmt: skip


def of_adapter(strength: float, where: torch.Tensor | None) -> Iterator[str]:
    """A sentence where a mask or a strength over time is one that nothing listens to."""
    if where is not None and not where.any():
        yield ("motion_mask and over_time leave this adapter nothing to move in any frame: paint white what is to "
               "move, or take the adapter out.")  # fmt: skip
    elif where is not None and strength == 0:
        yield "motion_mask and over_time are not used: the strength is 0."


def of_seed(noise, sampler_name: str, seed: int) -> Iterator[str]:
    """A sentence where a seed does nothing: with a NOISE connected, and a sampler that draws none of its own."""
    if noise is not None and not draws_noise(sampler_name):
        yield f"Seed {seed} is not used: the noise is the connected one, and {sampler_name} draws none of its own."


def of_refining(clip: dict | None, first_frame: dict, length: int, denoise: float) -> Iterator[str]:
    """A sentence where the clip to refine overrules a length.

    Raises ValueError for a denoise with nothing to refine.
    """
    if clip is None and denoise < 1:
        raise ValueError(
            f"denoise is {denoise:g} and there is no clip to refine: connect one at clip, or set denoise to 1."
        )
    frames = 0 if clip is None else len(clip["samples"]) // len(first_frame["samples"])
    if frames and frames != length:
        yield f"Length {length} is not used: the clip to refine has {frames} frames."


def of_frame_noise(strategy: str, move_x: float, move_y: float) -> Iterator[str]:
    """A sentence where a way is given, in px, for noise that does not move."""
    if strategy != "warped" and (move_x or move_y):
        yield f"move_x and move_y are not used: the strategy is {strategy}, they move what is warped."
