"""The world of figures: what is said about a frame is what is drawn, and its motions are those of a body."""

from dataclasses import replace

import camera
import figures
import numpy as np
import pytest
import stage
from gaits import GAITS

FIGURE = figures.Figure("tall", "black", "red", "blue", hat="yellow")
SHORT = replace(FIGURE, height="short", hat="")
LENGTHS = {("shoulder", "elbow"): figures.UPPER_ARM, ("elbow", "hand"): figures.FOREARM,
           ("hip", "knee"): figures.THIGH, ("knee", "foot"): figures.SHIN}  # fmt: skip


def shots(count: int, seed: int = 0, **named) -> list[stage.Shot]:
    return [stage.random_shot(np.random.default_rng([seed, k]), **named) for k in range(count)]


@pytest.mark.parametrize("motion", GAITS)
def test_masks_are_where_a_part_has_its_colour(motion):
    for shot in shots(4, 1, motion=motion, camera="still"):
        canvas = stage.paint(shot, 5, parts=True)
        total = np.sum(list(canvas.masks.values()), axis=0)
        assert total.max() < 1.001 and min(mask.min() for mask in canvas.masks.values()) > -0.001
        for part, colour in shot.actors[0].figure.colours().items():
            mask = canvas.masks[f"0.{part}"]
            assert mask.sum() > 1 or part not in ("trunk", "head", "hair", "hat"), part
            assert np.abs(canvas.picture[mask > 0.999] - colour).max(initial=0) < 0.5


def test_nothing_but_the_figures_differs_from_the_empty_world():
    for shot in shots(6, 2, actors=2):
        canvas = stage.paint(shot, 3, parts=True)
        empty = stage.Canvas()
        camera.draw_background(empty, shot.ground, shot.cameras()[3], shot.seed, 3)
        figure = np.sum([mask for part, mask in canvas.masks.items() if part[0].isdigit()], axis=0)
        assert np.abs(canvas.picture - empty.picture)[figure < 1e-4].max() < 0.1
        assert {part[0] for part in canvas.masks if part[0].isdigit()} == {"0", "1"}
        one, both = stage.body(canvas.masks, 1), stage.body(canvas.masks)
        stools = sum(mask for part, mask in canvas.masks.items() if part.endswith("stool"))
        assert np.abs(both + stools - figure).max() < 1e-4 and (one <= both + 1e-6).all() and one.sum() > 100


@pytest.mark.parametrize("motion", GAITS)
@pytest.mark.parametrize("figure", [FIGURE, SHORT], ids=["tall", "short"])
def test_bones_keep_their_lengths_and_the_gait_its_period(motion, figure):
    shot = stage.Shot((stage.Actor(figure, motion, facing=-1),), "grass")
    frames = [stage.joints_of(shot, i) for i in range(shot.frames)]
    for side in figures.SIDES:
        for (a, b), length in LENGTHS.items():
            found = [np.hypot(*np.subtract(at[f"{a}_{side}"], at[f"{b}_{side}"])) for at in frames]
            assert np.allclose(found, length * figure.cells)
    gait = GAITS[motion]
    if gait.endless:
        for i in (0.0, 1.7, 4.2):
            one, two = gait.pose(i), gait.pose(i + gait.period)
            assert np.allclose((*one.arms, *one.legs), (*two.arms, *two.legs))
            assert np.isclose(one.lift, two.lift)
    else:
        assert gait.pose(3 * gait.period) == gait.pose(2 * gait.period)
    angles = np.array([[figures.limb_angles(at)[limb] for limb in figures.LIMBS] for at in frames])
    assert np.ptp(angles, axis=0).max() > 20  # degrees: something does move


@pytest.mark.parametrize("figure", [FIGURE, SHORT], ids=["tall", "short"])
def test_feet_on_the_ground_stay_where_they_are(figure):
    gait, speed = GAITS["walks"], stage.Actor(figure, "walks", goes=True).speed
    stands = np.linspace(gait.period / 4, 3 * gait.period / 4, 20)  # half a turn long it is the lit one that carries
    at = [figures.joints(figure, gait.pose(i), "side", 1, speed * i, camera.STAND) for i in stands]
    feet = np.array([places["foot_lit"] for places in at])
    assert np.ptp(feet[:, 0]) < 0.1 and np.ptp(feet[:, 1]) < 0.2  # cells; the figure goes four meanwhile
    assert feet[:, 1].max() == pytest.approx(camera.STAND - figures.SOLE * figure.cells)
    assert at[-1]["hips"][0] - at[0]["hips"][0] > 2.5


