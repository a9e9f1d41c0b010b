"""A loss that looks where a clip moves: its weights, and what they leave of an error."""

import pytest
import torch
from few_shot_motion.training.loss import lamp_loss, video_loss, where_it_moves


def clip_of(places: int) -> torch.Tensor:
    """A clip `1 4 2 4 4` that changes in so many of its 16 places, all by as much."""
    clip = torch.full((1, 4, 2, 4, 4), 3.0)
    clip[:, 1::2, :, 0, :places] += 1
    return clip


@pytest.mark.parametrize("places", [1, 4])
def test_places_count_by_their_share_of_what_changes(places):
    weights = where_it_moves(clip_of(places), 1.0)
    assert weights.shape == (1, 1, 1, 4, 4)
    assert torch.equal(weights[0, 0, 0, 0, :places], torch.full((places,), 16 / places))
    assert weights.sum() == 16  # nowhere else
    half = where_it_moves(clip_of(places), 0.5)
    assert torch.equal(half, 0.5 + 0.5 * weights)


def test_what_changes_twice_as_much_counts_twice():
    clip = clip_of(4)
    clip[..., 0, 0] = 3 + 2 * (clip[..., 0, 0] - 3)
    weights = where_it_moves(clip, 1.0)[0, 0, 0, 0]
    assert torch.allclose(weights, torch.tensor([2.0, 1, 1, 1]) * 16 / 5)


def test_each_clip_counts_as_much_as_before():
    clips = torch.randn(3, 5, 4, 6, 7) * torch.tensor([0.1, 1, 10]).view(3, 1, 1, 1, 1)
    means = where_it_moves(clips, 0.8).mean(dim=(1, 2, 3, 4))
    assert torch.allclose(means, torch.ones(3), atol=1e-5)
    assert torch.allclose(where_it_moves(clips * 7, 0.8), where_it_moves(clips, 0.8), atol=1e-5)


@pytest.mark.parametrize(
    "clip", [clip_of(0), clip_of(2), torch.randn(2, 1, 4, 3, 3)], ids=["still", "moves", "picture"]
)
def test_nothing_is_looked_at_without_focus_and_where_nothing_moves(clip):
    assert torch.equal(where_it_moves(clip, 0.0), torch.ones_like(clip[:, :1, :1]))
    if clip.var(dim=1, correction=0).sum() == 0:
        assert torch.equal(where_it_moves(clip, 1.0), torch.ones_like(clip[:, :1, :1]))


@pytest.mark.parametrize("loss", [lamp_loss, video_loss])
def test_an_error_where_nothing_moves_is_left_out_at_full_focus(loss):
    x0, one = clip_of(4), torch.ones(1)
    given = {"x0": x0, "eps": torch.zeros_like(x0), "sigma": one, "input_scale": one}
    wrong = torch.zeros_like(x0)
    wrong[..., 1:, :] = 1  # where nothing moves: 12 of 16 places
    assert loss(lambda x, sigma: x0 + wrong, **given) == 0.75
    assert loss(lambda x, sigma: x0 + wrong, **given, focus=0.5) == 0.375
    assert loss(lambda x, sigma: x0 + wrong, **given, focus=1.0) == 0
    assert loss(lambda x, sigma: x0 + 1 - wrong, **given, focus=1.0) == 1
