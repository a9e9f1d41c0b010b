"""First-Frame Conditioning: latents it takes, and samplers it serves."""

from dataclasses import replace

import comfy.model_management
import comfy.samplers
import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.sampling import clip_sampling
from few_shot_motion.host.sampling.advice import of_first_frame_sampler
from few_shot_motion.nodes.sampling import FirstFrameConditioning
from moving import FRAMES, adapter_for, moving


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


NO_FIRST_FRAME = "this sampler gives it none"


def sampled(model, clip, sigmas, name="euler"):
    """A run of ComfyUI's own guider."""
    cond = [[torch.randn(1, 9, 64), {}]]
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(cond, cond)
    with torch.inference_mode():
        return guider.sample(torch.randn_like(clip), clip, comfy.samplers.sampler_object(name), sigmas)


@pytest.mark.parametrize(
    "method, frames, conditioned, told",
    [("lamp", FRAMES, False, True), ("lamp", FRAMES, True, False), ("lamp", 1, False, False),
     ("recurrent", FRAMES, False, False), ("animatediff", FRAMES, False, False)],
)  # fmt: skip
def test_motion_that_wants_a_first_frame_says_where_it_gets_none(base, caplog, method, frames, conditioned, told):
    model = moving(base, method)
    model = clip_sampling.condition_model(model) if conditioned else model
    sampled(model, torch.randn(frames, 4, 8, 8), torch.tensor([2.0, 1.0, 0.0]))
    assert (NO_FIRST_FRAME in caplog.text) == told


def test_motion_of_another_kind_wants_none(base, caplog):
    """Layers as LAMP's, learnt without a first frame, as the miniature's prior."""
    prior = replace(adapter_for(base, "lamp"), metadata={"kind": "Motion prior"})
    model = bridge.apply_adapter(base, prior)
    sampled(model, torch.randn(FRAMES, 4, 8, 8), torch.tensor([2.0, 1.0, 0.0]))
    assert caplog.text == ""
    assert [line[:44] for line in of_first_frame_sampler(model)] == ["The motion in the model was learnt without a"]


def test_an_inversion_may_do_without_one(base, caplog):
    sampled(moving(base, "lamp"), torch.randn(FRAMES, 4, 8, 8), torch.tensor([0.1, 1.0, 2.0]))
    assert caplog.text == ""


@pytest.mark.parametrize("method, told", [("lamp", False), ("recurrent", True), ("tune-a-video", True),
                                          ("animatediff", True)])  # fmt: skip
def test_conditioning_says_which_motion_was_learnt_without_a_first_frame(base, caplog, method, told):
    from few_shot_motion.nodes.sampling import FirstFrameConditioning

    FirstFrameConditioning.execute(moving(base, method), {"samples": torch.randn(1, 4, 8, 8)}, FRAMES)
    assert ("learnt without a first frame" in caplog.text) == told
