"""Reading figures back from pictures: exact clips come out as they are known, spoilt ones do not."""

from dataclasses import replace

import background_motion
import courses
import figure_clips
import numpy as np
import pytest
import reading
import stage
from figures import LIMBS, Figure
from gaits import GAITS
from scipy import ndimage

FIGURE = Figure("tall", "ginger", "yellow", "purple", "brown")


def shot_of(motion: str, seed: int, camera: str = "", actors: int = 1) -> stage.Shot:
    return stage.random_shot(np.random.default_rng([2, seed]), motion, camera, actors)


@pytest.mark.parametrize(("motion", "seed"), list(zip(GAITS, range(6), strict=True)))
def test_exact_clips_measure_as_exact(motion, seed):
    shot = shot_of(motion, seed)
    numbers = courses.measure_figure(stage.draw_clip(shot), shot)
    assert numbers["found"] == 1 and numbers["colours_kept"] > 0.95
    assert numbers["limb_correlation"] > 0.95
    assert numbers["path_error"] < 0.3  # cells
    if GAITS[motion].endless:
        assert numbers["period_ratio"] == pytest.approx(1, abs=0.05)
        assert abs(numbers["phase"]) < 0.02


def test_soft_and_noisy_clips_still_do():
    shot, rng = shot_of("walks", 3), np.random.default_rng(0)
    clip = ndimage.gaussian_filter(stage.draw_clip(shot).astype(float), (0, 1.0, 1.0, 0))
    spoilt = (clip + rng.normal(0, 10, clip.shape) + rng.uniform(-8, 8, 3)).clip(0, 255).astype(np.uint8)
    numbers = courses.measure_figure(spoilt, shot)
    assert numbers["found"] == 1 and numbers["colours_kept"] > 0.9 and numbers["limb_correlation"] > 0.93


def test_figures_as_soft_as_a_small_autoencoder_draws_are_found():
    for seed, motion in ((5, "sits down"), (4, "cheers")):
        shot = stage.random_shot(np.random.default_rng([6, seed]), motion, "still")
        clip = ndimage.gaussian_filter(stage.draw_clip(shot).astype(float), (0, 1.4, 1.4, 0)).astype(np.uint8)
        numbers = courses.measure_figure(clip, shot)
        assert numbers["found"] > 0.6 and numbers["limb_correlation"] > 0.4


def test_what_stands_still_does_not_walk():
    shot = shot_of("runs", 1, "still")
    clip = stage.draw_clip(shot)
    frozen = courses.measure_figure(clip[:1].repeat(16, axis=0), shot)
    assert frozen["limb_correlation"] < 0.2 and np.isnan(frozen["period_ratio"])
    backwards = courses.measure_figure(clip[::-1], shot)
    assert backwards["limb_correlation"] < 0.6


@pytest.mark.parametrize(("motion", "camera"), [("waves", "pans"), ("runs", "still")])
def test_a_limb_that_does_not_move_and_is_misread_now_and_then_has_no_say_in_the_period(motion, camera):
    shot = figure_clips.unseen_shots(motion, 8, 1, [], camera)[{"waves": 1, "runs": 0}[motion]]
    assert courses.measure_figure(stage.draw_clip(shot), shot)["period_ratio"] == pytest.approx(1, abs=0.05)


def test_half_the_pace_is_twice_the_period():
    shot = stage.Shot((stage.Actor(FIGURE, "waves"),), "snow", frames=24)
    clip = np.stack([stage.paint(shot, i).levels() for i in range(12)]).repeat(2, axis=0)
    assert courses.measure_figure(clip, shot)["period_ratio"] == pytest.approx(2, abs=0.15)


def test_a_later_phase_is_told():
    actor = stage.Actor(FIGURE, "jumps", phase=0.2)
    early, late = (stage.Shot((replace(actor, phase=phase),), "grass") for phase in (0.2, 0.32))
    assert courses.measure_figure(stage.draw_clip(late), early)["phase"] == pytest.approx(0.12, abs=0.02)


def test_other_colours_are_not_kept():
    shot = stage.Shot((stage.Actor(FIGURE, "walks"),), "stone")
    other = stage.Shot((stage.Actor(replace(FIGURE, trousers="orange"), "walks"),), "stone")
    numbers = courses.measure_figure(stage.draw_clip(other), shot)
    assert numbers["colours_kept"] < 0.5 and numbers["found"] < 0.5


def test_an_empty_picture_shows_nobody():
    canvas = stage.Canvas()
    stage.draw_background(canvas, "sand", stage.Camera(), seed=2, i=0)
    assert reading.read_picture(canvas.levels(), FIGURE, "side", 1, "sand") is None
    shot = stage.Shot((stage.Actor(FIGURE, "walks"),), "sand")
    numbers = courses.measure_figure(canvas.levels()[None].repeat(16, axis=0), shot)
    assert numbers["found"] == 0 and numbers["colours_kept"] == 0 and numbers["path_error"] == 8
    assert numbers["limb_correlation"] == 0 and np.isnan(numbers["period_ratio"])


@pytest.mark.parametrize("shirt", ["red", FIGURE.shirt])
def test_of_two_figures_each_is_read_for_itself(shirt):
    one = stage.Actor(FIGURE, "waves", x=4.6, phase=0.1)
    two = stage.Actor(Figure("short", "black", shirt, "blue"), "cheers", x=11.8)
    shot = stage.Shot((one, two), "earth", "shakes", seed=4)
    clip = stage.draw_clip(shot)
    for k in (0, 1):
        numbers = courses.measure_figure(clip, shot, k)
        assert numbers["found"] == 1 and numbers["limb_correlation"] > 0.95, k


def test_hidden_limbs_are_not_asked_for():
    shot = stage.Shot((stage.Actor(FIGURE, "sits down", phase=-0.1),), "grass")
    exact = courses.exact_angles(shot)
    assert exact.shape == (16, 2 * len(LIMBS))
    assert not np.isnan(exact[:, :2]).any() and np.isnan(exact[0, 2:4]).all()  # lit arm, and the one behind the trunk


@pytest.mark.parametrize("camera", ["still", "pans", "follows", "shakes", "zooms"])
def test_the_camera_is_read_off_the_background(camera):
    shot = replace(shot_of("runs", 7, camera), frames=4)
    numbers = background_motion.measure_background(stage.draw_clip(shot), shot, background_motion.movers(shot))
    assert numbers["flow_error"] < 0.25  # px
    if camera != "still":
        assert numbers["flow_cosine"] > 0.99 and numbers["flow_length"] > 1
    frozen = stage.draw_clip(shot)[:1].repeat(4, axis=0)
    numbers = background_motion.measure_background(frozen, shot, background_motion.movers(shot))
    assert numbers["flow_error"] == pytest.approx(numbers["flow_length"], abs=0.01)
