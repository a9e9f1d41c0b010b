"""Writes clips of the miniature world as ordinary video files with captions, and chooses first frames that no clip has
shown.
"""

import os
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import world
from world import Scene, State

_STARTS_TRIED = 8


def write_training_set(
    folder: Path, motion: str, count: int = 8, frames: int = 16, seed: int = 0, masks: Path | None = None
) -> list[Scene]:
    """Write `count` clips of a motion, `moves_right_0.mp4` with its caption in `moves_right_0.txt` and so on; returns
    their scenes.

    `masks`: a folder for their exact masks, videos of the same names, white on the subject.
    """
    pairs = training_set(motion, count, seed)
    for there in filter(None, (folder, masks)):
        there.mkdir(parents=True, exist_ok=True)
    for i, (scene, start) in enumerate(pairs):
        file = folder / f"{motion.replace(' ', '_')}_{i}.mp4"
        part = file.with_suffix(".txt.part")
        part.write_text(scene.caption(motion) + "\n", encoding="utf-8")
        os.replace(part, file.with_suffix(".txt"))  # before its clip, so that no clip is ever seen without its caption
        states = world.path(motion, start, frames)
        write_clip(file, world.draw_clip(scene, states))
        if masks:
            write_clip(masks / file.name, mask_clip(scene, states)[..., None].repeat(3, axis=-1))
    return [scene for scene, _ in pairs]


def training_set(motion: str, count: int = 8, seed: int = 0) -> list[tuple[Scene, State]]:
    """What the clips of a motion show, and where each begins."""
    return _choose(motion, count, np.random.default_rng([seed, 0, *motion.encode()]), ())


def first_frames(motion: str, count: int, seed: int, exclude: Iterable[Scene]) -> list[tuple[Scene, State]]:
    """First frames to animate: scenes that are not among `exclude`, and where the motion would start in each."""
    return _choose(motion, count, np.random.default_rng([seed, 1, *motion.encode()]), exclude)


def mask_clip(scene: Scene, states: list[State]) -> np.ndarray:
    """The subject's exact pixels in every frame, uint8 (f, h, w), 255 on the subject."""
    return np.stack([world.subject_mask(scene.shape, state) for state in states]).astype(np.uint8) * 255


def write_clip(file: Path, clip: np.ndarray) -> None:
    """Write a clip uint8 (f, h, w, 3) as H.264 with whole chroma: halved chroma bleeds 90 levels at the edge of a
    sprite.
    """
    part = file.with_suffix(".mp4.part")
    try:
        with av.open(part, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=Fraction(world.FPS), options={"crf": "8", "preset": "slow"})
            stream.height, stream.width = clip.shape[1:3]
            stream.pix_fmt = "yuv444p"
            for picture in clip:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def _choose(motion: str, count: int, rng: np.random.Generator, exclude: Iterable[Scene]) -> list[tuple[Scene, State]]:
    """Different scenes with colours, shapes and backgrounds used equally often, and starts away from each other."""
    excluded = set(exclude)
    left = [scene for scene in world.all_scenes() if scene not in excluded]
    if count > len(left):
        raise ValueError(f"{count} scenes asked for, {len(left)} left after excluding {len(excluded)}")
    chosen: list[tuple[Scene, State]] = []
    used: Counter[tuple[str, ...]] = Counter()
    for _ in range(count):
        rng.shuffle(left)
        scene = min(left, key=lambda scene: [sum(used[w] for w in words) for words in _words(scene)])
        left.remove(scene)
        used.update(words for level in _words(scene) for words in level)
        starts = [world.start_state(motion, rng) for _ in range(_STARTS_TRIED)]
        chosen.append((scene, max(starts, key=lambda start: min((_apart(start, s) for _, s in chosen), default=0.0))))
    return chosen


def _words(scene: Scene) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """A scene's words alone, and in pairs."""
    colour, shape, background = scene.colour, scene.shape, scene.background
    return [(colour,), (shape,), (background,)], [(colour, shape), (colour, background), (shape, background)]


def _apart(a: State, b: State) -> float:
    return float(np.hypot(a.x - b.x, a.y - b.y))
