"""Text2Video-Zero's pieces: what is warped moves as asked, schedules split where they should, backgrounds are smoothed
and subjects are not.
"""

import pytest
import torch
from few_shot_motion.samplers.noising import VARIANCE_EXPLODING
from few_shot_motion.samplers.text_to_video_zero import branch, for_size, foregrounds, smooth_background, split_schedule
from few_shot_motion.samplers.warp import deltas, sources, uncovered, warp, warp_all

T0, T1 = torch.tensor(8.0), torch.tensor(11.0)


def place(frame: torch.Tensor) -> tuple[int, int]:
    """(right, down) of the one cell that is set."""
    assert frame.sum() == 1
    down, right = divmod(int(frame.flatten().argmax()), frame.shape[-1])
    return right, down


@pytest.mark.parametrize("move, cells", [((16, 0), (2, 0)), ((-8, 24), (-1, 3)), ((0, -12), (0, -1.5))])
@pytest.mark.parametrize("height, width", [(32, 32), (40, 64), (128, 96)])
def test_things_move_to_where_they_are_sent(move, cells, height, width):
    x = torch.zeros(1, 1, height, width)
    x[..., 16, 14] = 1
    for frame, moved in enumerate(warp_all(x, deltas(move, 4, (height * 8, width * 8)))):
        right, down = place(moved)
        assert abs(right - 14 - frame * cells[0]) <= 0.5 and abs(down - 16 - frame * cells[1]) <= 0.5


@pytest.mark.parametrize("size, share", [((64, 64), 1), ((16, 16), 1 / 4), ((32, 128), 1), ((128, 128), 1)])
def test_levels_go_with_the_side_of_what_is_smaller_than_theirs(size, share):
    assert for_size(T0, size) == T0 * share


def test_a_warp_only_moves_values_and_knows_what_it_made_up():
    x = torch.arange(30.0).view(1, 1, 5, 6)
    (_, delta) = deltas((2, -1), 2, (5, 6))
    moved, new = warp(x, delta), uncovered(5, 6, delta)
    assert torch.equal(moved[..., :-1, 2:], x[..., 1:, :-2]) and not new[:-1, 2:].any()
    assert new[-1].all() and new[:, :2].all()
    assert torch.equal(moved[0, 0, 0, :2], x[0, 0, 1, :2].flip(-1)), "mirrored at the border"
    assert torch.equal(warp(x, (0.0, 0.0)), x) and not uncovered(5, 6, (0.0, 0.0)).any()


def test_a_move_wider_than_the_picture_stays_inside():
    x = torch.arange(4.0).view(1, 1, 1, 4)
    for delta in deltas((3, 0), 9, (1, 4)):
        assert set(warp(x, delta).flatten().tolist()) <= {0.0, 1.0, 2.0, 3.0}
    assert uncovered(1, 4, deltas((40, 0), 2, (1, 4))[1]).all()


def test_a_schedule_is_split_at_both_levels():
    first, second, third = split_schedule(torch.tensor([14.6, 12.0, 9.0, 5.0, 1.0, 0.0]), T0, T1)
    assert first.tolist() == pytest.approx([14.6, 12.0, 11.0])
    assert second.tolist() == pytest.approx([11.0, 9.0, 8.0])
    assert third.tolist() == pytest.approx([11.0, 9.0, 5.0, 1.0, 0.0])


def test_steps_at_a_level_are_not_doubled():
    first, second, third = split_schedule(torch.tensor([14.6, 11.2, 8.1, 7.9, 1.0, 0.0]), T0, T1)
    assert first.tolist() == pytest.approx([14.6, 11.0]) and second.tolist() == [11.0, 8.0]
    assert third.tolist() == pytest.approx([11.0, 8.1, 7.9, 1.0, 0.0])


def test_one_step_will_do():
    first, second, third = split_schedule(torch.tensor([14.6, 0.0]), T0, T1)
    assert (first.tolist(), second.tolist(), third.tolist()) == (pytest.approx([14.6, 11.0]), [11.0, 8.0], [11.0, 0.0])


