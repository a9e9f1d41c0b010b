"""From which step on LAMP's statistics at every step are the first frame's: in the same part of any number of steps."""

import pytest
import torch
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
