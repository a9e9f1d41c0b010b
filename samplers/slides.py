"""Which frames a model sees in each slide of repeat-and-slide, and which of them are taken: plain integers, no tensors.

A slide is a window over the clip. Where it reaches over the clip's first known frame, that frame is repeated, as
TI2V-Zero repeats its image.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Slide(NamedTuple):
    """One run of the sampler."""

    frames: tuple[int, ...]  # the frame of the clip in each slot of the window; repeated frames occur several times
    known: tuple[bool, ...]  # slots whose frame is given or was made in a slide before
    new: tuple[
        int, ...
    ]  # the frames taken from this slide; other unknown slots are looked ahead into, and made again later

    @property
    def slots(self) -> list[int]:
        """Where the new frames lie in the window."""
        return [self.frames.index(frame) for frame in self.new]


def plan_slides(known: Sequence[bool], window: int, context: int, new_frames: int = 1) -> list[Slide]:
    """Slides that turn every unknown frame of a clip into a known one.

    A prefix of known frames is prediction (one of them: image to video), anything else infilling. Each slide shows the
    model up to `context` known frames before the first unknown one; a known frame after it is shown as well where the
    window reaches that far. No window looks beyond the clip's end: where it holds more than the context and one new
    frame, the last ones lie further back, so only with those a longer clip's slides begin like a shorter one's. Raises
    ValueError for what cannot be done.
    """
    if window <= context:
        raise ValueError(
            f"A window of {window} frames has no room for new ones beside {context} of context: choose a larger window "
            "or less context."
        )
    if not 1 <= new_frames <= window - context or context < 1:
        raise ValueError(f"{new_frames} new frames per slide and {context} of context do not fit a window of {window}: "
                         "both must be at least 1, "
                         "and together at most the window.")  # fmt: skip
    check_known(known)
    if False not in known:
        raise ValueError(f"All {len(known)} frames are known already: ask for a longer clip.")
    first, frames = list(known).index(True), len(known)
    after = [_moved(slide, first) for slide in _forward(known[first:], window, context, new_frames)]
    before = _forward(
        [True] * (frames - first) + [False] * first, window, context, new_frames
    )  # the same, from the right
    return after + [_mirrored(slide, frames) for slide in before]


def check_known(known: Sequence[bool]) -> None:
    """Raises ValueError for a clip of which nothing is known."""
    if True not in known:
        raise ValueError("No frame of the clip is known: give at least one, or mark at least one in the mask.")


def _forward(known: Sequence[bool], window: int, context: int, new_frames: int) -> list[Slide]:
    """Slides for a clip that begins with a known frame."""
    known, frames, slides = list(known), len(known), []
    while False in known:
        unknown = known.index(False)
        start = unknown - context
        later = next((frame for frame in range(unknown, frames) if known[frame]), None)
        if later is not None and later - unknown <= window - 2:  # both sides of the gap fit
            start = max(start, later - window + 1, 0)  # and real frames are better than repeated ones
        start = min(start, frames - window)
        shown = [max(0, frame) for frame in range(start, start + window)]
        there = [known[frame] for frame in shown]
        new = sorted(
            (frame for frame in shown if not known[frame]), key=lambda frame: (_distance(frame, shown, there), frame)
        )
        new = tuple(sorted(new[:new_frames]))
        slides.append(Slide(tuple(shown), tuple(there), new))
        for frame in new:
            known[frame] = True
    return slides


def _distance(frame: int, shown: list[int], there: list[bool]) -> int:
    return min(abs(frame - other) for other, is_there in zip(shown, there, strict=True) if is_there)


def _moved(slide: Slide, by: int) -> Slide:
    return Slide(tuple(frame + by for frame in slide.frames), slide.known, tuple(frame + by for frame in slide.new))


def _mirrored(slide: Slide, frames: int) -> Slide:
    """The slide of the reversed clip, told in the clip's own order."""
    last = frames - 1
    return Slide(
        tuple(last - frame for frame in slide.frames[::-1]),
        slide.known[::-1],
        tuple(last - frame for frame in slide.new[::-1]),
    )


def nearest_known(known: Sequence[bool]) -> list[int]:
    """For each slot the nearest known one, itself where it is known; of two equally near the earlier."""
    there = [slot for slot, is_known in enumerate(known) if is_known]
    return [min(there, key=lambda other, slot=slot: (abs(other - slot), other)) for slot in range(len(known))]
