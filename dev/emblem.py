"""The pack's icon and banner for the registry, drawn with the miniature's world: a ball, and where it is going."""

import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image

from . import base, interpreter

sys.path.append(str(base.MINIATURE))
import world  # noqa: E402

FOLDER = interpreter.ROOT / "docs"
SCENE = world.Scene("red", "ball", "grass")
SIZE = 4.6  # cells
LARGER = 3  # the registry takes icons up to 800x400 px and banners of 21:9


def main() -> None:
    """Write docs/icon.png and docs/banner.png."""
    _save(path_of([world.State(3.2 + 3.2 * i, 11.6 - 0.85 * i * (5.2 - i), SIZE) for i in range(4)]), "icon")
    jumps = [world.State(5.0 + 3.4 * i, 11.5 - 6.5 * abs(np.sin(0.62 * i)), SIZE) for i in range(10)]
    parts = [path_of([world.State(s.x - world.CELLS * k, s.y, SIZE) for s in jumps]) for k in range(3)]
    _save(np.concatenate(parts, axis=1)[:, : parts[0].shape[0] * 21 // 9], "banner")


def path_of(course: Sequence[world.State]) -> np.ndarray:
    """The scene with its subject at the first place, and ever paler at those that follow, uint8 (128, 128, 3)."""
    picture = world.draw(SCENE, world.State(-99.0, -99.0)).astype(np.float32)
    for i, state in reversed(list(enumerate(course))):
        weight = world.subject_mask(SCENE.shape, state)[..., None] * (1 - i / (len(course) + 1))
        picture += weight * (world.draw(SCENE, state) - picture)
    return picture.round().astype(np.uint8)


def _save(picture: np.ndarray, name: str) -> None:
    larger = picture.repeat(LARGER, axis=0).repeat(LARGER, axis=1)
    Image.fromarray(larger).save(FOLDER / f"{name}.png", optimize=True)
