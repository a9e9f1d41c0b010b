"""CLIP's numbers of a set of videos: with which CLIP, which prompts, means and frame by frame."""

import math

from torch import Tensor

from ...metrics import clip_scores
from . import clip_file as whole_clip
from . import clip_pair
from .report import Series

CONNECTED = "the connected CLIP and CLIP_VISION"


def check_prompts(prompts: list[str], count: int) -> list[str]:
    """One prompt per video, or none at all."""
    if len(prompts) not in (0, 1, count):
        raise ValueError(
            f"There are {count} videos and {len(prompts)} prompts: give one prompt per video, or a single one for all."
        )
    return prompts * count if len(prompts) == 1 else prompts


def pair_of(file: str, activation: str, clip, clip_vision, with_prompts: bool) -> clip_pair.ClipPair:
    """The CLIP a node was given: a file, or what is connected. Raises ValueError where a needed tower is missing."""
    if file != CONNECTED:
        return whole_clip.from_file(file, activation)
    if clip_vision is None:
        raise ValueError(
            "There is no CLIP to look with: choose a clip_file, or connect clip_vision, and clip for prompts."
        )
    if with_prompts and clip is None:
        raise ValueError("There are prompts but no CLIP to read them: connect clip, or choose a clip_file.")
    return clip_pair.connected(clip if with_prompts else None, clip_vision)


def measure(frames: list[Tensor], words: list[Tensor]) -> dict[str, float]:
    """Means over the videos, times 100; NaN for what these videos do not define."""
    mean = lambda values: math.fsum(values) / len(values) if values else math.nan  # noqa: E731
    numbers = {
        "alignment": mean([clip_scores.alignment(video, prompt) for video, prompt in zip(frames, words, strict=False)]),
        "clip_temp": mean([clip_scores.clip_temp(video) for video in frames]),
        "consistency": mean([clip_scores.consistency(video) for video in frames]),
        "diversity": clip_scores.diversity(frames),
    }
    return {name: 100 * value for name, value in numbers.items()}


def series_of(frames: list[Tensor], words: list[Tensor]) -> Series:
    """Each video's likeness to its next frame, f-1 values, and with prompts its alignment, f values; times 100."""
    series = {"likeness to the next frame x 100": [100 * clip_scores.temporal_per_pair(video) for video in frames]}
    if words:
        aligned = [
            100 * clip_scores.alignment_per_frame(video, prompt) for video, prompt in zip(frames, words, strict=True)
        ]
        series = {"alignment x 100": aligned, **series}
    return series
