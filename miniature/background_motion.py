"""How the background of a clip moves, read off its pictures without networks, and against the camera's exact way.

Between two frames it is one shift and one zoom about the picture's middle, all that the world's cameras do. It is
looked for coarsely over whole pixels, then by least squares over the edges that are no figure's; three tenths of them,
those that follow worst, are left out: clouds and waves go ways of their own.
"""

import numpy as np
from camera import background_flow
from figures import draw_figure
from gaits import GAITS
from reading import Reading
from scipy import ndimage
from stage import Shot, body, part_masks
from strokes import SIDE, Canvas
from world import CELL

REACH = (16, 6)  # px to the sides and up or down: the fastest runner is followed at 13
EDGE = 6.0  # levels per px: what is flat does not show how it moves
_ROUNDS, _FOLLOW = 20, 0.7
_MIDDLE = (SIDE - 1) / 2
_GRID = np.stack(np.meshgrid(np.arange(1.0, 16, 2), np.arange(1.0, 16, 2)), -1).reshape(-1, 2)  # cells


def motion_between(before: np.ndarray, after: np.ndarray, ground: np.ndarray) -> tuple[float, float, float]:
    """Shift to the right and down in px and zoom about the middle that lay one picture (128, 128, 3) on the next;
    ground: bool (128, 128), the pixels of the first that are background."""
    one, two = (ndimage.gaussian_filter(p.astype(np.float32), (0.7, 0.7, 0)) for p in (before, after))
    right, down = _coarse(one, two, ground)
    edge = np.linalg.norm(np.stack([np.gradient(one, axis=axis) for axis in (0, 1)]), axis=(0, -1))
    rows, columns = np.nonzero(ground & (edge > EDGE))
    if len(rows) < 50:
        return float(right), float(down), 1.0
    x, y, values = columns - _MIDDLE, rows - _MIDDLE, one[rows, columns]
    slopes = [np.gradient(two, axis=axis) for axis in (1, 0)]
    way = np.array([right, down, 1.0])
    for done in range(_ROUNDS):
        at = [way[2] * y + way[1] + _MIDDLE, way[2] * x + way[0] + _MIDDLE]
        inside = (at[0] > 0) & (at[0] < SIDE - 1) & (at[1] > 0) & (at[1] < SIDE - 1)
        at = [a[inside] for a in at]
        if inside.sum() < 50:
            break
        drawn, gx, gy = (_sample(image, at) for image in (two, *slopes))
        rest = values[inside] - drawn
        size = np.abs(rest).sum(axis=1)
        good = size <= np.quantile(size, max(_FOLLOW, 1 - done / 8))
        jacobian = np.stack([gx, gy, gx * x[inside, None] + gy * y[inside, None]], -1)[good].reshape(-1, 3)
        normal = jacobian.T @ jacobian + np.diag([1.0, 1.0, 1e3])
        change = np.linalg.solve(normal, jacobian.T @ rest[good].ravel())
        way = way + change
        if done > 3 and np.abs(change * (1, 1, 64)).max() < 0.005:
            break
    return float(way[0]), float(way[1]), float(way[2])


def movers(shot: Shot) -> np.ndarray:
    """Where figures, clouds and waves exactly are, bool (f, 128, 128): all that goes its own way."""
    frames = [part_masks(shot, i) for i in range(shot.frames)]
    own = [sum(mask for part, mask in each.items() if part in ("cloud", "wave")) for each in frames]
    return np.array([body(each) + others > 0.02 for each, others in zip(frames, own, strict=True)])


def drawn_where_read(readings: list[Reading | None], shot: Shot, actor: int = 0) -> np.ndarray:
    """The pixels that an actor takes where it was read, bool (f, 128, 128); none where there is no figure."""
    who, masks = shot.actors[actor], np.zeros((len(readings), SIDE, SIDE), bool)
    for i, (reading, seen) in enumerate(zip(readings, shot.cameras(), strict=True)):
        if reading:
            canvas = Canvas(parts=True)
            canvas.whose = f"{actor}."
            draw_figure(canvas, who.figure, reading.joints, GAITS[who.motion].view, who.facing, seen.zoom)
            masks[i] = body(canvas.masks or {}) > 0.5
    return masks


