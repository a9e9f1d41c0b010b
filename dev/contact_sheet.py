"""Pictures of clips side by side, for the eye: a still sheet of some frames, and all of them moving."""

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Group = dict[str, np.ndarray]  # label of the row -> clip uint8 (f, h, w, 3), all of one size

SIDE = 96  # px of one picture's height
LABEL = 100  # px at least, more where a label is longer
MARGIN = 4  # px at both sides of a label
GAP = 8  # px between groups
MILLISECONDS = 125  # per frame


def sheet(groups: list[Group], columns: int = 8) -> Image.Image:
    """One row per clip, frames from left to right evenly spread from first to last; groups stay together."""
    frames, height, width = next(iter(groups[0].values())).shape[:3]
    side = SIDE * width // height
    rows = sum(len(group) for group in groups)
    longest = max(ImageFont.load_default().getlength(label) for group in groups for label in group)
    left = max(LABEL, math.ceil(longest) + 2 * MARGIN)
    canvas = Image.new("RGB", (left + columns * side, rows * SIDE + (len(groups) - 1) * GAP), "white")
    pen = ImageDraw.Draw(canvas)
    top = 0
    for group in groups:
        for label, clip in group.items():
            pen.text((MARGIN, top + SIDE // 2 - 6), label, fill="black")
            for column, i in enumerate(np.linspace(0, frames - 1, columns).round().astype(int)):
                canvas.paste(_small(clip[i], side), (left + column * side, top))
            top += SIDE
        top += GAP
    return canvas


def write_moving(file: Path, groups: list[Group]) -> None:
    """An animated WebP: one column per group, one row per clip."""
    frames, height, width = next(iter(groups[0].values())).shape[:3]
    side = SIDE * width // height
    pictures = []
    for i in range(frames):
        canvas = Image.new("RGB", (side * len(groups), SIDE * len(groups[0])))
        for column, group in enumerate(groups):
            for row, clip in enumerate(group.values()):
                canvas.paste(_small(clip[i], side), (column * side, row * SIDE))
        pictures.append(canvas)
    pictures[0].save(file, save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0, quality=85)


def _small(picture: np.ndarray, side: int) -> Image.Image:
    return Image.fromarray(picture).resize((side, SIDE), Image.Resampling.LANCZOS)