def test_jumpers_leave_the_ground_and_come_back():
    shot = stage.Shot((stage.Actor(FIGURE, "jumps"),), "grass")
    lowest = np.array([max(stage.joints_of(shot, i)[f"foot_{side}"][1] for side in figures.SIDES) for i in range(10)])
    on_ground = camera.STAND - figures.SOLE * FIGURE.cells
    assert lowest.max() == pytest.approx(on_ground) and lowest.min() < on_ground - 1.5


def test_sitting_down_leaves_the_feet_and_ends_on_the_stool():
    shot = stage.Shot((stage.Actor(FIGURE, "sits down"),), "sand")
    frames = [stage.joints_of(shot, i) for i in range(16)]
    feet = np.array([at["foot_lit"] for at in frames])
    assert np.ptp(feet, axis=0).max() < 0.35
    assert frames[-1]["hips"][1] - frames[0]["hips"][1] > 0.15 * FIGURE.cells
    stool = stage.part_masks(shot, 0)["0.stool"]
    seat = np.flatnonzero(stool.max(axis=1) > 0.5)[0] / 8
    assert 0 < seat - frames[-1]["hips"][1] < 0.09 * FIGURE.cells


@pytest.mark.parametrize("name", camera.CAMERAS)
def test_the_background_moves_as_its_flow_says(name):
    cameras = camera.course(name, 8, seed=5, speed=0.6)
    places = np.array([(3.0, 4.0), (8.0, 8.0), (12.5, 15.0)])
    for before, after in zip(cameras, cameras[1:], strict=False):
        seen = np.array([before.sees(tuple(place)) for place in places])
        then = np.array([after.sees(tuple(place)) for place in places])
        flow = camera.background_flow(before, after, seen)
        assert np.allclose(flow, then - seen)
        assert (np.abs(flow).max() > 0.01) == (name != "still")


def test_a_camera_that_moves_by_whole_pixels_shifts_the_picture():
    pictures = []
    for x in (8.0, 8.5):
        canvas = stage.Canvas()
        camera.draw_background(canvas, "stone", camera.Camera(x), seed=3, i=0)
        pictures.append(canvas.picture)
    assert np.abs(pictures[0][:, 4:] - pictures[1][:, :-4]).max() < 0.05
    assert np.abs(pictures[0] - pictures[1]).max() > 30


def test_unknown_cameras_are_named():
    with pytest.raises(ValueError, match="unknown camera 'flies'; the world has still, pans"):
        camera.course("flies", 4, 0)


def test_figures_stay_in_a_still_picture():
    outside = []
    for shot in shots(60, 4, camera="still"):
        for i in range(shot.frames):
            at = np.array(list(stage.joints_of(shot, i).values()))
            outside.append(float(((at < -0.6) | (at > 16.6)).any()))
    assert np.mean(outside) < 0.05


def test_clouds_and_waves_move_by_themselves():
    shot = stage.Shot((stage.Actor(FIGURE, "waves"),), "sand", seed=11)
    one, two = stage.part_masks(shot, 0), stage.part_masks(shot, 9)
    for part in ("cloud", "wave"):
        assert np.abs(one[part] - two[part]).max() > 0.5
    horizon = int(camera.HORIZON * 8)
    assert one["hill"][:horizon].max() > 0.9 and one["hill"][horizon + 1 :].max() == 0  # the ground is before them


def test_captions_say_what_is_seen():
    shot = stage.Shot((stage.Actor(FIGURE, "walks", facing=-1, goes=True), stage.Actor(SHORT, "waves")), "snow", "pans")
    assert shot.caption() == (
        "a tall person with pale skin, black hair and a yellow hat in a red shirt and blue trousers on snow walks left "
        "and a short person with pale skin and black hair in a red shirt and blue trousers waves while the camera pans"
    )
    assert shot.caption(motion=False).endswith("in a red shirt and blue trousers") and "pans" not in shot.caption(False)


def test_a_drawn_shot_is_the_same_again():
    shot = shots(1, 9, actors=2)[0]
    clip = stage.draw_clip(shot)
    assert clip.shape == (16, 128, 128, 3) and clip.dtype == np.uint8
    assert (clip == stage.draw_clip(shot)).all()