def test_a_schedule_that_starts_between_the_levels_starts_as_a_clip():
    first, second, third = split_schedule(torch.tensor([10.0, 9.0, 5.0, 0.0]), T0, T1)
    assert (first.tolist(), second.tolist(), third.tolist()) == ([10.0], [10.0, 9.0, 8.0], [10.0, 9.0, 5.0, 0.0])


@pytest.mark.parametrize("sigmas", [[7.0, 3.0, 0.0], [14.6, 12.0, 9.0]])
def test_a_schedule_that_misses_the_picture_is_refused(sigmas):
    with pytest.raises(
        ValueError,
        match=f"moved at the noise level 8, the schedule runs from {sigmas[0]:.4g} to {sigmas[-1]:.4g}: use one",
    ):
        split_schedule(torch.tensor(sigmas), T0, T1)


def test_branched_frames_stand_at_the_noise_level_of_the_first():
    generator = torch.Generator().manual_seed(0)
    picture = torch.ones(1, 1, 200, 200) * 3
    x_t0, x_t1 = (picture + level * torch.randn(picture.shape, generator=generator) for level in (T0, T1))
    eps = torch.randn(3, 1, 200, 200, generator=generator)
    frames = branch(x_t1, x_t0, eps, deltas((2, 0), 3, (200, 200)), T0, T1, VARIANCE_EXPLODING)
    assert torch.equal(frames[:1], x_t1)
    assert (frames - 3).std((1, 2, 3)).tolist() == pytest.approx([11.0] * 3, rel=0.02)
    alike = torch.corrcoef(torch.stack([frames[1, 0, :, 2:].flatten(), x_t0[0, 0, :, :-2].flatten()]))[0, 1]
    assert float(alike) == pytest.approx(8 / 11, abs=0.02)


def test_masks_become_cells_grown_by_two():
    masks = torch.zeros(3, 64, 96)
    masks[:, 32:40, 48:56] = 1
    grown = foregrounds(masks, deltas((8, 0), 3, (64, 96)), (8, 12))
    assert grown.shape == (3, 1, 8, 12) and grown[1, 0].nonzero().tolist() == [
        [row, column] for row in range(2, 7) for column in range(4, 9)
    ]
    moving = foregrounds(masks[:1], deltas((8, 0), 3, (64, 96)), (8, 12))
    assert torch.equal(moving[2, 0, :, 2:], moving[0, 0, :, :-2])


def test_what_is_half_white_or_less_is_no_subject():
    masks = torch.zeros(1, 4, 4)
    masks[0, 0, 0], masks[0, 3, 3] = 0.5, 0.51
    assert foregrounds(masks, deltas((0, 0), 1, (32, 32)), (4, 4))[0, 0].tolist() == [
        [0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1],
    ]  # fmt: skip


def test_the_release_looks_up_half_a_512th_before_a_cells_own_place():
    """The frames 1, 2, 3, 4 and 7 of its 64 x 64 latents, under its delta of 12, move by these cells."""
    moved = [int(sources(64, 12.0 * frame)[0]) for frame in (1, 2, 3, 4, 7)]
    assert moved == [1, 3, 4, 6, 10]


def test_smoothing_is_the_papers_on_the_background_and_leaves_subjects_alone():
    generator = torch.Generator().manual_seed(1)
    x, by = torch.randn(3, 4, 16, 16, generator=generator), deltas((1, 0), 3, (16, 16))
    foreground = (torch.rand(3, 1, 16, 16, generator=generator) > 0.7).float()
    smooth = smooth_background(x, foreground, by, 0.6)
    assert torch.equal(smooth[:1], x[:1])
    for k in (1, 2):  # the release's own terms: frame 0 without its subject is warped, and so is its mask
        background = (1 - foreground[k]) * (1 - warp(foreground[0], by[k]))
        free = warp(x[0] * (1 - foreground[0]), by[k])
        expected = (1 - background) * x[k] + background * (0.4 * x[k] + 0.6 * free)
        assert torch.allclose(smooth[k], expected, atol=1e-6)
    assert torch.equal(smooth_background(x, foreground, by, 0.0), x)
    assert torch.equal(smooth_background(x, torch.ones_like(foreground), by, 1.0), x)
