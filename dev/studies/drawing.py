"""The studies' pictures: panels with a grid, and what is measured in them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

BACK, GRID, WORDS = (255, 255, 255), (222, 222, 222), (60, 60, 60)
ORANGE, BLUE = (224, 110, 20), (40, 100, 190)
_FONT = 13  # px
Colour = tuple[int, int, int]
Point = tuple[float, float]


class Axis(NamedTuple):
    """What lies at a panel's one end and at its other."""

    first: float
    last: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """How far along it a value lies, 0 to 1; values beyond an end lie on it."""
        first, last, at = (math.log(x) if self.logarithmic else x for x in (self.first, self.last, value))
        return min(max((at - first) / (last - first), 0.0), 1.0)


class Panel:
    """A picture with two axes; `place` says where a value of each of them is, in px."""

    def __init__(self, size: tuple[int, int], margins: tuple[int, int, int, int], across: Axis, up: Axis):
        """margins: px at the left, top, right and bottom that the grid leaves free."""
        self.picture = Image.new("RGB", size, BACK)
        self.left, self.top, self.right, self.bottom = (
            margins[0], margins[1], size[0] - margins[2], size[1] - margins[3],
        )  # fmt: skip
        self.across, self.up = across, up
        self._draw, self._font = ImageDraw.Draw(self.picture), ImageFont.load_default(_FONT)

    def place(self, point: Point) -> Point:
        """Of a value across and one up."""
        x, y = self.across.share(point[0]), self.up.share(point[1])
        return self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top)

    def words(self, at: Point, text: str, colour: Colour = WORDS, anchor: str = "la") -> None:
        """At a place in px."""
        self._draw.text(at, text, fill=colour, font=self._font, anchor=anchor)

    def grid_across(self, values: Sequence[float]) -> None:
        """Lines from top to bottom, with their values below."""
        for value in values:
            x, _ = self.place((value, self.up.first))
            self._draw.line([(x, self.top), (x, self.bottom)], fill=GRID)
            self.words((x, self.bottom + 6), f"{value:g}", anchor="ma")

    def grid_up(self, values: Sequence[float], names: Sequence[str] = (), colour: Colour = GRID) -> None:
        """Lines from left to right, with their values or names before them."""
        for value, name in zip(values, names or [f"{value:g}" for value in values], strict=True):
            _, y = self.place((self.across.first, value))
            self._draw.line([(self.left, y), (self.right, y)], fill=colour)
            self.words((self.left - 8, y), name, anchor="rm")

    def line(self, points: Sequence[Point], colour: Colour) -> None:
        """From point to point."""
        if len(points) > 1:
            self._draw.line([self.place(point) for point in points], fill=colour, width=2)

    def dots(self, points: Sequence[Point], colour: Colour) -> None:
        """One on each point."""
        for x, y in map(self.place, points):
            self._draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=colour)

    def stroke(self, point: Point, colour: Colour) -> None:
        """A short upright line on a point."""
        x, y = self.place(point)
        self._draw.line([(x, y - 7), (x, y + 7)], fill=colour, width=2)


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures from left to right."""
    whole = Image.new("RGB", (sum(one.width for one in pictures), max(one.height for one in pictures)), BACK)
    left = 0
    for one in pictures:
        whole.paste(one, (left, 0))
        left += one.width
    return whole


def round_steps(lowest: float, highest: float, most: int = 4) -> list[float]:
    """Round values from one that is not above the lowest to one that is not below the highest, about `most` of them."""
    span = (highest - lowest) or abs(highest) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= span)
    first, last = math.floor(lowest / step + 1e-9), math.ceil(highest / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]
