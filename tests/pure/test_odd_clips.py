"""Clips as people have them: which frames make a frame rate, what is refused, and what is said of them."""

import pytest
import torch
from few_shot_motion.training.clips import (
    at_rate,
    check_count,
    check_length,
    check_sizes,
    odd_clips,
)


@pytest.mark.parametrize("rate, fps, frames", [(30, 8, 90), (24, 8, 48), (60, 7.5, 120), (29.97, 8, 100), (25, 24, 50)])
def test_a_rate_is_the_nearest_frames_to_its_moments(rate, fps, frames):
    times = [i / rate for i in range(frames)]
    taken = list(at_rate(times, rate, fps))
    assert taken[0] == 0 and len(set(taken)) == len(taken)
    assert all(abs(times[i] - k / fps) <= 0.5 / rate + 1e-6 for k, i in enumerate(taken))
    assert abs(len(taken) - frames / rate * fps) <= 1


@pytest.mark.parametrize("rate, fps", [(8, 8), (7.9, 8), (6, 8), (8.05, 8), (30, 0), (0, 8)])
def test_a_clip_that_is_no_faster_keeps_its_frames(rate, fps):
    assert list(at_rate([i / (rate or 1) for i in range(20)], rate, fps)) == list(range(20))


def test_a_gap_in_a_phones_clip_repeats_the_frame_behind_it():
    """Variable frame rates: the clip keeps its length in seconds."""
    times = [i / 30 for i in range(30)] + [2 + i / 30 for i in range(30)]
    taken = list(at_rate(times, 30, 8))
    assert len(taken) == 24 and taken[8:16] == [30] * 8 + [][:0] and taken[16] == 30


def test_counts_that_do_not_go_together():
    with pytest.raises(ValueError, match="3 clips and 2 captions"):
        check_count(3, 2)


def test_one_caption_may_serve_all_clips():
    check_count(2, 1)
    check_count(2, 2)


def test_clips_that_cannot_be_learnt_from():
    with pytest.raises(ValueError, match="Clip 2 has 15 frames, 16 are needed"):
        check_length(2, 15, 16)
    with pytest.raises(ValueError, match="different sizes .8x6, 8x8."):
        check_sizes([(8, 8), (8, 6), (8, 8)])
    check_length(2, 16, 16)
    check_sizes([(8, 8), (8, 8)])


def moving(seed: int, frames: int = 24, speed: float = 0.5) -> torch.Tensor:
    """Thumbnails of a smooth picture that drifts, `f h w`."""
    generator = torch.Generator().manual_seed(seed)
    phases, ways = torch.rand(3, generator=generator) * 6, torch.randn(3, 2, generator=generator)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    waves = [
        torch.sin(0.3 * (way[0] * y + way[1] * x) + phase + speed * torch.arange(float(frames))[:, None, None])
        for way, phase in zip(ways, phases, strict=True)
    ]
    return 0.5 + sum(waves) / 6


def test_good_clips_are_not_spoken_of():
    assert odd_clips([moving(seed) for seed in range(8)], 16) == []
    assert odd_clips([moving(0, speed=2.0), moving(1, speed=0.05)], 16) == []  # fast, slow
    assert odd_clips([torch.rand(24, 16, 16)], 16) == []  # nothing but sudden


def test_a_small_subject_before_a_still_background_moves():
    """A sixteenth of the picture's width, little brighter than what is behind it."""
    clip = torch.full((16, 16, 16), 0.4)
    for i in range(16):
        clip[i, 8, i] = 0.5
    assert odd_clips([clip, clip.flip(2)], 16) == []
    noise = 0.4 + 0.002 * torch.randn(16, 16, 16, generator=torch.Generator().manual_seed(0))
    assert odd_clips([noise], 16) == ["Clip 1 stands still: there is no motion in it to learn."]


def test_a_still_clip_a_cut_and_a_duplicate_are_said():
    still = moving(0)[:1].repeat(24, 1, 1)
    cut = torch.cat([moving(1)[:10] / 2, 0.5 + moving(5)[10:] / 2])
    noisy = (moving(2) + 0.002 * torch.randn(24, 16, 16)).clamp(0, 1)
    said = odd_clips([still, cut, moving(2), noisy], 16)
    assert said == [
        "Clip 1 stands still: there is no motion in it to learn.",
        "Clip 2 has a cut at frame 11: windows of 16 frames that span it teach the cut.",
        "Clip 4 is the same as clip 3.",
    ]
    assert odd_clips([moving(2), moving(2).flip(0)], 16) == []  # backwards is another motion
