"""Masks of where and when motion may act, as one call of the UNet meets them."""

import math
from collections.abc import Iterable

import torch

PIECE = "few_shot_motion_piece"  # transformer_options: which frames these are of a longer clip (samplers/pieces.py)
MOVES = "few_shot_motion_moves"  # transformer_options: how much motion may add, `f h w` or `1 h w`, in this sampling


def in_call(masks: Iterable[torch.Tensor | None], frames: int, options: dict) -> tuple[torch.Tensor, ...]:
    """The masks there are, of the frames in this call: all of a clip's, or those of the context window core cuts.

    Raises ValueError for one of another length.
    """
    window, piece, of_this_run = options.get("context_window"), options.get(PIECE), options.get(MOVES)
    found = []
    for mask in masks:
        if mask is None:
            continue
        if piece is not None and mask is not of_this_run and len(mask) > 1:
            _check_length(mask, piece.length)
            mask = mask[piece.frames]
        if window is not None and len(mask) not in (1, frames):
            anchor = getattr(window, "causal_anchor_index", None)
            mask = mask[[*(() if anchor is None or anchor < 0 else (anchor,)), *window.index_list]]
        _check_length(mask, frames)
        found.append(mask)
    return tuple(found)


def _check_length(mask: torch.Tensor, frames: int) -> None:
    if len(mask) not in (1, frames):
        raise ValueError(
            f"The motion mask, or over_time, has {len(mask)} frames, the clip {frames}: give one mask or number per "
            "frame, or a single mask for all."
        )


def over_frames(strength: float, numbers: str, mask: torch.Tensor | None) -> tuple[float, torch.Tensor | None]:
    """A strength and a mask, `f h w` or none, that say the same as both do with a share of the strength for each
    frame.

    Raises ValueError for words that are no shares, and a mask of another number of frames.
    """
    if not numbers.strip():
        return strength, mask
    try:
        shares = torch.tensor([float(number) for number in numbers.replace(",", " ").split()])
    except ValueError:
        shares = torch.tensor([math.nan])
    if not ((shares >= 0) & (shares <= 2)).all():
        raise ValueError(
            f"over_time is {numbers[:40]!r}, it holds one number from 0 to 2 for each frame: write 1, 1, 0.5, 0 for "
            "four, or leave it empty."
        )
    most = float(shares.max()) or 1.0
    where = (shares / most)[:, None, None]
    if mask is not None:
        (mask,) = in_call((mask,), len(shares), {})
        where = where * mask
    return strength * most, where
