"""Measuring against the exact world: what is drawn is found, what is not is not."""

from dataclasses import replace

import measure
import numpy as np
import pytest
import world
from scipy import ndimage

WORDS = {"colour": world.COLOURS, "shape": world.SHAPES, "background": world.BACKGROUNDS}
MOTIONS = list(world.MOTIONS)
BACKGROUND_ONLY = world.State(-50.0, -50.0)
HALF_PIXEL = 0.18  # cells: half the diagonal of an art pixel; within it a box is drawn the same


def soften(picture: np.ndarray, rng: np.random.Generator, noise: float, blur: float = 0, tint: float = 0) -> np.ndarray:
    soft = ndimage.gaussian_filter(picture.astype(float), (blur, blur, 0)) + rng.normal(0, noise, picture.shape)
    return (soft + rng.uniform(-tint, tint, 3)).clip(0, 255).round().astype(np.uint8)


def drawn_clip(motion: str, i: int, frames: int = 16) -> tuple[np.ndarray, world.Scene, list[world.State]]:
    rng = np.random.default_rng(i)
    scene = world.all_scenes()[rng.integers(150)]
    states = world.path(motion, world.start_state(motion, rng), frames)
    return world.draw_clip(scene, states), scene, states


# ---------------------------------------------------------------------------------------------------------- pictures


def test_every_scene_is_recognised():
    rng = np.random.default_rng(0)
    for scene in world.all_scenes():
        state = world.still_state(rng)
        picture = world.draw(scene, state)
        found = measure.find_subject(picture)
        assert measure.shows(picture, scene)
        assert found.shape_iou > 0.95 and found.size == pytest.approx(state.size, abs=0.4)
        assert np.hypot(found.x - state.x, found.y - state.y) < HALF_PIXEL and found.rest < 0.001
        assert (
            found.mask != world.subject_mask(scene.shape, state)
        ).sum() <= 16 and found.area == found.mask.sum()  # a corner or two


@pytest.mark.parametrize(("noise", "blur", "tint"), [(12, 0, 0), (12, 1, 0), (12, 1, 15)])
def test_every_scene_is_recognised_when_drawn_badly(noise, blur, tint):
    rng = np.random.default_rng(1)
    pictures = [
        (scene, soften(world.draw(scene, world.still_state(rng)), rng, noise, blur, tint))
        for scene in world.all_scenes()
    ]
    assert [scene for scene, picture in pictures if not measure.shows(picture, scene)] == []


def test_other_words_are_rejected():
    scene = world.Scene("purple", "cross", "water")
    picture = world.draw(scene, world.State(7.2, 8.9))
    others = [replace(scene, **{word: value}) for word, values in WORDS.items() for value in values]
    assert {other for other in others if measure.shows(picture, other)} == {scene}


@pytest.mark.parametrize("shape", world.SHAPES)
def test_second_subject_is_rejected(shape):
    scene = world.Scene("red", shape, "grass")
    one, state = world.draw(scene, world.State(4, 5)), world.State(11, 10)
    for colour in world.COLOURS:
        two = np.where(
            world.subject_mask(shape, state)[..., None], world.draw(replace(scene, colour=colour), state), one
        )
        assert measure.shows(one, scene) and not measure.shows(two, scene)


@pytest.mark.parametrize("background", world.BACKGROUNDS)
def test_no_subject_is_none(background):
    empty = world.draw(world.Scene("red", "ball", background), BACKGROUND_ONLY)
    assert measure.find_subject(empty) is None
    assert measure.find_subject(soften(empty, np.random.default_rng(3), 12, 1)) is None


def test_smears_show_nothing():
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)
    stripe = world.draw(world.Scene("red", "ball", "grass"), BACKGROUND_ONLY)
    stripe[60:64] = world.COLOURS["red"]
    tiny = world.draw(world.Scene("red", "ball", "grass"), world.State(8, 8, 0.8))
    for picture in (noise, stripe, tiny):
        found = measure.find_subject(picture)
        assert found is None or not measure.shows(picture, world.Scene(found.colour, found.shape, found.background))
    purple = np.full((128, 128, 3), world.COLOURS["purple"], dtype=np.uint8)
    assert all(measure.find_subject(picture) is None for picture in (stripe, tiny, purple))


@pytest.mark.parametrize("shape", world.SHAPES)
def test_subject_half_outside_is_placed_outside(shape):
    state = world.State(15.0, 8.0)
    found = measure.find_subject(world.draw(world.Scene("blue", shape, "sand"), state), (shape,))
    assert found.shape_iou > 0.9 and abs(found.x - state.x) < 0.6 and abs(found.y - state.y) < 0.3


