"""Where a picture of the world of figures has a part's colour rather than any other that is there."""

import camera
import numpy as np
from figures import Figure
from stage import STOOL
from strokes import SIDE
from world import CELL

CONTRAST = 2.0  # a pixel three times as near to a part's colour as to any other says yes as loudly as one right on it


class PartMaps:
    """How much nearer every pixel is to a part's colour than to the others': -1 to 1, (128, 128) per part."""

    def __init__(self, picture: np.ndarray, figure: Figure, ground: str):
        colours = figure.colours()
        others = [camera.SKY, camera.HAZE, camera.CLOUD, camera.LEAVES, camera.TRUNK, STOOL, np.multiply(STOOL, 0.8)]
        near, low = np.array(camera.GROUNDS[ground])
        others += [near, low, 0.88 * low, 0.45 * near + (53, 72, 77)]  # spots and hills
        others += [camera.SEA, camera.CREST] if ground == "sand" else []
        palette = np.array([*colours.values(), *others], np.float32)
        pixels = picture.astype(np.float32)
        squares = (pixels * pixels).sum(-1)[..., None] + (palette * palette).sum(-1) - 2 * pixels @ palette.T
        far = np.sqrt(np.maximum(squares, 0))
        self.of = {}
        for k, part in enumerate(colours):
            apart = np.abs(palette - palette[k]).max(axis=1) > 1  # head and lit arm are of one colour
            other = np.minimum.reduce([far[..., j] for j in np.flatnonzero(apart)])
            self.of[part] = (CONTRAST * (other - far[..., k]) / np.maximum(other + far[..., k], 1)).clip(-1, 1)

    def fit(self, part: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The part's map at places in cells; outside of the picture 0."""
        column, row = (x * CELL).astype(int), (y * CELL).astype(int)
        inside = (column >= 0) & (column < SIDE) & (row >= 0) & (row < SIDE)
        return np.where(inside, self.of[part][row.clip(0, SIDE - 1), column.clip(0, SIDE - 1)], 0.0)