def background_change(clip: np.ndarray, moving: np.ndarray) -> float:
    """How far what lies still before a still camera drifts from frame 0, in levels of 255: mean over its pixels, frames
    1 and on, of a clip uint8 (f, 128, 128, 3); moving: as in `measure_background`, in the frame or in frame 0."""
    ground = ~_grown(moving)
    change = np.abs(clip.astype(np.float32) - clip[0].astype(np.float32)).mean(axis=-1)
    return float(np.mean([change[i][ground[i] & ground[0]].mean() for i in range(1, len(clip))]))


def measure_background(clip: np.ndarray, shot: Shot, moving: np.ndarray) -> dict[str, float]:
    """How the background of a clip uint8 (f, 128, 128, 3) moves against its camera; moving: bool (f, 128, 128), what
    is no background, as `movers` says it of the exact clip.

    flow_error   mean length in px of the difference to the exact flow, over the picture and from frame to frame.
    flow_length  mean length in px of the exact flow, for comparison.
    flow_cosine  between both, over all places and frames in which the exact one is half a pixel or more; NaN without.
    """
    grown = _grown(moving)
    cameras, errors, lengths, pairs = shot.cameras(), [], [], []
    for i in range(len(clip) - 1):
        right, down, zoom = motion_between(clip[i], clip[i + 1], ~grown[i])
        exact = background_flow(cameras[i], cameras[i + 1], _GRID) * CELL
        offset = _GRID * CELL - SIDE / 2
        read = offset * (zoom - 1) + (right, down)
        errors.append(np.linalg.norm(read - exact, axis=1).mean())
        lengths.append(np.linalg.norm(exact, axis=1))
        pairs.append((read, exact))
    moves = np.concatenate(lengths) >= 0.5
    read, exact = (np.concatenate([pair[k] for pair in pairs])[moves] for k in (0, 1))
    both = np.maximum(np.linalg.norm(read, axis=1) * np.linalg.norm(exact, axis=1), 1e-9)
    cosine = float(((read * exact).sum(axis=1) / both).mean()) if moves.any() else float("nan")
    error, length = float(np.mean(errors)), float(np.concatenate(lengths).mean())
    return {"flow_error": error, "flow_length": length, "flow_cosine": cosine}


def _grown(moving: np.ndarray) -> np.ndarray:
    """With three pixels of soft edge around."""
    return np.stack([ndimage.binary_dilation(mask, iterations=3) for mask in moving])


def _coarse(one: np.ndarray, two: np.ndarray, ground: np.ndarray) -> tuple[int, int]:
    """The shift in whole px after which most of the background is where it was."""
    best, found = np.inf, (0, 0)
    for down in range(-REACH[1], REACH[1] + 1, 2):
        for right in range(-REACH[0], REACH[0] + 1):
            here = tuple(slice(max(-d, 0), SIDE - max(d, 0), 2) for d in (down, right))
            there = tuple(slice(max(d, 0), SIDE - max(-d, 0), 2) for d in (down, right))
            difference = np.abs(one[here] - two[there]).sum(axis=-1)[ground[here]]
            cost = np.minimum(difference, 60).mean() + 0.01 * (abs(right) + abs(down))
            if cost < best:
                best, found = cost, (right, down)
    return found


def _sample(image: np.ndarray, at: list[np.ndarray]) -> np.ndarray:
    """An image (h w c) between its pixels, at rows and columns `at`: (n c)."""
    return np.stack([ndimage.map_coordinates(image[..., c], at, order=1, mode="nearest") for c in range(3)], axis=-1)
