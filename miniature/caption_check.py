"""Whether a picture shows the figure and the ground that a caption names, without networks: what an image model of the
second edition is held against.

The caption does not say where it is seen from, so every view is tried, and every skin, of which its own must fit best.
How tall the figure is: drawn again where it was read, it must lie on what is seen, and better than the other height.
"""

from dataclasses import replace

import numpy as np
from camera import CLOUD, GROUNDS, HAZE, LEAVES, SKY
from figures import EYE, HAIR, HEAD, HEIGHTS, SHADE, SKIN, Figure, draw_figure
from part_maps import PartMaps
from reading import Reading, read_picture
from strokes import Canvas
from world import CELL, COLOURS

VIEWS = (("front", 1), ("side", 1), ("side", -1))
ENOUGH = 0.55  # of the overlap


def find_figure(picture: np.ndarray, figure: Figure, ground: str) -> tuple[Reading, Figure, str, int] | None:
    """The best reading of a picture uint8 (128, 128, 3) over skins and views, with both; None if nobody is there."""
    tried = []
    for skin in SKIN:
        who = replace(figure, skin=skin)
        for view, facing in VIEWS:
            reading = read_picture(picture, who, view, facing, ground)
            if reading:
                tried.append((reading, who, view, facing))
    return max(tried, key=lambda each: fit(each[0]), default=None)


def fit(reading: Reading) -> float:
    """Mean of how well trunk and limbs fit."""
    return float(np.mean(list(reading.fits.values())))


def overlap(picture: np.ndarray, reading: Reading, figure: Figure, view: str, facing: int, ground: str) -> float:
    """Of what is trunk or leg in the picture or in the figure drawn where it was read, the share that is both."""
    maps, canvas = PartMaps(picture, figure, ground), Canvas(parts=True)
    draw_figure(canvas, figure, reading.joints, view, facing)
    parts = ("trunk", "leg_lit", "leg_shaded")
    seen = np.maximum.reduce([maps.of[part] for part in parts]) > 0
    drawn = sum((canvas.masks or {})[part] for part in parts) > 0.5
    return float((seen & drawn).sum() / max((seen | drawn).sum(), 1))


def shows(picture: np.ndarray, figure: Figure, ground: str) -> bool:
    """Whether a picture shows this figure, from any side, and this ground."""
    found = find_figure(picture, figure, ground)
    if found is None:
        return False
    reading, who, view, facing = found
    if who.skin != figure.skin or not reading.found or reading.colours_kept < 1:
        return False
    lies = overlap(picture, reading, who, view, facing, ground)
    other = replace(who, height=next(height for height in HEIGHTS if height != figure.height))
    rival = read_picture(picture, other, view, facing, ground)
    if lies < ENOUGH or (rival and overlap(picture, rival, other, view, facing, ground) > lies):
        return False
    return _ground(picture) == ground and _head(picture, reading, who, ground)


def _ground(picture: np.ndarray) -> str:
    """By the picture's lowest cell, half of which may be covered."""
    colour = np.median(picture[-CELL:].reshape(-1, 3).astype(np.float32), axis=0)
    return min(GROUNDS, key=lambda name: float(np.linalg.norm(np.array(GROUNDS[name][1]) - colour)))


def _head(picture: np.ndarray, reading: Reading, who: Figure, ground: str) -> bool:
    """Whether hat and hair around the head have the colours of the caption: a hat takes a sixth of it."""
    centre, neck = np.array(reading.joints["head"]), np.array(reading.joints["neck"])
    up = (centre - neck) / max(float(np.hypot(*(centre - neck))), 1e-6)
    radius = 1.3 * HEAD[who.height] * who.cells
    at = (np.arange(len(picture)) + 0.5) / CELL
    x, y = at[None] - centre[0], at[:, None] - centre[1]
    above = (np.hypot(x, y) < radius) & (x * up[0] + y * up[1] > -0.2 * radius)  # the shirt is below
    skin = np.array(SKIN[who.skin])
    others = [skin, skin * SHADE, SKY, HAZE, CLOUD, LEAVES, 0.45 * np.array(GROUNDS[ground][0]) + (53, 72, 77), EYE]
    palette = np.array([*COLOURS.values(), *HAIR.values(), *others], np.float32)
    labels = np.linalg.norm(picture[above].astype(np.float32)[:, None] - palette, axis=-1).argmin(axis=1)
    counts = np.bincount(labels, minlength=len(palette)) / len(labels)
    cloth, hair = counts[: len(COLOURS)], counts[len(COLOURS) : len(COLOURS) + len(HAIR)]
    hat = list(COLOURS)[int(cloth.argmax())] if cloth.max() > 1 / 6 else ""
    return hat == who.hat and list(HAIR)[int(hair.argmax())] == who.hair
