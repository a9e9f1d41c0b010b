"""Where a picture of the world of figures has a part's colour rather than any other that is there."""

import camera
import numpy as np
from figures import Figure
from stage import STOOL
from strokes import SIDE
from world import CELL

_HIDDEN = -0.12  # what a pixel says about a limb that may be hidden there


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
            others_than = [j for j in range(len(palette)) if np.abs(palette[j] - palette[k]).max() > 1]
            other = np.minimum.reduce([far[..., j] for j in others_than])
            self.of[part] = (other - far[..., k]) / np.maximum(other + far[..., k], 1)
        own = far[..., : len(colours)].argmin(axis=-1)
        body = far.argmin(axis=-1) < len(colours)
        # a limb may hide behind what is painted over it: that speaks neither for nor against
        names = list(colours)
        over = {"arm_lit": (), "leg_lit": ("arm_lit", "shoe", "trunk"),
                "leg_shaded": ("leg_lit", "arm_lit", "shoe", "trunk"),
                "arm_shaded": ("trunk", "arm_lit", "leg_lit", "leg_shaded", "head", "hair")}  # fmt: skip
        for limb, parts in over.items():
            hidden = body & np.isin(own, [names.index(part) for part in parts])
            self.of[limb] = np.where(hidden, np.maximum(self.of[limb], _HIDDEN), self.of[limb])

    def forget(self, part: str, centre: tuple[float, float], radius: float) -> None:
        """What has a part's colour in this circle (cells) is something else."""
        at = (np.arange(SIDE) + 0.5) / CELL
        inside = np.hypot(at[None] - centre[0], at[:, None] - centre[1]) < radius
        self.of[part] = np.where(inside, np.minimum(self.of[part], 0.0), self.of[part])

    def fit(self, part: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The part's map at places in cells; outside of the picture 0."""
        column, row = (x * CELL).astype(int), (y * CELL).astype(int)
        inside = (column >= 0) & (column < SIDE) & (row >= 0) & (row < SIDE)
        return np.where(inside, self.of[part][row.clip(0, SIDE - 1), column.clip(0, SIDE - 1)], 0.0)
