"""Which frames of which clip a training step sees, and what is odd about clips as people have them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

STILL, ALIKE = 0.012, 0.03  # greatest difference of thumbnails, black 0 and white 1; noise and coding stay below
CUT = 0.12  # mean difference
_SUDDEN = 6  # times a clip's usual difference between frames: less may be fast motion


@dataclass(frozen=True)
class ClipSet:
    """Clips as latents `f c h w`, each at least `frames` long, all of one size; `flipped`, their mirror images, for
    augmentation.

    `masks`: per clip `f h w`, 1 on the subject, at the latents' size. `shift`: how many of the latents' positions a
    window is moved by at most, to either side, for augmentation.
    """

    latents: list[Tensor]
    frames: int
    flipped: list[Tensor] | None = None
    masks: list[Tensor] | None = None
    shift: int = 0

    def draw(self, step: int, batch: int, generator: torch.Generator) -> tuple[Tensor, list[int], Tensor | None]:
        """Windows `b f c h w` for a step, which clips they are from, and their masks `b f h w`: in turn, from a random
        frame on, half of them mirrored, all of them moved."""
        windows, chosen, masks = [], [], []
        for i in range(batch):
            clip = (step * batch + i) % len(self.latents)
            source = self.latents
            if self.flipped is not None and torch.rand((), generator=generator) < 0.5:
                source = self.flipped
            latents = source[clip]
            start = int(torch.randint(0, len(latents) - self.frames + 1, (), generator=generator))
            columns = self._columns(latents.shape[-1], generator)
            windows.append(latents[start : start + self.frames][..., columns])
            chosen.append(clip)
            if self.masks is not None:
                window = self.masks[clip][start : start + self.frames]
                masks.append((window.flip(-1) if source is self.flipped else window)[..., columns])
        return torch.stack(windows), chosen, torch.stack(masks) if masks else None

    def _columns(self, width: int, generator: torch.Generator) -> Tensor | slice:
        """Which columns a window shows, from left to right: the outermost again where nothing lies behind it."""
        if not self.shift:  # and no random number is taken, as in runs from before there was a shift
            return slice(None)
        by = int(torch.randint(-self.shift, self.shift + 1, (), generator=generator))
        return (torch.arange(width) - by).clamp(0, width - 1)


def at_rate(times: Iterable[float], rate: float, fps: float) -> Iterator[int]:
    """Which frames, shown at these times (s), make a clip of `fps` frames a second: the nearest to every moment.

    `rate`: the clip's own frames a second; one that is not faster than `fps` keeps all of its frames, as fps 0 does.
    """
    if not fps or rate <= 1.01 * fps:
        yield from (i for i, _ in enumerate(times))
        return
    taken = 0
    for i, time in enumerate(times):
        while time >= taken / fps - 0.5 / rate - 1e-6:
            yield i
            taken += 1


def check_count(clips: int, captions: int) -> None:
    """Raise ValueError, one sentence, where so many clips and captions cannot be trained on."""
    if captions not in (1, clips):
        raise ValueError(
            f"There are {clips} clips and {captions} captions: give one caption per clip, or a single one for all."
        )


def check_length(number: int, length: int, frames: int) -> None:
    """Raise ValueError where a clip is too short for its training."""
    if length < frames:
        raise ValueError(f"Clip {number} has {length} frames, {frames} are needed: use longer clips or fewer frames.")


def check_sizes(sizes: Iterable[tuple[int, int]]) -> None:
    """Raise ValueError where clips (width, height) are not of one size."""
    if len(different := set(sizes)) > 1:
        found = ", ".join(f"{width}x{height}" for width, height in sorted(different, key=lambda size: size[::-1]))
        raise ValueError(
            f"The clips have different sizes ({found}): set width and height, and each is scaled and cropped to that "
            "size."
        )


def odd_clips(thumbnails: Sequence[Tensor], frames: int) -> list[str]:
    """What is odd about clips, a sentence each: they can be learnt from, but hardly mean it.

    thumbnails: per clip `f h w`, a few positions of grey, 0 to 1; frames: of a training window.
    """
    found = []
    for number, clip in enumerate(thumbnails, start=1):
        changes = (clip[1:] - clip[:-1]).abs().mean(dim=(1, 2))
        usual = float(changes.median()) if len(changes) else 0.0
        cuts = [i + 2 for i, change in enumerate(changes.tolist()) if change > max(CUT, _SUDDEN * usual)]
        if len(clip) > 1 and float((clip[1:] - clip[:1]).abs().max()) < STILL:
            found.append(f"Clip {number} stands still: there is no motion in it to learn.")
        elif cuts:
            found.append(
                f"Clip {number} has a cut at frame {', '.join(map(str, cuts))}: windows of {frames} frames that span "
                "it teach the cut."
            )
        for other, earlier in enumerate(thumbnails[: number - 1], start=1):
            if earlier.shape == clip.shape and float((earlier - clip).abs().max()) < ALIKE:
                found.append(f"Clip {number} is the same as clip {other}.")
    return found


def shift_of(pixels: int, clip_width: int, latent_width: int) -> int:
    """A shift in px, of clips so wide, in their latents' positions: none where none is wanted, else at least one.

    Raises ValueError, one sentence, where it is more than half of the width.
    """
    if pixels > clip_width / 2:
        raise ValueError(
            f"shift is {pixels} px and the clips are {clip_width} px wide: choose half of that at most, "
            f"{clip_width // 2}."
        )
    return max(1, round(pixels * latent_width / clip_width)) if pixels else 0


def check_masks(masks: list[Tensor], lengths: Sequence[int]) -> list[str]:
    """What is odd about masks `f h w` of clips of so many frames, a sentence each: they can be learnt from, but hardly
    mean it.

    Raises ValueError, one sentence, where they cannot.
    """
    if len(masks) != len(lengths):
        raise ValueError(
            f"There are {len(lengths)} clips and {len(masks)} masks: give one batch of masks per clip, in the clips' "
            "order."
        )
    odd = []
    for i, (mask, length) in enumerate(zip(masks, lengths, strict=True), start=1):
        if len(mask) != length:
            raise ValueError(
                f"Clip {i} has {length} frames, its masks are {len(mask)}: give one mask per frame of the clip."
            )
        if mask.max() < 0.5 or mask.min() >= 0.5:
            what = "empty, there is no subject in them" if mask.max() < 0.5 else "full, there is no background in them"
            odd.append(f"The masks of clip {i} are {what}.")
    return odd
