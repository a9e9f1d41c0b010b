"""How a drawn clip of a person in front of a standing camera is held against the real one, without networks.

Clips are uint8 `f h w 3`, masks bool `f h w`. A person is found as what differs from the *plate*, the empty room.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

DIFFERENT = 30.0  # levels of 255, of the channel that differs most
SOFT = 4  # px around a person that are neither person nor background
LEAST = 0.002  # of the picture; what is smaller is no person


def plate(clips: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> np.ndarray:
    """The empty room `h w 3`: each pixel's median over the frames in which nobody is before it, over all frames where
    somebody always is."""
    frames, people = np.concatenate(clips).astype(np.float32), np.concatenate(masks)
    people = np.stack([ndimage.binary_dilation(mask, iterations=SOFT) for mask in people])
    empty = np.where(people[..., None], np.nan, frames)
    always = people.all(axis=0)
    empty[:, always] = frames[:, always]
    return np.nanmedian(empty, axis=0)


def person(frame: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Where somebody is in a frame, a mask `h w`, empty where nobody is: the largest part that differs from the empty
    room, a colour cast of the whole picture not counted."""
    change = frame.astype(np.float32) - room
    change -= np.median(change, axis=(0, 1))
    differs = np.abs(change).max(axis=-1) > DIFFERENT
    differs = ndimage.binary_closing(ndimage.binary_opening(differs, iterations=2), iterations=4)
    parts, count = ndimage.label(differs)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    if not count or sizes.max() < LEAST * parts.size:
        return np.zeros_like(differs)
    return ndimage.binary_fill_holes(parts == 1 + sizes.argmax())


def people(clip: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Where somebody is in each frame, masks `f h w`."""
    return np.stack([person(frame, room) for frame in clip])


def course(masks: np.ndarray) -> np.ndarray:
    """The middle of each mask `f 2`, x and y in px; NaN where it is empty."""
    return np.array(
        [ndimage.center_of_mass(mask)[::-1] if mask.any() else (np.nan, np.nan) for mask in masks], dtype=np.float64
    )


def course_error(found: np.ndarray, real: np.ndarray, width: int) -> float:
    """Mean distance in px of two courses `f 2`, frames 1 and on; where only one has somebody, half the width."""
    distance = np.linalg.norm(found - real, axis=1)[1:]
    both_empty = (np.isnan(found[1:, 0])) & np.isnan(real[1:, 0])
    return float(np.where(both_empty, 0.0, np.where(np.isnan(distance), width / 2, distance)).mean())


def displacement_ratio(found: np.ndarray, real: np.ndarray) -> float:
    """How far to the side a course `f 2` leads, from its first frame with somebody to its last, against the real one's
    way; 0 where there are not two."""

    def way(places: np.ndarray) -> float:
        seen = places[~np.isnan(places[:, 0])]
        return float(seen[-1, 0] - seen[0, 0]) if len(seen) > 1 else 0.0

    return way(found) / way(real)


def overlap(masks: np.ndarray, others: np.ndarray) -> float:
    """Intersection over union of masks, mean over the frames 1 and on; two empty ones are the same."""
    both, either = ((how(masks, others)).sum(axis=(1, 2)) for how in (np.logical_and, np.logical_or))
    return float(np.where(either > 0, both / np.maximum(either, 1), 1.0)[1:].mean())


def background_change(clip: np.ndarray, masks: np.ndarray) -> float:
    """How far the background drifts from frame 0, in levels of 255: mean over the pixels that nobody is before in the
    frame or in frame 0, frames 1 and on."""
    empty = ~np.stack([ndimage.binary_dilation(mask, iterations=SOFT) for mask in masks])
    change = np.abs(clip.astype(np.float32) - clip[0].astype(np.float32)).mean(axis=-1)
    return float(np.mean([change[i][empty[i] & empty[0]].mean() for i in range(1, len(clip))]))


def psnr(clip: np.ndarray, real: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB against the real clip, frames 1 and on, which all have been drawn."""
    error = np.square(clip[1:].astype(np.float64) - real[1:].astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