def test_drops_in_front_belong_to_the_subject():
    cut = world.State(8.0, 8.0, drops=((7.0, 7.6), (8.1, 7.6), (9.2, 7.6), (7.9, 6.0)))
    for shape in world.SHAPES:
        found = measure.find_subject(world.draw(world.Scene("pink", shape, "snow"), cut))
        assert found.shape == shape and found.shape_iou > 0.95
        assert np.mean(found.mask == world.subject_mask(shape, cut)) > 0.99


# ---------------------------------------------------------------------------------------------------------- clips


@pytest.mark.parametrize("frames", [8, 16])
@pytest.mark.parametrize("motion", MOTIONS)
def test_exact_clip_is_perfect(motion, frames):
    measured = [measure.measure_clip(*drawn_clip(motion, i, frames)) for i in range(4)]
    for values in measured:
        assert all(type(value) is float for value in values.values())
        assert values["found"] == values["colour_kept"] == 1
        assert values["direction_cosine"] > 0.999 and values["shape_iou"] > 0.95
        assert values["displacement_ratio"] == pytest.approx(1, abs=0.05 if motion != "grows" else 0.25)
        assert values["scale_ratio"] == pytest.approx(1, abs=0.1)
        assert values["path_error"] < HALF_PIXEL
    assert np.mean([values["path_error"] for values in measured]) < 0.15


@pytest.mark.parametrize("motion", world.ENDLESS)
def test_long_exact_clip_is_perfect(motion):
    """Also where a quarter of the clip is a whole round, after which an orbit is where it was."""
    clip, scene, states = drawn_clip(motion, 3, frames=65)
    found = measure.measure_clip(clip, scene, states)
    assert found["displacement_ratio"] == pytest.approx(1, abs=0.05) and found["direction_cosine"] > 0.99


@pytest.mark.parametrize("motion", MOTIONS)
def test_still_clip_moves_nowhere(motion):
    clip, scene, states = drawn_clip(motion, 5)
    values = measure.measure_clip(np.stack([clip[0]] * 16), scene, states)
    standing = motion in ("grows", "stands in the rain")
    assert values["displacement_ratio"] == standing and values["direction_cosine"] == standing
    assert (values["scale_ratio"] == 0) == (motion == "grows")


@pytest.mark.parametrize("motion", ["moves right", "falls", "orbits", "bounces"])
def test_clip_backwards_goes_the_other_way(motion):
    clip, scene, states = drawn_clip(motion, 6)
    mirrored = np.stack([world.draw(scene, world.State(16 - state.x, 16 - state.y)) for state in states])
    values = measure.measure_clip(mirrored, scene, states)
    assert values["direction_cosine"] < -0.99 and values["displacement_ratio"] == pytest.approx(1, abs=0.05)


def test_half_the_way_is_half():
    clip, scene, states = drawn_clip("moves right", 7)
    values = measure.measure_clip(clip[np.arange(16) // 2], scene, states)
    assert values["displacement_ratio"] == pytest.approx(7 / 15, abs=0.05)


def test_lost_subject_and_lost_colour_count():
    clip, scene, states = drawn_clip("moves left", 8)
    clip[8:12] = world.draw(scene, BACKGROUND_ONLY)
    other = world.Scene("red" if scene.colour != "red" else "blue", scene.shape, scene.background)
    clip[12:] = world.draw_clip(other, states[12:])
    values = measure.measure_clip(clip, scene, states)
    assert (
        values["found"] == 0.75
        and values["colour_kept"] == 0.5
        and values["displacement_ratio"] == pytest.approx(1, abs=0.02)
    )
    assert values["shape_iou"] == pytest.approx(0.75, abs=0.02) and values["path_error"] == pytest.approx(2, abs=0.15)


def test_nothing_found_is_nothing_good():
    _, scene, states = drawn_clip("falls", 9)
    values = measure.measure_clip(np.zeros((16, 128, 128, 3), dtype=np.uint8), scene, states)
    assert values == {
        "found": 0, "displacement_ratio": 0, "direction_cosine": 0, "path_error": 8, "colour_kept": 0, "shape_iou": 0,
                      "scale_ratio": 0,
    }  # fmt: skip


def test_growth_is_measured():
    clip, scene, states = drawn_clip("grows", 10)
    assert measure.measure_clip(clip[np.arange(16) // 2], scene, states)["scale_ratio"] == pytest.approx(
        7 / 15, abs=0.1
    )
