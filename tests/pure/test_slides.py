"""Windows of repeat-and-slide: which frames a slide holds, which of them are new."""

import pytest
from few_shot_motion.samplers.slides import nearest_known, plan_slides


def test_one_picture_is_repeated_to_the_left():
    first, second, *_, last = plan_slides([True] + [False] * 15, 16, 15)
    assert first.frames == (0,) * 15 + (1,) and first.known == (True,) * 15 + (False,) and first.new == (1,)
    assert second.frames == (0,) * 14 + (1, 2)
    assert last.frames == tuple(range(16)) and last.new == (15,)


def test_the_last_slide_has_more_context_instead_of_frames_beyond_the_end():
    assert [slide.frames for slide in plan_slides([True] + [False] * 3, 4, 2, 2)] == [(0, 0, 1, 2), (0, 1, 2, 3)]


def test_both_ends_are_in_one_window_where_they_fit():
    slides = plan_slides([True] + [False] * 4 + [True], 6, 4, 2)
    assert [slide.frames for slide in slides] == [tuple(range(6))] * 2
    assert [slide.new for slide in slides] == [(1, 4), (2, 3)]


def test_frames_before_the_first_known_one_are_made_backwards():
    slides = plan_slides([False, False, True], 3, 2)
    assert [slide.new for slide in slides] == [(1,), (0,)]
    assert slides[0].frames == (1, 2, 2) and slides[0].known == (False, True, True)


def test_of_two_equally_near_known_frames_the_earlier_is_nearest():
    assert nearest_known([True, False, True, False]) == [0, 0, 2, 2]


@pytest.mark.parametrize(
    "known, window, context, new_frames, message",
    [
        ([True, False], 16, 16, 1, "A window of 16 frames has no room for new ones beside 16 of context"),
        ([True, False], 16, 15, 2, "2 new frames per slide and 15 of context do not fit a window of 16"),
        ([True, False], 16, 0, 2, "0 of context"),
        ([], 16, 15, 1, "No frame of the clip is known"),
        ([False] * 4, 16, 15, 1, "No frame of the clip is known"),
        ([True] * 4, 16, 15, 1, "All 4 frames are known already: ask for a longer clip"),
    ],
)
def test_what_cannot_be_done_is_said(known, window, context, new_frames, message):
    with pytest.raises(ValueError, match=message):
        plan_slides(known, window, context, new_frames)
