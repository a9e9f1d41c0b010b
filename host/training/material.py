"""What a training learns from, made ready once: clips as latents, their masks, and what is odd about them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...training.clips import ClipSet, check_count, check_length, check_sizes, odd_clips, shift_of
from ...training.mask_loss import MaskSettings
from ..inputs.models import encoded
from ..said import say
from .advice import of_training
from .conditions import check_captions
from .footage import Footage, seconds
from .identity import captions_fingerprint, digest
from .masks import prepare
from .settings import Settings


@dataclass
class Material:
    """Clips ready to learn from; `size`: (width, height) of their pictures, px; `lines`: what their user should know;
    `identity`: what tells them from others (identity.py).
    """

    clips: ClipSet
    size: tuple[int, int]
    lines: list[str]
    identity: dict = field(repr=False)


def gather(vae, clips: Sequence, positive: list, masks: list[Tensor], captions: Sequence[str],
           settings: Settings, learning: MaskSettings, show: Callable[[str, int, int], None]) -> Material:  # fmt: skip
    """Read, scale and encode all clips (VIDEOs or IMAGE batches), a few frames at a time; show(what, done, of).

    Raises ValueError, one sentence, where clips, captions or masks cannot be trained on.
    """
    check_count(len(clips), len(positive))
    check_captions(positive)
    size, footage, latents, flipped, digests = (settings.width, settings.height), [], [], [], []
    for number, clip in enumerate(clips, start=1):
        show("Reading and encoding clips", number - 1, len(clips))
        footage.append(Footage(clip, number, settings.frame_step, settings.fps, size))
        plain, mirrored, found = _encoded(footage[-1], vae, settings)
        check_length(number, len(footage[-1].indices), settings.frames)
        latents.append(plain)
        flipped += [mirrored] if mirrored is not None else []
        digests.append(found)
        check_sizes(clip.size if all(size) else clip.source for clip in footage)
    show("Reading and encoding clips", len(clips), len(clips))
    small, odd = prepare(masks, footage, learning)
    odd = [*of_training(settings.method, len(clips), captions, len(positive)), *odd]
    odd += odd_clips([torch.stack(clip.thumbnails) for clip in footage], settings.frames)
    for line in odd:
        say(line, warning=True)
    lines = [seconds(footage[0], settings.frames), *odd]
    identity = {
        "clips": digests,
        "captions": captions_fingerprint(positive),
        "masks": [digest([mask]) for mask in masks],
    }
    size = size if all(size) else footage[0].source
    shift = shift_of(settings.shift, size[0], latents[0].shape[-1])
    return Material(ClipSet(latents, settings.frames, flipped or None, small or None, shift), size, lines, identity)


def _encoded(footage: Footage, vae, settings: Settings) -> tuple[Tensor, Tensor | None, str]:
    """A clip's latents, those of its mirror image where they are wanted, and the digest of its pictures."""
    plain, mirrored, found = [], [], hashlib.sha256()
    for chunk in footage.chunks():
        found.update(chunk.contiguous().numpy().tobytes())
        plain.append(encoded(vae, chunk, f"clip {footage.number}"))
        mirrored += [encoded(vae, chunk.flip(2), f"clip {footage.number}")] if settings.flip else []
    empty = torch.zeros(0, 4, 1, 1)
    return torch.cat(plain or [empty]), torch.cat(mirrored) if mirrored else None, found.hexdigest()[:16]
