"""What a caption says of a figure is found in its picture, and what another says is not."""

from dataclasses import replace

import caption_check
import figures
import numpy as np
import pytest
import stage
from camera import GROUNDS, draw_background
from gaits import GAITS
from world import COLOURS

WORDS = {"height": figures.HEIGHTS, "hair": figures.HAIR, "skin": figures.SKIN, "shirt": COLOURS, "trousers": COLOURS,
         "hat": ("", *COLOURS)}  # fmt: skip


def picture_of(seed: int, motion: str) -> tuple[np.ndarray, figures.Figure, str]:
    rng = np.random.default_rng([9, seed])
    shot = stage.random_shot(rng, motion, "still")
    return stage.paint(shot, int(rng.integers(16))).levels(), shot.actors[0].figure, shot.ground


@pytest.mark.parametrize(("seed", "motion"), list(enumerate(GAITS)))
def test_the_figure_of_the_caption_is_recognised_and_no_other(seed, motion):
    picture, figure, ground = picture_of(seed, motion)
    assert caption_check.shows(picture, figure, ground)
    others = [(replace(figure, **{word: value}), ground) for word, values in WORDS.items() for value in values]
    others += [(figure, name) for name in GROUNDS]
    wrong = [other for other in others if other != (figure, ground) and other[0].shirt != other[0].trousers]
    rng = np.random.default_rng(seed)
    for k in rng.permutation(len(wrong))[:5]:
        assert not caption_check.shows(picture, *wrong[k]), wrong[k]


def test_the_other_height_is_told():
    for motion in ("waves", "walks"):
        picture, figure, ground = picture_of(3, motion)
        other = replace(figure, height="short" if figure.height == "tall" else "tall")
        assert caption_check.shows(picture, figure, ground) and not caption_check.shows(picture, other, ground)


@pytest.mark.parametrize("motion", ["waves", "walks"])
def test_another_skin_is_told(motion):
    picture, figure, ground = picture_of(3, motion)
    for skin in figures.SKIN:
        assert caption_check.shows(picture, replace(figure, skin=skin), ground) is (skin == figure.skin)


def test_nobody_is_no_figure():
    canvas = stage.Canvas()
    draw_background(canvas, "earth", stage.Camera(), seed=1, i=0)
    assert not caption_check.shows(canvas.levels(), figures.Figure("tall", "fair", "red", "blue"), "earth")
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert not caption_check.shows(noise, figures.Figure("tall", "fair", "red", "blue"), "earth")
