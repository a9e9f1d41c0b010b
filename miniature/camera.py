"""What is behind the figures, and the camera that looks at it: grounds with things on them, clouds and waves that move
by themselves, a camera that pans, follows, shakes or zooms. How the background moves between two frames is exact.

The world is as wide as one likes: its things come again every `AGAIN` cells.
"""

from dataclasses import dataclass

import numpy as np
from strokes import Canvas, Point
from world import CELLS

GROUNDS = {  # colour of the ground at the horizon, and at the bottom of the picture
    "grass": ((104, 176, 78), (70, 138, 56)), "sand": ((230, 212, 160), (206, 182, 124)),
    "snow": ((240, 244, 252), (206, 218, 238)), "stone": ((112, 114, 128), (76, 78, 92)),
    "earth": ((160, 116, 84), (122, 84, 60)),
}  # fmt: skip
SKY, HAZE, SEA, CREST, CLOUD = (150, 198, 240), (206, 228, 246), (44, 116, 170), (150, 206, 232), (250, 250, 254)
TRUNK, LEAVES = (92, 66, 48), (52, 104, 66)
HORIZON, STAND, SHORE = 10.3, 14.0, 11.7  # cells from the top: sky meets ground, soles, where the sea ends
AGAIN = 28.0
CAMERAS = {"still": "", "pans": "while the camera pans", "follows": "while the camera follows",
           "shakes": "while the camera shakes", "zooms": "while the camera zooms in"}  # fmt: skip
_MIDDLE = np.array([CELLS / 2, CELLS / 2])


@dataclass(frozen=True)
class Camera:
    """Where in the world the picture's middle is, in cells, and how much larger than itself everything is seen."""

    x: float = CELLS / 2
    y: float = CELLS / 2
    zoom: float = 1.0

    def sees(self, point: Point) -> Point:
        """Where a place of the world is in the picture."""
        return ((point[0] - self.x) * self.zoom + CELLS / 2, (point[1] - self.y) * self.zoom + CELLS / 2)


def course(name: str, frames: int, seed: int, speed: float = 0.0) -> list[Camera]:
    """The camera's way, by its name in CAMERAS. speed: cells a frame, of whom it follows."""
    rng = np.random.default_rng([seed, 1])
    way, phases = (-1, 1)[rng.integers(2)], rng.uniform(0, 2 * np.pi, 4)
    start, i = Camera(), np.arange(frames)
    if name == "pans":
        return [Camera(start.x + way * 0.35 * (k - frames / 2), start.y) for k in i]
    if name == "follows":
        return [Camera(start.x + speed * k, start.y) for k in i]
    if name == "shakes":
        x = 0.28 * np.sin(0.9 * i + phases[0]) + 0.16 * np.sin(2.1 * i + phases[1])
        y = 0.22 * np.sin(1.1 * i + phases[2]) + 0.14 * np.sin(2.5 * i + phases[3])
        return [Camera(start.x + float(a), start.y + float(b)) for a, b in zip(x, y, strict=True)]
    if name == "zooms":
        return [Camera(start.x, start.y + 0.03 * k, 0.84 * 1.022**k) for k in i]
    if name == "still":
        return [start] * frames
    raise ValueError(f"unknown camera {name!r}; the world has {', '.join(CAMERAS)}")


def background_flow(before: Camera, after: Camera, points: np.ndarray) -> np.ndarray:
    """How far what is seen at `points` (n 2, cells, x and y) of the picture moves by the next frame, in cells (n 2);
    of all that stands still in the world."""
    there = (np.asarray(points) - _MIDDLE) / before.zoom + (before.x, before.y)
    return (there - (after.x, after.y)) * after.zoom + _MIDDLE - points


# ---------------------------------------------------------------------------------------------------------- drawing


@dataclass(frozen=True)
class _Thing:
    kind: str
    x: float
    y: float
    size: float
    tint: float


def things(seed: int) -> list[_Thing]:
    """What stands and lies about in a world: back to front, each at its place in cells."""
    rng = np.random.default_rng([seed, 0])
    far = [("hill", x + rng.uniform(-1, 1), HORIZON, rng.uniform(1.6, 3.0)) for x in np.arange(0, AGAIN, 4.7)]
    trees = [("tree", x + rng.uniform(-2, 2), HORIZON + 0.3, rng.uniform(0.8, 1.5)) for x in np.arange(0, AGAIN, 5.6)]
    rows = np.linspace(HORIZON + 1.6, CELLS + 1, 10)
    spots = [("spot", rng.uniform(0, AGAIN), y, rng.uniform(0.5, 1.1)) for y in rows]
    return [_Thing(*thing, tint=float(rng.uniform(0.9, 1.1))) for thing in (*far, *trees, *spots)]


