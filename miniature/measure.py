"""Finds the subject in pictures of the miniature world, without networks, and compares its course with the exact one.

All work is done on art pixels (2x2 px each, 64x64 a picture); places and sizes come out in cells. A picture may be one
a small diffusion model drew: colours somewhat off, edges soft, the subject partly outside, rain in front of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import world
from scipy import ndimage
from world import ART, CELL, CELLS, Scene, State

_SIDE = CELLS * CELL // ART  # art pixels
_STEP = ART / CELL  # cells an art pixel is wide
_COLOURS, _GROUNDS = list(world.COLOURS), list(world.BACKGROUNDS)
_PALETTE = np.array(
    [np.multiply(colour, shade) for colour in world.COLOURS.values() for shade in (1, world.SHADE)]
    + [colour for pair in world.BACKGROUNDS.values() for colour in pair]
    + [world.DROP],
    dtype=np.float32,
)
_FIRST_GROUND, _RAIN = 2 * len(_COLOURS), len(_PALETTE) - 1
SMALLEST = 16  # art pixels: a quarter of the smallest subject, a triangle three cells wide
SMEAR = (
    0.3  # a region that overlaps its best shape less than this is no subject; neither is one larger than the picture
)
RIGHT_SHAPE, MOST_REST = (
    0.7,
    0.03,
)  # `shows` asks for this overlap, and for no more rest: a second subject is 0.04 and more


@dataclass(frozen=True)
class Found:
    """The subject as a picture shows it."""

    colour: str
    shape: str
    background: str
    x: float
    y: float
    size: float  # cells, as x and y
    area: int  # px
    mask: np.ndarray  # bool (128, 128), with the drops in front of it
    shape_iou: float  # overlap of the mask with the exact mask of `shape` at this place and size
    rest: float  # share of the picture that is neither this subject nor its background: a second one, a third colour


def find_subject(picture: np.ndarray, shapes: Sequence[str] = world.SHAPES) -> Found | None:
    """The largest thing in a subject's colour in a picture uint8 (128, 128, 3), as the best fitting of `shapes`; None
    if there is none.
    """
    art = picture.reshape(_SIDE, ART, _SIDE, ART, 3).mean(axis=(1, 3), dtype=np.float32)
    labels = _nearest(art, np.arange(len(_PALETTE)))
    counts = np.bincount(labels.ravel(), minlength=len(_PALETTE))
    ground = int(counts[_FIRST_GROUND:_RAIN].reshape(-1, 2).sum(axis=1).argmax())
    region = _largest_region(labels < _FIRST_GROUND)
    if region is None:
        return None
    colour = int(np.bincount(labels[region] // 2, minlength=len(_COLOURS)).argmax())
    # Once more with what is now known to be in the picture: a soft edge is no longer taken for a third colour.
    own, others = [2 * colour, 2 * colour + 1], [_FIRST_GROUND + 2 * ground, _FIRST_GROUND + 2 * ground + 1, _RAIN]
    strange = ~np.isin(labels, others)
    labels = _nearest(art, np.array(own + others))
    region = _largest_region(labels < _FIRST_GROUND)
    if region is None:
        return None
    drops = labels == _RAIN
    iou, shape, (x, y, size) = max((_fit(region, drops, shape) for shape in shapes), key=lambda fit: fit[0])
    if iou < SMEAR or size > CELLS:
        return None
    mask = region | (drops & world.art_masks(shape, x, y, size, slice(None), slice(None))[0])
    rest = float((strange & ~ndimage.binary_dilation(mask, iterations=2)).mean())  # soft edges are the subject's
    mask = mask.repeat(ART, axis=0).repeat(ART, axis=1)
    return Found(_COLOURS[colour], shape, _GROUNDS[ground], x, y, size, int(mask.sum()), mask, iou, rest)


def shows(picture: np.ndarray, scene: Scene) -> bool:
    """Whether a picture shows a scene and nothing else: its colour, its shape (clearly) and its background."""
    found = find_subject(picture)
    if found is None or Scene(found.colour, found.shape, found.background) != scene:
        return False
    return found.shape_iou >= RIGHT_SHAPE and found.rest <= MOST_REST


# ---------------------------------------------------------------------------------------------------------- clips


def measure_clip(clip: np.ndarray, scene: Scene, states: list[State]) -> dict[str, float]:
    """How a clip uint8 (f, 128, 128, 3) of a scene follows its exact course; 1 is perfect everywhere but in path_error.

    found, colour_kept   share of frames that show a subject at all; one of the scene's colour.
    shape_iou            mean overlap with the exact shape of the exact size, shifted onto the found subject; 0 where
    there is none.
    path_error           mean distance in cells from the exact centre; 8 where there is no subject.
    displacement_ratio, direction_cosine
        *Straight courses*, whose ends lie at least half the course's length apart: length and direction of last minus
        first found place against last minus first exact place. *Curved courses* (bounces, orbits): the same over every
        quarter of 16 frames, or of a shorter clip (from frame i to i + f // 4), lengths summed, cosines averaged over
        the quarters in which the exact subject moves half a cell or more. A move of less than an art pixel has no
        direction: cosine 0. *Standing subjects*, whose course is shorter than a cell: 1 + the net displacement in
        cells, and cosine 1 if that is less than a cell, else 0.
    scale_ratio          growth against the exact growth; for subjects that keep their size, last size against first.
    """
    frames = [find_subject(frame, (scene.shape,)) for frame in clip]
    exact = np.array([(state.x, state.y) for state in states])
    places = np.array([(found.x, found.y) if found else (np.nan, np.nan) for found in frames])
    errors = np.linalg.norm(places - exact, axis=1)
    ratio, cosine = compare_courses(places, exact)
    return {
        "found": float(np.mean([found is not None for found in frames])),
        "displacement_ratio": ratio,
        "direction_cosine": cosine,
        "path_error": float(np.where(np.isnan(errors), CELLS / 2, errors).mean()),
        "colour_kept": float(np.mean([found is not None and found.colour == scene.colour for found in frames])),
        "shape_iou": float(
            np.mean(
                [shape_iou(found, state.size) if found else 0.0 for found, state in zip(frames, states, strict=True)]
            )
        ),
        "scale_ratio": _compare_sizes(frames, states),
    }


def background_change(clip: np.ndarray, shape: str) -> float:
    """How far the background drifts from frame 0, in levels of 255: mean over its pixels, frames 1 and on, of a clip
    uint8 (f, 128, 128, 3).

    Background is what is no subject of `shape` in the frame nor in frame 0, two art pixels of soft edge left out on
    both sides.
    """
    subjects = [
        np.zeros(frame.shape[:2], bool) if (found := find_subject(frame, (shape,))) is None else found.mask
        for frame in clip
    ]
    ground = [~ndimage.binary_dilation(mask, iterations=2 * ART) for mask in subjects]
    change = np.abs(clip.astype(np.float32) - clip[0].astype(np.float32)).mean(axis=-1)
    return float(np.mean([change[i][ground[i] & ground[0]].mean() for i in range(1, len(clip))]))


def compare_courses(places: np.ndarray, exact: np.ndarray) -> tuple[float, float]:
    """displacement_ratio and direction_cosine of found places (f 2, NaN where there is none) against exact ones."""
    seen = np.flatnonzero(~np.isnan(places[:, 0]))
    net = places[seen[-1]] - places[seen[0]] if len(seen) else np.zeros(2)
    exact_net, length = exact[-1] - exact[0], np.linalg.norm(np.diff(exact, axis=0), axis=1).sum()
    if length < 1:
        moved = float(np.linalg.norm(net))
        return 1 + moved, float(moved < 1)
    if np.linalg.norm(exact_net) >= length / 2:
        moves, exact_moves = net[None], exact_net[None]
    else:
        quarter = max(min(len(exact), 16) // 4, 1)
        moves, exact_moves = np.nan_to_num(places[quarter:] - places[:-quarter]), exact[quarter:] - exact[:-quarter]
    lengths, exact_lengths = np.linalg.norm(moves, axis=1), np.linalg.norm(exact_moves, axis=1)
    cosines = (moves * exact_moves).sum(axis=1) / np.maximum(lengths * exact_lengths, 1e-9) * (lengths >= _STEP)
    return float(lengths.sum() / exact_lengths.sum()), float(
        cosines[exact_lengths >= min(0.5, exact_lengths.max())].mean()
    )


def _compare_sizes(frames: list[Found | None], states: list[State]) -> float:
    sizes = [found.size for found in frames if found] or [0.0]
    growth = states[-1].size - states[0].size
    if abs(growth) >= 0.5:
        return float((sizes[-1] - sizes[0]) / growth)
    return float(sizes[-1] / sizes[0]) if sizes[0] else 0.0


def shape_iou(found: Found, size: float) -> float:
    """Overlap of a subject with the exact mask of its shape at this size in cells, shifted onto it."""
    shifts = np.array([found.x, found.y, size]) + _FINE * (0.5, 0.5, 0.0)
    mask = found.mask[::ART, ::ART]
    return float(_overlaps(mask, np.zeros_like(mask), found.shape, *shifts.T).max())


# ------------------------------------------------------------------------------------------------- regions and fits


def _nearest(art: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """The palette entry, of these, nearest to each art pixel: argmax of 2 a.p - p.p."""
    palette = _PALETTE[entries]
    return entries[(2 * art @ palette.T - (palette * palette).sum(axis=1)).argmax(axis=-1)]


def _largest_region(mask: np.ndarray) -> np.ndarray | None:
    """The largest piece of a mask without its speckle; pieces at most two art pixels apart, as a drop of rain leaves
    them, are one.
    """
    around = np.rint(ndimage.uniform_filter(mask.astype(np.float32), 3, mode="nearest") * 9).astype(np.int8) - mask
    clean = np.where(mask, around >= 2, around >= 7)
    pieces, count = ndimage.label(ndimage.binary_dilation(clean, np.ones((3, 3))), np.ones((3, 3)))
    if not count:
        return None
    areas = np.bincount(pieces[clean], minlength=count + 1)
    largest = int(areas.argmax())
    return clean & (pieces == largest) if areas[largest] >= SMALLEST else None


def _overlaps(
    region: np.ndarray, drops: np.ndarray, shape: str, x: np.ndarray, y: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """IoU of a region with exact masks of many places and sizes; drops count for neither."""
    reach = (np.max(size) / 2 + 0.5) / _STEP
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    window = tuple(
        slice(max(int(min(seen[0], at.min() / _STEP - reach)), 0), int(max(seen[-1], at.max() / _STEP + reach)) + 1)
        for seen, at in ((rows, y), (columns, x))
    )
    known, seen = ~drops[window], region[window]
    exact = world.art_masks(shape, x, y, size, *window) & known
    both = (exact & seen).sum(axis=(1, 2))
    return both / (exact.sum(axis=(1, 2)) + (seen & known).sum() - both)


_CUBE = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
_FINE = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 2, np.linspace(-1, 1, 5), indexing="ij"), axis=-1).reshape(
    -1, 3
)


def _fit(region: np.ndarray, drops: np.ndarray, shape: str) -> tuple[float, str, tuple[float, float, float]]:
    """Overlap, shape, and (x, y, size) of the exact mask that fits a region best, coarse to fine."""
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    left, right, top, bottom = columns[0] * _STEP, (columns[-1] + 1) * _STEP, rows[0] * _STEP, (rows[-1] + 1) * _STEP
    size = max(right - left, bottom - top) / (0.9 if shape == "box" else 1)
    # Where the picture cuts the subject off, its middle lies further out than that of what is seen.
    x = right - size / 2 if left <= 0 else left + size / 2 if right >= CELLS else (left + right) / 2
    y = bottom - size / 2 if top <= 0 else top + size / 2 if bottom >= CELLS else (top + bottom) / 2
    best, overlap = np.array([x, y, size]), 0.0
    for offsets in (_CUBE / 2, _CUBE / 2, _CUBE / 4, _CUBE / 4, _CUBE / 8, _FINE / 8):
        tried = best + offsets
        tried[:, 2] = tried[:, 2].clip(1.0, 2 * CELLS)
        overlaps = _overlaps(region, drops, shape, *tried.T)
        overlap = float(overlaps.max())
        best = tried[overlaps >= overlap - 1e-9].mean(axis=0)  # the middle of those that are equally good
    return overlap, shape, (float(best[0]), float(best[1]), float(best[2]))
