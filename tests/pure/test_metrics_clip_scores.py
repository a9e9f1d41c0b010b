"""CLIP's numbers, from hand-made embeddings."""

import math

import pytest
import torch
from few_shot_motion.metrics.clip_scores import (
    alignment,
    alignment_per_frame,
    clip_temp,
    consistency,
    diversity,
    temporal_per_pair,
)


def at(*degrees: float) -> torch.Tensor:
    """Embeddings f 2 of any length, at these angles."""
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1) * torch.arange(1, len(degrees) + 1)[:, None]


def cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def test_alignment_is_the_mean_cosine():
    assert alignment_per_frame(at(0, 60, 90), at(0)[0] * 5).tolist() == pytest.approx([1, 0.5, 0], abs=1e-12)
    assert alignment(at(0, 60, 90), at(0)[0]) == pytest.approx(0.5)


def test_clip_temp_compares_neighbours_and_consistency_all():
    frames = at(0, 30, 90)
    assert temporal_per_pair(frames).tolist() == pytest.approx([cos(30), cos(60)])
    assert clip_temp(frames) == pytest.approx((cos(30) + cos(60)) / 2)
    assert consistency(frames) == pytest.approx((cos(30) + cos(60) + cos(90)) / 3)


def test_consistency_is_tune_a_videos_over_ordered_pairs():
    e = torch.randn(7, 16, generator=torch.Generator().manual_seed(0)).double()
    e = e / e.norm(dim=1, keepdim=True)
    both_ways = [float(e[i] @ e[j]) for i in range(7) for j in range(7) if i != j]
    assert consistency(e) == pytest.approx(sum(both_ways) / len(both_ways))


def test_diversity_is_lamps():
    """LAMP: v = sum of unit embeddings / 16, not made unit again; mean of v_i .

    v_j over pairs. With 16 frames it is ours.
    """
    videos = [torch.randn(16, 8, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    v = [(x / x.norm(dim=1, keepdim=True)).sum(dim=0) / 16.0 for x in videos]
    assert diversity(videos) == pytest.approx(float(v[0] @ v[1] + v[0] @ v[2] + v[1] @ v[2]) / 3, abs=1e-6)
    assert diversity([at(0, 0), at(90, 90)]) == pytest.approx(0, abs=1e-12)
    assert diversity([at(0, 90), at(0, 90)]) == pytest.approx(0.5), "inconsistent frames lower it"


def test_still_videos_are_perfectly_consistent():
    still = at(40).repeat(5, 1)
    assert clip_temp(still) == pytest.approx(1) and consistency(still) == pytest.approx(1)
    assert diversity([still, still]) == pytest.approx(1)


def test_what_one_frame_or_one_video_cannot_tell_is_nan():
    assert math.isnan(clip_temp(at(0))) and math.isnan(consistency(at(0))) and math.isnan(diversity([at(0, 1)]))