def draw_background(canvas: Canvas, ground: str, camera: Camera, seed: int, i: int) -> None:
    """Sky, clouds, hills, trees and ground as a camera sees them in frame i; a sea with waves behind sand."""
    near, low = (np.array(colour, np.float32) for colour in GROUNDS[ground])
    sky, haze = np.array(SKY, np.float32), np.array(HAZE, np.float32)
    horizon = camera.sees((0, HORIZON))[1]
    canvas.fill(0.0, horizon, sky, haze)
    _clouds(canvas, camera, seed, i)
    land = things(seed)
    for thing in land:
        if thing.kind == "hill":
            colour = (0.45 * near + 0.55 * np.array((96, 130, 140), np.float32)) * thing.tint
            for at in _seen(camera, thing.x, thing.y, 2 * thing.size):
                canvas.oval("hill", colour, at, 1.7 * thing.size * camera.zoom, 0.8 * thing.size * camera.zoom)
    canvas.fill(horizon, CELLS + 1.0, near, low)
    if ground == "sand":
        _sea(canvas, camera, seed, i)
    for thing in land:
        for at in _seen(camera, thing.x, thing.y, thing.size):
            size = thing.size * camera.zoom
            if thing.kind == "tree" and ground != "sand":
                canvas.stroke("tree", np.array(TRUNK, np.float32), at, (at[0], at[1] - size), 0.13 * size)
                green = np.array(LEAVES, np.float32) * thing.tint
                canvas.oval("tree", green, (at[0], at[1] - 1.7 * size), 0.62 * size, size)
            elif thing.kind == "spot" and (ground != "sand" or thing.y > SHORE + 0.6):
                canvas.oval("spot", low * 0.88 * thing.tint, at, size, 0.22 * size)


def _seen(camera: Camera, x: float, y: float, reach: float) -> list[Point]:
    """Places in the picture where a thing of the world, and its copies, may be seen; reach in cells."""
    first = camera.x + (x - camera.x + AGAIN / 2) % AGAIN - AGAIN / 2
    places = [camera.sees((first + copy * AGAIN, y)) for copy in (-1, 0, 1)]
    return [place for place in places if -reach * 2 < place[0] < CELLS + reach * 2]


def _clouds(canvas: Canvas, camera: Camera, seed: int, i: int) -> None:
    rng = np.random.default_rng([seed, 2])
    colour = np.array(CLOUD, np.float32)
    wind = (-1, 1)[rng.integers(2)] * rng.uniform(0.08, 0.16)  # cells a frame
    for x in np.arange(0, AGAIN, 7.0):
        x, y, size = x + rng.uniform(-2, 2) + wind * i, rng.uniform(1.2, 6.0), rng.uniform(0.8, 1.3)
        for at in _seen(camera, float(x), float(y), 2.2 * size):
            zoomed = size * camera.zoom
            for right, above, wide in ((0.0, 0.0, 1.9), (-0.5, 0.35, 0.9), (0.6, 0.28, 0.8)):
                place = (at[0] + right * zoomed, at[1] - above * zoomed)
                canvas.oval("cloud", colour, place, wide * zoomed, 0.42 * wide**0.5 * zoomed, 0.8)


def _sea(canvas: Canvas, camera: Camera, seed: int, i: int) -> None:
    rng = np.random.default_rng([seed, 3])
    horizon, shore = (camera.sees((0, y))[1] for y in (HORIZON, SHORE))
    sea = np.array(SEA, np.float32)
    canvas.fill(horizon, shore, sea * 0.92, sea * 1.12)
    crest = np.array(CREST, np.float32)
    for row, y in enumerate(np.linspace(HORIZON + 0.4, SHORE - 0.1, 3)):
        phase = rng.uniform(0, 2 * np.pi)
        for x in np.arange(0, AGAIN, 4.0):
            drift, swell = 0.10 * (row + 1) * i, 0.1 * np.sin(0.8 * i + phase)
            for at in _seen(camera, float(x + row * 1.7 + drift), float(y + swell), 1.0):
                half, thick = (0.6 + 0.25 * row) * camera.zoom, (0.09 + 0.03 * row) * camera.zoom
                canvas.stroke("wave", crest, (at[0] - half, at[1]), (at[0] + half, at[1]), thick)
