"""Pictures, masks and latents: what a clip is made of."""

import torch
from torch import Tensor

from .values import check_filled, check_numbers, is_plain, refuse

LEAST_SIDE = 16  # px: two positions of a latent, for one alone has no spread that layers could norm by
_BEYOND = 0.5  # beyond black and white; what resizing and sharpening overshoot is less, 0 to 255 and -1 to 1 are more
_ROUNDING = 0.01  # beyond 0 and 1 in a mask


def pictures(value, what: str) -> Tensor:
    """An IMAGE `f h w c`, RGB or with transparency, about 0 to 1. Raises ValueError for anything else."""
    if not is_plain(value):
        refuse(value, what, "IMAGE")
    if value.ndim != 4 or value.shape[-1] not in (3, 4):
        raise ValueError(
            f"{what} has the shape {tuple(value.shape)}, pictures are (frames, height, width, 3), or 4 with "
            "transparency: make RGB of them."
        )
    check_filled(value, what)
    if not value.is_floating_point():
        raise ValueError(f"{what} holds pictures in {_dtype(value)}, floats from 0 to 1 are wanted: divide by 255.")
    if min(value.shape[1:3]) < LEAST_SIDE:
        raise ValueError(
            f"{what} holds pictures of {value.shape[2]}x{value.shape[1]} px, {LEAST_SIDE}x{LEAST_SIDE} are the least: "
            "use larger ones."
        )
    low, high = check_numbers(value, what)
    if low < -_BEYOND or high > 1 + _BEYOND:
        raise ValueError(
            f"{what} holds pictures from {low:.4g} to {high:.4g}, they go from 0 (black) to 1 (white): bring them "
            "there, from 0 to 255 by dividing by 255."
        )
    return value


def masks(value, what: str) -> Tensor:
    """A MASK as `f h w`, 0 to 1: one mask may be `h w`. Raises ValueError for anything else."""
    if not is_plain(value):
        refuse(value, what, "MASK")
    mask = value[None] if value.ndim == 2 else value
    if mask.ndim != 3:
        raise ValueError(
            f"{what} has the shape {tuple(value.shape)}, masks are (frames, height, width): take one channel of it."
        )
    check_filled(mask, what)
    if mask.dtype == torch.bool:
        return mask.float()
    low, high = (0.0, 256.0) if not mask.is_floating_point() else check_numbers(mask, what)
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ValueError(
            f"{what} holds values outside 0 to 1: 1 is the subject, or what is marked, and 0 all else; check the nodes "
            "that made it."
        )
    return mask.clamp(0, 1) if low < 0 or high > 1 else mask


def check_shape_of_masks(size: tuple[int, int], of: tuple[int, int], what: str) -> None:
    """Raises ValueError where masks (width, height) cannot be of pictures of the size `of`, in px or in cells of a
    latent: off by more than the rounding of a side.
    """
    (width, height), (wide, high) = size, of
    if abs(width * high - height * wide) > max(width, height, wide, high):
        raise ValueError(
            f"{what} are {width}x{height}, which is not the shape of a clip of {wide}x{high}: give masks of the clip's "
            "own shape, of any size."
        )


def latents(value, what: str) -> dict:
    """A LATENT: `f c h w` or of a video model `b c f h w`. Raises ValueError, one sentence, for anything else."""
    samples = value.get("samples") if isinstance(value, dict) else None
    is_nested = getattr(samples, "is_nested", False)  # core's own kind: pictures and sound in one
    if not is_plain(samples) and not is_nested:
        refuse(value, what, "LATENT")
    if is_nested or samples.ndim not in (4, 5) or not samples.is_floating_point():
        raise ValueError(
            f"{what} has the shape {tuple(samples.shape)}{' and sound beside it' if is_nested else ''}, in "
            f"{_dtype(samples)}: latents of pictures are wanted, floats of 4 dimensions, or a video model's of 5."
        )
    if min(samples.shape[-2:]) < 2:
        check_filled(samples, what)
        raise ValueError(
            f"{what} has latents of {samples.shape[-1]}x{samples.shape[-2]} positions, 2x2 are the least: encode "
            "larger pictures."
        )
    check_numbers(samples, what)
    return value


def check_channels(samples: Tensor, channels: int, what: str, whose: str = "model") -> None:
    """Raises ValueError for latents that are not those of a model, or of what was trained on one."""
    if samples.shape[1] != channels:
        raise ValueError(
            f"{what} has latents of the shape {tuple(samples.shape)}, this {whose}'s have {channels} channels: encode "
            "the pictures with the VAE of this model."
        )


def check_dimensions(samples: Tensor, dimensions: int, what: str) -> None:
    """Raises ValueError for a clip in the layout of another kind of model: frames are the batch of an image model's
    latents, and an axis of their own in a video model's.
    """
    if samples.ndim != dimensions:
        raise ValueError(
            f"{what} has latents of {samples.ndim} dimensions, this model's have {dimensions}: encode the pictures "
            "with the VAE of this model, one latent per frame."
        )


def _dtype(value) -> str:
    return str(value.dtype).removeprefix("torch.")
