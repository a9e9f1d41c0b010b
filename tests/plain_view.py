"""The way of a clip into I3D written a second time, plainly, with numpy in float64; and real clips to try it on."""

from pathlib import Path

import numpy as np
import pytest


def rows_by_definition(n: int, side: int = 224) -> np.ndarray:
    """side x n, how much of each of n pixels is in each new one of TensorFlow 1's bilinear resize: a tent of width 1 at
    i * n / side, and what falls behind the last pixel is the last pixel's.
    """
    places = np.arange(side)[:, None] * (n / side)
    return np.maximum(0, 1 - np.abs(np.minimum(places, n - 1) - np.arange(n)[None]))


def by_definition(video: np.ndarray) -> np.ndarray:
    """... h w => ... 224 224."""
    return rows_by_definition(video.shape[-2]) @ video @ rows_by_definition(video.shape[-1]).T


def plain_input(clip: np.ndarray, uniform: bool, square: bool) -> np.ndarray:
    """A clip f h w 3 of 255 levels => 3 16 224 224 in [-1, 1]."""
    plain = clip[np.floor(np.linspace(0, len(clip) - 1, 16) + 0.5).astype(int)] if uniform else clip[:16]
    if square:
        height, width = plain.shape[1:3]
        rest = abs(height - width) // 2
        plain = plain[:, rest : rest + width] if height > width else plain[:, :, rest : rest + height]
    return by_definition(np.moveaxis(plain, -1, 0).astype(np.float64)) / 255 * 2 - 1


def real_clips(count: int, pattern: str) -> list[np.ndarray]:
    """The first real videos f h w 3 of 255 levels that a pattern finds, 16 frames or more; skips where none are."""
    av = pytest.importorskip("av")
    place = Path(__file__).parents[2] / "shared" / "real"
    if not place.is_dir():
        pytest.skip(f"no real clips at {place}")
    clips = []
    for file in sorted(place.glob(pattern))[:count]:
        with av.open(str(file)) as content:
            clips.append(np.stack([frame.to_ndarray(format="rgb24") for frame in content.decode(video=0)]))
    assert len(clips) == count and min(map(len, clips)) >= 16
    return clips
