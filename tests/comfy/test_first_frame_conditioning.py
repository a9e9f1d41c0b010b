"""First-Frame Conditioning: latents it takes, and samplers it serves."""

import comfy.model_management
import comfy.samplers
import pytest
import torch
import unets
from few_shot_motion.nodes.sampling import FirstFrameConditioning
from moving import FRAMES, moving


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


@pytest.mark.parametrize(
    "shape, message",
    [
        ((2, 4, 8, 8), "One first frame is wanted, the latent holds 2"),
        ((1, 16, 8, 8), r"shape \(1, 16, 8, 8\), this model's have 4 channels"),
        ((1, 4, 1, 8, 8), "has latents of 5 dimensions, this model's have 4"),
    ],
)
def test_latents_that_are_no_first_frame(base, shape, message):
    with pytest.raises(ValueError, match=message):
        FirstFrameConditioning.execute(base, {"samples": torch.zeros(shape)}, 8)


def test_first_frame_conditioning_serves_sampler_custom_advanced(base):
    from comfy_extras.nodes_custom_sampler import CFGGuider, SamplerCustomAdvanced
    from few_shot_motion.nodes.frame_noise import FrameNoise

    first = torch.randn(1, 4, 8, 8) * 5
    cond = [[torch.randn(1, 9, 64), {}]]
    model, latent = FirstFrameConditioning.execute(moving(base, "lamp"), {"samples": first}, FRAMES).args
    noise = FrameNoise.execute(3, "autoregressive", 0.3, True).args[0]
    guider = CFGGuider.execute(model, cond, cond, 2.0).args[0]
    sigmas = comfy.samplers.calculate_sigmas(base.model.model_sampling, "normal", 3)
    with torch.inference_mode():
        clip = SamplerCustomAdvanced.execute(
            noise, guider, comfy.samplers.sampler_object("dpmpp_2m"), sigmas, latent
        ).args[0]["samples"]
    assert clip.shape[0] == FRAMES and torch.equal(clip[:1].cpu(), first) and torch.isfinite(clip).all()
