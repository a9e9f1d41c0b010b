"""Noise that frames share: variances against the closed forms and against what the help page says, seeds, steps of a
sampler.
"""

import re
from pathlib import Path

import pytest
import torch
from few_shot_motion.samplers import noise
from few_shot_motion.samplers.warp import deltas, uncovered

PAGE = (Path(__file__).parents[2] / "web" / "docs" / "FSM_FrameNoise.md").read_text(encoding="utf-8")
WIDE = torch.Size((16, 4, 192, 192))
MOVE = (2.0, -1.0)  # cells


def measured(strategy: str, alpha: float, unit_variance: bool) -> float:
    """Variance of the 16th frame, where the first one's noise reaches it."""
    last = noise.frame_noise(5, WIDE, strategy, alpha, unit_variance, MOVE)[-1]
    there = ~uncovered(192, 192, deltas(MOVE, 16, (192, 192))[-1])
    return float(last[:, there].var())


def rows_of_the_page() -> list[tuple[str, float, float]]:
    """(strategy, alpha, variance) as the list of measured variances has them."""
    lines = re.findall(r"^- \*\*(\w+)\*\*: (.+ at alpha .+)$", PAGE, re.MULTILINE)
    return [
        (name, float(alpha), float(value))
        for name, values in lines
        for value, alpha in re.findall(r"([\d.]+) at (?:alpha )?([\d.]+)", values)
    ]


def test_the_page_has_the_table():
    assert len(rows_of_the_page()) == 9


@pytest.mark.parametrize("strategy, alpha, variance", rows_of_the_page())
def test_the_papers_formulas_shrink_the_variance_as_the_page_says(strategy, alpha, variance):
    assert measured(strategy, alpha, unit_variance=False) == pytest.approx(variance, abs=0.01)
    assert measured(strategy, alpha, unit_variance=True) == pytest.approx(1, abs=0.015)


@pytest.mark.parametrize("alpha, unit_variance", [(0.3, True), (0.3, False), (1.0, True)])
def test_warped_noise_moves(alpha, unit_variance):
    shape = torch.Size((4, 4, 64, 48))
    own = noise.frame_noise(3, shape)
    warped = noise.frame_noise(3, shape, "warped", alpha, unit_variance, MOVE)
    weight = (1 - alpha**2) ** 0.5 if unit_variance else 1 - alpha
    assert torch.equal(warped[0], own[0])
    for k in (1, 2, 3):
        moved = alpha * own[0, :, k:, : -2 * k] + weight * own[k, :, :-k, 2 * k :]
        assert torch.allclose(warped[k, :, :-k, 2 * k :], moved)
        assert torch.equal(warped[k, :, -k:], own[k, :, -k:]) and torch.equal(
            warped[k, :, :, : 2 * k], own[k, :, :, : 2 * k]
        )


def test_warped_noise_that_stands_still_is_shared():
    assert torch.equal(noise.frame_noise(3, WIDE, "warped", 0.4), noise.frame_noise(3, WIDE, "shared", 0.4))


def test_seeds_of_frames_do_not_depend_on_their_number_and_are_nobody_elses():
    assert noise.frame_seeds(7, 16)[:3] == noise.frame_seeds(7, 3)
    assert len({*noise.frame_seeds(7, 16), *noise.frame_seeds(8, 16), *noise.frame_seeds(9, 16)}) == 48


@pytest.mark.parametrize("strategy", noise.STRATEGIES)
def test_every_step_of_a_sampler_shares(strategy):
    drawn = torch.randn(2, 5, 4, 8, 8)
    steps = {(3.0, 2.0): drawn[0], (2.0, 1.0): drawn[1]}
    source = noise.step_noise(lambda *levels: steps[levels], strategy, 0.5, True, MOVE)
    for levels, eps in steps.items():
        assert torch.equal(source(*levels), noise.correlate(eps, strategy, 0.5, True, MOVE))


@pytest.mark.parametrize("strategy", noise.STRATEGIES)
def test_a_path_stays_a_path(strategy):
    """SDE samplers ask for a step's noise and for its parts: the parts of a Brownian path still add up once frames
    share it.
    """
    parts = torch.randn(2, 5, 4, 8, 8)
    shared = [
        noise.step_noise(lambda *_, eps=eps: eps, strategy, 0.5, True, MOVE)(1, 0) for eps in (*parts, parts.sum(0))
    ]
    assert torch.allclose(shared[0] + shared[1], shared[2], atol=1e-5)


def test_video_latents_may_have_clips_behind_the_frames():
    eps = torch.randn(5, 2, 4, 8, 8)
    for strategy in noise.STRATEGIES:
        both = noise.correlate(eps, strategy, 0.5, True, MOVE)
        assert torch.allclose(both[:, 1], noise.correlate(eps[:, 1], strategy, 0.5, True, MOVE))
