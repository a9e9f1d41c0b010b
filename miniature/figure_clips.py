"""Writes clips of figures as ordinary video files with captions and masks, and chooses first frames that none of them
has shown: what clips.py is for the world's first edition.
"""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import stage
from clips import write_clip
from figures import HEIGHTS, Figure
from stage import Shot
from world import CELLS

_TRIES = 32


def write_figure_set(
    folder: Path, motion: str, count: int = 8, frames: int = 16, seed: int = 0, camera: str = "still",
    actors: int = 1, masks: Path | None = None, alike: bool = True,
) -> list[Shot]:  # fmt: skip
    """Write `count` clips of a motion, `sits_down_0.mp4` with its caption in `sits_down_0.txt` and so on; returns their
    shots. With two actors the first does the motion, the second anything. alike: as in `choose`.

    `masks`: a folder for exact masks of the first actor, videos of the same names, white on it.
    """
    rng = np.random.default_rng([seed, 0, *motion.encode()])
    shots = choose(motion, count, frames, rng, camera, actors, [], alike)
    for there in filter(None, (folder, masks)):
        there.mkdir(parents=True, exist_ok=True)
    for i, shot in enumerate(shots):
        file = folder / f"{motion.replace(' ', '_')}_{i}.mp4"
        part = file.with_suffix(".txt.part")
        part.write_text(shot.caption() + "\n", encoding="utf-8")
        os.replace(part, file.with_suffix(".txt"))  # before its clip, so that no clip is ever seen without its caption
        write_clip(file, stage.draw_clip(shot))
        if masks:
            write_clip(masks / file.name, mask_clip(shot)[..., None].repeat(3, axis=-1))
    return shots


def unseen_shots(
    motion: str, count: int, seed: int, exclude: list[Shot], camera: str = "still", actors: int = 1,
    alike: bool = True,
) -> list[Shot]:  # fmt: skip
    """Shots to animate from their first frames, of figures that are not in `exclude`. alike: as in `choose`."""
    seen = [actor.figure for shot in exclude for actor in shot.actors]
    rng = np.random.default_rng([seed, 1, *motion.encode()])
    return choose(motion, count, stage.FRAMES, rng, camera, actors, seen, alike)


def choose(
    motion: str, count: int, frames: int, rng: np.random.Generator, camera: str, actors: int, seen: list[Figure],
    alike: bool = True,
) -> list[Shot]:  # fmt: skip
    """Shots of different figures that are not among `seen`: tall and short by turns, and of 32 tries the one that has
    the fewest things together that one before has together: what a set does not show, what learns from it has to guess,
    and what always comes together (whoever is tall is pale) it takes for one thing. alike: one motion in all of them,
    as clips are cut for a training. The first actor begins its gait in frame 0, is turned to the right, stays on the
    spot unless the camera follows it, and a camera that pans ends no further left than it began: of a wave's way out
    and its way back, and of where a camera goes, a first frame says nothing. Otherwise as they come."""
    chosen: list[Shot] = []
    while len(chosen) < count:
        tried = [replace(stage.random_shot(rng, motion, camera, actors), frames=frames) for _ in range(_TRIES)]
        tried = [_cut(shot) for shot in tried if not _pans_left(shot)] if alike else tried
        figures = [*seen, *(shot.actors[0].figure for shot in chosen)]
        wanted = list(HEIGHTS)[len(chosen) % 2]
        new = [shot for shot in tried if (who := shot.actors[0].figure).height == wanted and who not in figures]
        if new:
            chosen.append(min(new, key=lambda shot: sum(_pairs_alike(shot, other) for other in chosen)))
    return chosen


def mask_clip(shot: Shot, actor: int = 0) -> np.ndarray:
    """An actor's exact pixels in every frame, uint8 (f, 128, 128), 255 on it."""
    frames = [stage.body(stage.part_masks(shot, i), actor) for i in range(shot.frames)]
    return (np.stack(frames) * 255).round().astype(np.uint8)


def _cut(shot: Shot) -> Shot:
    """With the first actor at its gait's beginning, turned to the right and on the spot, but before a camera that
    follows."""
    first, *others = shot.actors
    first = replace(first, facing=1, phase=0.0)
    if first.goes and shot.camera != "follows":
        x = float(np.clip(first.x, CELLS / 2 - 2.5, CELLS / 2 + 2.5))
        first = replace(first, goes=False, x=x)
    return replace(shot, actors=(first, *others))


def _pans_left(shot: Shot) -> bool:
    way = shot.cameras()
    return shot.camera == "pans" and way[-1].x < way[0].x


def _pairs_alike(one: Shot, two: Shot) -> int:
    """How many pairs of things come together in both: of words, and of the place if they are within a cell of each
    other."""
    a, b = one.actors[0].figure, two.actors[0].figure
    words = ((a.height, b.height), (a.hair, b.hair), (a.shirt, b.shirt), (a.trousers, b.trousers), (a.skin, b.skin),
             (bool(a.hat), bool(b.hat)), (one.ground, two.ground))  # fmt: skip
    return math.comb(sum(x == y for x, y in words) + (abs(one.actors[0].x - two.actors[0].x) < 1), 2)
