"""Which window a gap is filled in: every slide against a search over all windows, and examples by hand."""

import random

import pytest
from few_shot_motion.samplers.slides import plan_slides


def by_search(known: list[bool], window: int, context: int) -> int:
    """Where the window of the next slide begins, for a clip that begins with a known frame.

    It shows `context` frames before the first unknown one, and does not look beyond the clip's end. Where it can show
    known frames on both sides of the gap it does, and repeats none that stand in for others: the first window, from
    that of the whole context on, that holds the known frame behind the gap.
    """
    unknown, last = known.index(False), len(known) - window
    wanted = unknown - context
    behind = [frame for frame in range(unknown, len(known)) if known[frame]]
    if not behind or behind[0] - unknown > window - 2:
        return min(wanted, last)
    both = [start for start in range(0, unknown) if start + window > behind[0] and start >= wanted]
    return min(both[0], last)


@pytest.mark.parametrize("window, context", [(4, 3), (4, 2), (4, 1), (6, 5), (6, 2), (8, 7), (16, 15), (16, 12)])
def test_every_window_is_the_first_that_shows_both_sides(window, context):
    draw = random.Random(window * 100 + context)
    for _ in range(200):
        length = draw.randint(2, 3 * window)
        known = [True] + [draw.random() < 0.4 for _ in range(length - 1)]
        if all(known):
            continue
        there = list(known)
        for slide in plan_slides(known, window, context):
            start = by_search(there, window, context)
            assert slide.frames == tuple(max(0, frame) for frame in range(start, start + window))
            assert slide.known == tuple(there[frame] for frame in slide.frames)
            for frame in slide.new:
                there[frame] = True
        assert all(there)


@pytest.mark.parametrize("known, window, context, first", [
    ("X......X", 8, 7, (0, 1, 2, 3, 4, 5, 6, 7)),
    ("XXXX....XXXX", 8, 7, (1, 2, 3, 4, 5, 6, 7, 8)),  # as much behind as before would push the known one out
    ("XXXX....XXXX", 6, 5, (3, 4, 5, 6, 7, 8)),
    ("XXXX.....XXX", 6, 5, (0, 0, 1, 2, 3, 4)),  # wider than the window: as if nothing came behind
    ("XXXX..XXXX", 8, 3, (1, 2, 3, 4, 5, 6, 7, 8)),
    ("X..X......", 6, 5, (0, 1, 2, 3, 4, 5)),  # real frames instead of the first one repeated
])  # fmt: skip
def test_windows_by_hand(known, window, context, first):
    slides = plan_slides([frame == "X" for frame in known], window, context)
    assert slides[0].frames == first
