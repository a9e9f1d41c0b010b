"""Soft-edged strokes on a picture of the figures' world: how far a pixel is from a shape is known in closed form, so an
edge covers exactly the share of a pixel that a straight one would, at any place, size and zoom.

Lengths and places are in cells of 8 px, as in world.py; x to the right, y down.
"""

import numpy as np
from world import CELL, CELLS

SIDE = CELLS * CELL  # px
_CENTRES = ((np.arange(SIDE) + 0.5) / CELL).astype(np.float32)
Point = tuple[float, float]


class Canvas:
    """One picture being painted, back to front; with `parts` also which part every pixel belongs to."""

    def __init__(self, parts: bool = False):
        self.picture = np.zeros((SIDE, SIDE, 3), np.float32)
        self.masks: dict[str, np.ndarray] | None = {} if parts else None
        self.whose = ""  # goes before the names of parts

    def fill(self, top: float, bottom: float, upper: np.ndarray, lower: np.ndarray) -> None:
        """All from `top` to `bottom` (cells), from one colour (3, levels) to another: ground, which is no part."""
        above, below = (np.clip(0.5 + (_CENTRES - edge) * CELL, 0, 1) for edge in (top, bottom))
        depth = ((_CENTRES - top) / max(bottom - top, 1e-6)).clip(0, 1)[:, None, None]
        covered = (above * (1 - below))[:, None]
        self.picture += covered[..., None] * (upper + depth * (lower - upper) - self.picture)
        for mask in (self.masks or {}).values():
            mask *= 1 - covered

    def stroke(self, part: str, colour: np.ndarray, a: Point, b: Point, radius: float, end: float = 0.0) -> None:
        """A line with round ends from a to b, `radius` cells at a and `end` (the same if 0) at b; colour in levels."""
        end = end or radius
        widest = max(radius, end) + 1 / CELL
        window = _window(min(a[0], b[0]) - widest, max(a[0], b[0]) + widest,
                         min(a[1], b[1]) - widest, max(a[1], b[1]) + widest)  # fmt: skip
        x, y = _CENTRES[None, window[1]] - a[0], _CENTRES[window[0], None] - a[1]
        along, down = b[0] - a[0], b[1] - a[1]
        at = np.clip((x * along + y * down) / max(along * along + down * down, 1e-9), 0, 1)
        distance = np.hypot(x - at * along, y - at * down) - (radius + at * (end - radius))
        self._paint(part, colour, distance, window)

    def oval(self, part: str, colour: np.ndarray, centre: Point, across: float, down: float, share=1.0) -> None:
        """An ellipse with these half-widths in cells; `share`: how much of it hides what is behind."""
        edge = 1 / CELL
        window = _window(centre[0] - across - edge, centre[0] + across + edge,
                         centre[1] - down - edge, centre[1] + down + edge)  # fmt: skip
        x, y = (_CENTRES[None, window[1]] - centre[0]) / across, (_CENTRES[window[0], None] - centre[1]) / down
        far = np.hypot(x, y)
        slope = np.hypot(x / across, y / down) / np.maximum(far, 1e-6)  # how fast `far` grows per cell
        self._paint(part, colour, (far - 1) / np.maximum(slope, 1e-6), window, share)

    def levels(self) -> np.ndarray:
        """The picture, uint8 (128, 128, 3)."""
        return self.picture.round().clip(0, 255).astype(np.uint8)

    def _paint(self, part: str, colour: np.ndarray, distance: np.ndarray, window: tuple, share=1.0) -> None:
        covered = (0.5 - distance * CELL).clip(0, 1) * share
        if not covered.size:
            return
        self.picture[window] += covered[..., None] * (colour - self.picture[window])
        if self.masks is None:
            return
        for mask in self.masks.values():
            mask[window] *= 1 - covered
        self.masks.setdefault(self.whose + part, np.zeros((SIDE, SIDE), np.float32))[window] += covered


def _window(left: float, right: float, top: float, bottom: float) -> tuple[slice, slice]:
    """Rows and columns of the pixels between these, in cells."""
    (c0, c1), (r0, r1) = (
        (min(max(int(low * CELL), 0), SIDE), min(max(int(high * CELL) + 1, 0), SIDE))
        for low, high in ((left, right), (top, bottom))
    )
    return slice(r0, max(r0, r1)), slice(c0, max(c0, c1))
