"""Sampling with LAMP's statistics at every step: from which step on they are the first frame's, and the steps' own
noise.
"""

from types import SimpleNamespace

import comfy.samplers
import pytest
import torch
from comfy.k_diffusion.sampling import default_noise_sampler
from few_shot_motion.host.sampling.clip_sampling import FIRST_FRAME, stepwise_sampler
from few_shot_motion.nodes.sampling import MatchFirstFrame
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


def by_hand(model, x, sigmas, begins):
    """Euler's steps, and after each the frames from `begins` on with frame 0's mean and spread, written anew."""
    for sigma, following in zip(sigmas[:-1], sigmas[1:], strict=True):
        x = x + (x - model(x, sigma)) / sigma * (following - sigma)
        for f in range(begins, len(x)):
            for c in range(x.shape[1]):
                own, first = x[f, c].flatten().double(), x[0, c].flatten().double()
                x[f, c] = ((own - own.mean()) / own.std() * first.std() + first.mean()).view(x[f, c].shape)
    return x


@pytest.mark.parametrize("name, matched", [("euler", True), ("ddim", True), ("euler_ancestral", False)])
def test_a_sampler_may_match_late_frames_after_every_step_as_the_recurrent_system_does(name, matched):
    """Frames 9 and on of 12; nothing happens to a clip of 9 frames."""
    x, sigmas = torch.randn(12, 4, 8, 8) * 3 + 1, torch.tensor([3.0, 2.0, 1.0, 0.5])

    def model(x, sigma, **_):
        return x.roll(1, -1) * 0.5

    model.inner_model = SimpleNamespace(inner_model=SimpleNamespace(model_sampling=None))  # where ancestral steps look

    def run(sampler, x):
        return sampler.sampler_function(model, x.clone(), sigmas, {"seed": 5}, None, True)

    sampler = comfy.samplers.sampler_object(name)
    late = MatchFirstFrame.execute(sampler, 9).args[0]
    found = run(late, x)
    if matched:
        assert torch.allclose(found, by_hand(model, x.clone(), sigmas, 9), atol=1e-4)
    spread = found.std((-2, -1))
    assert torch.allclose(spread[9:], spread[:1].expand(3, -1), atol=1e-4)
    assert not torch.allclose(spread[:9], spread[:1].expand(9, -1), atol=1e-2)
    assert torch.allclose(run(late, x[:9]), run(sampler, x[:9]), atol=1e-5)


@pytest.mark.parametrize("name", ["dpmpp_2m", "uni_pc", "lms"])
def test_samplers_with_a_memory_cannot(name):
    with pytest.raises(ValueError, match="need a sampler without memory, .* has one: choose euler"):
        MatchFirstFrame.execute(comfy.samplers.sampler_object(name), 9)


def test_frames_before_from_frame_stay():
    clip, pictures = torch.randn(4, 4, 8, 8), torch.rand(4, 16, 16, 3)
    found = MatchFirstFrame.execute({"samples": clip}, 2).args[0]["samples"]
    assert torch.equal(found[:2], clip[:2]) and (found[2:] != clip[2:]).any()
    assert torch.equal(MatchFirstFrame.execute(pictures, 3).args[0][:3], pictures[:3])
    assert torch.equal(MatchFirstFrame.execute(pictures, 4).args[0], pictures)
