"""Sampling with LAMP's statistics at every step: from which step on they are the first frame's, and the steps' own
noise.
"""

import comfy.samplers
import pytest
import torch
from comfy.k_diffusion.sampling import default_noise_sampler
from few_shot_motion.host.sampling.clip_sampling import FIRST_FRAME, stepwise_sampler
from few_shot_motion.samplers import first_frame


@pytest.mark.parametrize("steps, switched", [(50, 31), (100, 61), (25, 16), (20, 13), (10, 7), (5, 4)])
def test_the_first_frame_takes_over_in_the_same_part_of_the_sampling(monkeypatch, steps, switched):
    """The release's step 31 of 50, counted from 0: of its steps 0 to 30 frames are matched to frame 1."""
    told = []

    def match(x, sigma, z0, to_first_frame):
        told.append(to_first_frame)
        return x

    monkeypatch.setattr(first_frame, "match_step", match)
    x, z0 = torch.randn(3, 4, 2, 2), torch.randn(1, 4, 2, 2)
    sigmas = torch.linspace(10, 0, steps + 1)
    stepwise_sampler("euler", 0, steps).sampler_function(
        lambda x, sigma, **_: x * 0.5, x, sigmas, {"model_options": {FIRST_FRAME: z0}}, None, True
    )
    assert told == [step >= switched for step in range(steps)] + [True]


def test_steps_draw_the_noise_that_core_draws_and_not_the_clips_own(monkeypatch):
    drawn, x = [], torch.randn(3, 4, 2, 2)

    def ancestral(model, x, sigmas, noise_sampler=None, **_):
        drawn.append(noise_sampler(sigmas[0], sigmas[1]))
        return x

    monkeypatch.setattr(comfy.samplers, "sampler_object", lambda name: comfy.samplers.KSAMPLER(ancestral))
    options = {"model_options": {FIRST_FRAME: x[:1]}}
    stepwise_sampler("euler_ancestral", 3, 2).sampler_function(None, x, torch.tensor([2.0, 1.0, 0.0]), options)
    expected = default_noise_sampler(x, seed=3)
    assert torch.equal(drawn[0], expected(2.0, 1.0))
    assert not torch.equal(drawn[0], torch.randn(x.shape, generator=torch.Generator().manual_seed(3)))
