"""The measures of real clips on drawn ones: a grey box that crosses a room with a gradient."""

import numpy as np
import pytest

from dev.studies.filmed import measures

FRAMES, HEIGHT, WIDTH = 6, 48, 80
ROOM = np.linspace(90, 200, WIDTH)[None, :, None].repeat(HEIGHT, 0).repeat(3, 2).astype(np.uint8)


def box(left: int, width: int = 12) -> np.ndarray:
    """A mask `h w`."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:40, left : left + width] = True
    return mask


def walk(step: int = 8, start: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A clip and its masks."""
    masks = np.stack([box(start + step * i) for i in range(FRAMES)])
    return np.where(masks[..., None], np.uint8(20), ROOM), masks


def test_the_empty_room_comes_from_where_nobody_is():
    clip, masks = walk()
    assert np.abs(measures.plate([clip], [masks]) - ROOM).max() < 1e-3


def test_who_stands_for_most_of_the_time_is_no_part_of_the_room():
    masks = np.stack([box(30)] * 5 + [box(60)])
    clip = np.where(masks[..., None], np.uint8(20), ROOM)
    assert np.abs(measures.plate([clip], [masks]) - ROOM).max() < 1e-3


def test_where_somebody_always_is_the_room_is_what_was_seen():
    masks = np.stack([box(30)] * FRAMES)
    clip = np.where(masks[..., None], np.uint8(20), ROOM)
    assert (measures.plate([clip], [masks])[masks[0]] == 20).all()


@pytest.mark.parametrize("cast", [0, 25, -25])
def test_a_person_is_what_differs_from_the_room_and_a_cast_is_none(cast):
    clip, masks = walk()
    shown = np.clip(clip.astype(int) + cast, 0, 255).astype(np.uint8)
    found = measures.people(shown, ROOM.astype(np.float32))
    assert measures.overlap(found, masks) > 0.85
    assert np.abs(measures.course(found) - measures.course(masks)).max() < 1


def test_the_largest_part_is_the_person():
    clip, masks = walk()
    clip[:, 2:6, 70:75] = 0
    assert measures.overlap(measures.people(clip, ROOM.astype(np.float32)), masks) > 0.85


def test_in_an_empty_room_and_in_noise_nobody_is_found():
    noise = np.random.default_rng(0).normal(0, 4, (2, *ROOM.shape))
    clip = np.clip(ROOM + noise, 0, 255).astype(np.uint8)
    found = measures.people(clip, ROOM.astype(np.float32))
    assert not found.any() and np.isnan(measures.course(found)).all()


def test_a_speck_is_nobody():
    room = np.tile(ROOM, (3, 3, 1)).astype(np.float32)
    frame = room.copy()
    frame[50:57, 100:107] = 0
    assert not measures.person(frame, room).any()
    frame[50:80, 100:110] = 0
    assert measures.person(frame, room).any()


def test_courses_are_held_against_each_other_in_px():
    real = measures.course(walk()[1])
    assert real[0] == pytest.approx([9.5, 24.5]) and real[1] == pytest.approx([17.5, 24.5])
    assert measures.course_error(real, real, WIDTH) == 0
    assert measures.course_error(real + (3, 4), real, WIDTH) == pytest.approx(5)


def test_frame_0_is_given_and_does_not_count():
    real = measures.course(walk()[1])
    off = real.copy()
    off[0] += 50
    masks = walk()[1]
    others = masks.copy()
    others[0] = False
    assert measures.course_error(off, real, WIDTH) == 0 and measures.overlap(others, masks) == 1
    clip = walk()[0]
    changed = clip.copy()
    changed[0] += 9
    assert measures.psnr(changed, clip) == float("inf")


def test_who_is_missing_is_half_a_picture_off_unless_nobody_is_there():
    real = measures.course(walk()[1])
    gone = np.full_like(real, np.nan)
    assert measures.course_error(gone, real, WIDTH) == WIDTH / 2
    assert measures.course_error(real, gone, WIDTH) == WIDTH / 2
    assert measures.course_error(gone, gone, WIDTH) == 0


def test_half_the_way_and_the_way_back():
    real, slow = measures.course(walk(8)[1]), measures.course(walk(4)[1])
    assert measures.displacement_ratio(slow, real) == pytest.approx(0.5)
    assert measures.displacement_ratio(real[::-1], real) == pytest.approx(-1)
    seen_to_the_middle = np.where(np.arange(FRAMES)[:, None] < 4, real, np.nan)
    assert measures.displacement_ratio(seen_to_the_middle, real) == pytest.approx(3 / 5)
    assert measures.displacement_ratio(np.full_like(real, np.nan), real) == 0


def test_overlap_is_intersection_over_union_and_two_empty_masks_are_the_same():
    masks, moved = walk()[1], walk(start=8)[1]
    assert measures.overlap(moved, masks) == pytest.approx(8 / 16)
    assert measures.overlap(masks & False, masks) == 0 and measures.overlap(masks & False, masks & False) == 1


def test_the_background_changes_where_nobody_is():
    clip, masks = walk()
    assert measures.background_change(clip, masks) == 0
    brighter = clip.copy()
    brighter[1:] += 6
    assert measures.background_change(brighter, masks) == pytest.approx(6)


def test_psnr_is_in_decibels():
    clip = walk()[0].astype(int)
    assert measures.psnr((clip + 5).astype(np.uint8), clip.astype(np.uint8)) == pytest.approx(34.15, abs=0.01)
