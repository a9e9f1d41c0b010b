"""What the first-frame sampler begins from: a first frame or several, a clip to refine, and where things may move."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ..inputs.frames import check_dimensions, check_shape_of_masks
from ..patching.motion_masks import in_call
from .frame_noise import following


@dataclass(frozen=True)
class Beginning:
    """One clip to sample: its latents `f c h w`, frame 0 the given one, and the last where it `ends` in a given one;
    `moves` `f 1 h w` is 1 where things move, 0 where the latents stay as they are, None where all may move.
    """

    latents: Tensor
    moves: Tensor | None = None
    ends: bool = False

    def latent(self) -> dict:
        """The LATENT that says the same to any sampler."""
        return {"samples": self.latents} | ({} if self.moves is None else {"noise_mask": self.moves})

    def kept(self, clip: Tensor) -> Tensor:
        """A sampled clip, with what was not to move bit for bit as it was."""
        return clip if self.moves is None else torch.where(self.moves == 0, self.latents.to(clip), clip)


def beginnings(first_frame: dict, length: int, refined: dict | None, mask: Tensor | None,
               last_frame: dict | None = None) -> list[Beginning]:  # fmt: skip
    """One clip for every latent of `first_frame`, of `length` frames; or as long as the clips `refined`, which are one
    for each. Each ends in its latent of `last_frame`, or all in the only one.

    mask `f h w`: white moves as learnt, black stays the first frame. Raises ValueError where they do not go together.
    """
    found = _beginnings(first_frame, length, refined, mask)
    return found if last_frame is None else _ending(found, last_frame["samples"])


def _beginnings(first_frame: dict, length: int, refined: dict | None, mask: Tensor | None) -> list[Beginning]:
    firsts = first_frame["samples"]
    check_dimensions(firsts, 4, "What comes in at first_frame")
    if refined is None:
        return [_beginning(first[None], first.new_zeros(length, *first.shape), mask) for first in firsts]
    clips = refined["samples"]
    check_dimensions(clips, 4, "What comes in at clip")
    if clips.shape[-2:] != firsts.shape[-2:]:
        sizes = ["x".join(map(str, of.shape[:-3:-1])) for of in (clips, firsts)]
        raise ValueError(
            f"The clip to refine has latents of {sizes[0]}, the first frame of {sizes[1]}: scale both to one size."
        )
    if len(clips) % len(firsts):
        raise ValueError(
            f"The clip to refine has {len(clips)} frames for {len(firsts)} first frames: give each a clip, all of one "
            "length."
        )
    return [_beginning(first[None], clip, mask) for first, clip in zip(firsts, clips.chunk(len(firsts)), strict=True)]


def _ending(clips: list[Beginning], lasts: Tensor) -> list[Beginning]:
    """The clips with their last frames. Raises ValueError for clips without room for one, other sizes and numbers."""
    check_dimensions(lasts, 4, "What comes in at last_frame")
    size, frames = clips[0].latents.shape[-2:], len(clips[0].latents)
    if lasts.shape[-2:] != size:
        found = ["x".join(map(str, of[::-1])) for of in (lasts.shape[-2:], size)]
        raise ValueError(f"The last frame has latents of {found[0]}, the first of {found[1]}: scale both to one size.")
    if len(lasts) not in (1, len(clips)):
        raise ValueError(
            f"There are {len(lasts)} last frames for {len(clips)} first ones: give one for all, or one for each."
        )
    if frames < 3:
        raise ValueError(
            f"A clip of {frames} frames leaves none to make between the first and the last: take a length of 3 or more."
        )
    ended = zip(clips, lasts.expand(len(clips), *lasts.shape[1:]), strict=True)
    return [replace(clip, latents=torch.cat([clip.latents[:-1], last[None].to(clip.latents)]), ends=True)
            for clip, last in ended]  # fmt: skip


def looping(first_frame: dict, length: int, refined: dict | None, last: dict | None) -> tuple[int, dict | None]:
    """Length, and clips to refine, of clips that come back to their first frame in one frame more.

    Raises ValueError for a loop of a single frame, or one that is to end in another.
    """
    if last is not None:
        raise ValueError("A loop ends in its first frame, and last_frame is another: disconnect it, or turn loop off.")
    firsts, clips = first_frame["samples"], None if refined is None else refined["samples"]
    frames = length if clips is None else len(clips) // max(1, len(firsts))
    if frames < 2:
        raise ValueError("A loop of one frame has nothing that could move: take a length of 2 or more.")
    if clips is None:
        return length + 1, None
    closed = [torch.cat([clip, clip[:1]]) for clip in clips.chunk(len(firsts))]
    return length + 1, {**refined, "samples": torch.cat(closed)}


def only_beginning(first_frame: dict, length: int, mask: Tensor | None) -> Beginning:
    """The clip of a single first frame. Raises ValueError as `beginnings`, and where there are several."""
    found = beginnings(first_frame, length, None, mask)
    if len(found) != 1:
        raise ValueError(
            f"One first frame is wanted, the latent holds {len(found)}: choose one of them with Get Latent From Batch."
        )
    return found[0]


def _beginning(first: Tensor, clip: Tensor, mask: Tensor | None) -> Beginning:
    """A clip `f c h w` behind its first frame `1 c h w`, which it keeps where the mask is not white."""
    if mask is None:
        return Beginning(torch.cat([first, clip[1:]]))
    moves = _cells(mask, clip)
    return Beginning(torch.cat([first, torch.where(moves < 1, first, clip)[1:]]), moves)


def _cells(mask: Tensor, clip: Tensor) -> Tensor:
    """A mask `f h w` of pictures as one of cells, `f 1 h w`, for every frame of the clip `f c h w`: black and white
    where all of a cell is.
    """
    (mask,) = in_call((mask,), len(clip), {})
    check_shape_of_masks((mask.shape[2], mask.shape[1]), (clip.shape[3], clip.shape[2]), "The motion masks")
    cells = F.interpolate(mask[:, None].float(), size=clip.shape[-2:], mode="area").to(clip)
    if not cells.any():
        raise ValueError("The motion mask is black, so nothing would move: paint white what is to, or leave it out.")
    return cells.expand(len(clip), -1, -1, -1)


def seeded(noise, number: int):
    """A NOISE for the clip with this number of several: its own seed's for the first, the next seeds' for the
    others.
    """
    if number == 0:
        return noise
    other = copy.copy(noise)
    other.seed = following(getattr(noise, "seed", 0), number)
    return other
