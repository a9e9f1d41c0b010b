"""Clips of which some frames are known, as users give them: pictures or latents, a mask of known ones, and the way
through a VAE and back.
"""

import copy

import torch
from torch import Tensor

from ...samplers.slides import check_known
from ..inputs.models import encoded


class Clip:
    """A clip while it is made: the known frames, all latents on the CPU, and the frames there are pictures of."""

    def __init__(self, known: list[bool], latents: dict[int, Tensor], images: dict[int, Tensor]):
        self.given, self.images = latents, images
        blank = torch.zeros_like(next(iter(latents.values())))
        self.latents = torch.stack([latents.get(frame, blank) for frame in range(len(known))])

    def take(self, made) -> None:
        """Frames of a slide."""
        self.latents[list(made.indices)] = made.latents.to(self.latents)
        if made.pixels is not None:
            self.images |= zip(made.indices, made.pixels.clamp(0, 1), strict=True)

    def pictures(self, vae) -> Tensor:
        """All frames `f h w c`, decoded where they were not given as pictures or decoded before."""
        missing = [frame for frame in range(len(self.latents)) if frame not in self.images]
        if missing:
            self.images |= zip(missing, vae.decode(self.latents[missing]), strict=True)
        return torch.stack([self.images[frame].cpu() for frame in range(len(self.latents))])


def given_clips(
    vae, frames, end_frames, mask: Tensor | None, length: int, one_clip_each: bool
) -> tuple[list[bool], list[Clip]]:
    """Which frames of the clips are known, the same in all of them, and the clips.

    Raises ValueError where frames, mask, VAE and length do not go together.
    """
    starts = _frames(vae, frames, one_clip_each)
    ends = [([], [])] if end_frames is None else _frames(vae, end_frames, False)
    known = _known(len(starts[0][0]), len(ends[0][0]), mask, length)
    if len(ends) not in (1, len(starts)):
        raise ValueError(
            f"End frames are given for {len(ends)} clips, {len(starts)} begin: give them for one or for each."
        )
    clips = []
    for i, (latents, images) in enumerate(starts):
        end_latents, end_images = ends[i % len(ends)]
        _check_sizes(latents, end_latents)
        before = [frame for frame in range(len(latents)) if known[frame]]
        places = [*before, *range(length - len(end_latents), length)]
        frames = [*(latents[frame] for frame in before), *end_latents]
        pictures = [*(images[frame] for frame in before), *end_images]
        there = {frame: image for frame, image in zip(places, pictures, strict=True) if image is not None}
        clips.append(Clip(known, dict(zip(places, frames, strict=True)), there))
    return known, clips


def _frames(vae, frames, one_clip_each: bool) -> list[tuple[list[Tensor], list]]:
    """IMAGE `f h w c` or LATENT (`f c h w`, `b c f h w`) -> for each clip its latents and pictures, None where there
    are none.
    """
    if isinstance(frames, dict):
        samples = frames["samples"]
        clips = samples.movedim(2, 1) if samples.ndim == 5 else samples[None]
        images = [[None] * clips.shape[1]] * len(clips)
    else:
        need_vae(vae, "pictures were given")
        seen = vae.vae_encode_crop_pixels(frames)
        clips, images = encoded(vae, seen, "the given pictures")[None], [list(seen)]
    found = [(list(clip), pictures) for clip, pictures in zip(clips, images, strict=True)]
    if one_clip_each:
        found = [([latent], [picture]) for clip in found for latent, picture in zip(*clip, strict=True)]
    return found


def _known(starting: int, ending: int, mask: Tensor | None, length: int) -> list[bool]:
    """Which frames of a clip are known: the first and the last ones, or those that are white in the mask."""
    if mask is None:
        if starting + ending > length:
            raise ValueError(f"{starting + ending} frames are given for a clip of {length}: set length to more than "
                             "that, the given ones included.")  # fmt: skip
        return [frame < starting or frame >= length - ending for frame in range(length)]
    if ending:
        raise ValueError("A mask of known frames and end frames were both given: put all frames into one clip and mark "
                         "them in the mask, or leave it out.")  # fmt: skip
    if len(mask) != length or starting != length:
        raise ValueError(f"The mask has {len(mask)} frames and {starting} are given for a clip of {length}: with a "
                         "mask give a frame for each, known or not.")  # fmt: skip
    known = known_in(mask > 0.5)
    check_known(known)
    return known


def known_in(white: Tensor) -> list[bool]:
    """Frames that are marked, `f h w` bool. Raises ValueError for a frame that is marked in part."""
    known = []
    for i, frame in enumerate(white):
        if frame.any() and not frame.all():
            raise ValueError(
                f"Frame {i} of the mask is marked in part: whole frames are known or unknown, fill it with white or "
                "black."
            )
        known.append(bool(frame.all()))
    return known


def _check_sizes(starts: list[Tensor], ends: list[Tensor]) -> None:
    first, last = ("x".join(map(str, (frames or starts)[0].shape[:-3:-1])) for frames in (starts, ends))
    if first != last:
        raise ValueError(f"The given frames have different sizes, in latents {first} at the start and {last} at the "
                         "end: scale them to one size.")  # fmt: skip


def need_vae(vae, why: str) -> None:
    """Raises ValueError where a VAE is needed, and none is connected."""
    if vae is None:
        raise ValueError(f"A VAE is needed, {why}: connect the VAE of this model.")


class PixelQueue:
    """A VAE without its clamp: what is decoded and encoded again keeps values beyond black and white, as in TI2V-Zero's
    release.
    """

    def __init__(self, vae):
        self.vae = copy.copy(vae)  # shares everything but the line below
        low, high = (float(vae.process_output(torch.tensor([level]))) for level in (0.0, 0.125))
        self.vae.process_output = lambda image: image.mul_((high - low) / 0.125).add_(low)

    def decode(self, latents: Tensor) -> Tensor:
        """`f c h w` -> `f h w c`, black at 0, white at 1, and beyond."""
        return self.vae.decode(latents).clone()

    def encode(self, pixels: Tensor) -> Tensor:
        """`f h w c` -> `f c h w`, whatever the range."""
        return self.vae.encode(pixels).clone()
