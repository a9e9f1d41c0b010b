"""DDIM Inversion inside ComfyUI: core's samplers give back what it inverted."""

import comfy.model_base
import comfy.model_management
import comfy.model_sampling
import comfy.samplers
import pytest
import torch
import unets
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_custom_sampler import CFGGuider, DisableNoise, SamplerCustomAdvanced
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.nodes.inversion import DDIMInversion
from few_shot_motion.nodes.sampling import FirstFrameConditioning, FirstFrameKSampler
from nodes import KSamplerAdvanced

FRAMES = 3


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


CLIP, COND, OTHER = {"samples": 5 * drawn(FRAMES, 4, 4, 4)}, [[drawn(1, 9, 64), {}]], [[drawn(1, 9, 64, seed=1), {}]]


@pytest.fixture(scope="module")
def moving():
    """A UNet whose noise changes slowly with its input, as a trained one's, with an adapter alive in every layer."""
    weights = unets.random_weights(unets.sd_model(unets.TINY).model.diffusion_model, seed=0)
    base = unets.sd_model(unets.TINY, {**weights, "out.2.weight": 0.03 * weights["out.2.weight"]})
    tensors = unets.random_weights(MotionModule(bridge.sites_of(base)), seed=1)
    return bridge.apply_adapter(base, MotionAdapter("lamp", {name: 0.1 * value for name, value in tensors.items()}))


def invert(
    model, clip=CLIP, steps=10, scheduler="ddim_uniform", first_frame="inverted", cfg=1.0, negative=None, positive=COND
):
    with torch.inference_mode():
        latent, noise = DDIMInversion.execute(model, positive, clip, steps, scheduler, first_frame, cfg, negative).args
    return latent, noise


def sampled(model, latent, steps=10, scheduler="ddim_uniform", sampler="euler", cfg=1.0) -> torch.Tensor:
    with torch.inference_mode():
        (out,) = KSamplerAdvanced().sample(
            model, "disable", 0, steps, cfg, sampler, scheduler, COND, OTHER, latent, 0, 10_000, "disable"
        )
    return out["samples"]


def error(found: torch.Tensor) -> float:
    return float((found - CLIP["samples"]).abs().max() / CLIP["samples"].std())


@pytest.mark.parametrize("scheduler", ["ddim_uniform", "normal", "karras"])
def test_sampling_gives_the_clip_back(moving, scheduler):
    latent, _ = invert(moving, scheduler=scheduler)
    assert error(sampled(moving, latent, scheduler=scheduler)) < 0.3 < 2 < error(latent["samples"])


def test_more_steps_come_closer(moving):
    few, many = (error(sampled(moving, invert(moving, steps=steps)[0], steps, sampler="ddim")) for steps in (5, 25))
    assert many < 0.65 * few


@pytest.mark.parametrize("zsnr", [False, True])
def test_models_that_predict_v(moving, zsnr):
    (model,) = ModelSamplingDiscrete().patch(moving, "v_prediction", zsnr)
    assert error(sampled(model, invert(model)[0])) < 0.2


def test_context_windows_work_as_in_sampling(moving):
    """A clip twice as long as a window: inverted and sampled through the same windows it comes back."""
    windows = ContextWindowsManualNode.execute(
        moving, FRAMES, 1, "standard_static", 1, False, "pyramid", 0, False, causal_window_fix=False
    ).args[0]
    clip, seen = {"samples": 5 * drawn(2 * FRAMES, 4, 4, 4)}, set()
    windows.set_model_unet_function_wrapper(
        lambda apply, call: (
            seen.add(len(call["input"]) // len(call["cond_or_uncond"]))
            or apply(call["input"], call["timestep"], **call["c"])
        )
    )
    latent, _ = invert(windows, clip)
    assert seen == {FRAMES}
    assert not torch.allclose(latent["samples"], invert(moving, clip)[0]["samples"], atol=0.1)
    off = (sampled(windows, latent) - clip["samples"]).abs().max() / clip["samples"].std()
    assert off < 0.3


def test_guidance_is_the_samplers(moving):
    """Inverted with a cfg, sampled with the same: the clip again; sampled with another: not."""
    latent, _ = invert(moving, cfg=3.0, negative=OTHER)
    assert 2 * error(sampled(moving, latent, cfg=3.0)) < error(sampled(moving, latent, cfg=1.0))


def test_noise_and_latent_are_one_thing(moving):
    empty = {"samples": torch.zeros_like(CLIP["samples"])}
    for scheduler in (
        "ddim_uniform",
        "normal",
    ):  # the second starts at the schedule's very top, where core scales noise otherwise
        latent, noise = invert(moving, scheduler=scheduler)
        with torch.inference_mode():
            guider = CFGGuider.execute(moving, COND, COND, 1.0).args[0]
            sigmas = comfy.samplers.calculate_sigmas(moving.get_model_object("model_sampling"), scheduler, 10)
            found = [
                SamplerCustomAdvanced.execute(
                    source, guider, comfy.samplers.sampler_object("euler"), sigmas, given
                ).args[0]["samples"]
                for source, given in ((DisableNoise.execute().args[0], latent), (noise, empty))
            ]
        assert torch.allclose(*found, atol=1e-3)
        assert torch.allclose(found[0], sampled(moving, latent, scheduler=scheduler), atol=1e-3)


def test_a_clean_first_frame_stays_and_conditions_the_others(moving):
    first = {"samples": CLIP["samples"][:1]}
    latent, noise = invert(moving, first_frame="clean")
    assert torch.equal(latent["samples"][:1], first["samples"])
    with torch.inference_mode():
        clip = FirstFrameKSampler.execute(
            moving, COND, OTHER, first, FRAMES, 0, 10, 1.0, "euler", "ddim_uniform", "none", noise
        ).args[0]["samples"]  # fmt: skip
        conditioned = FirstFrameConditioning.execute(moving, first, FRAMES).args[0]
    assert torch.equal(clip[:1], first["samples"])
    assert error(clip) < 0.1 and torch.allclose(sampled(conditioned, latent), clip, atol=1e-3)
    assert error(sampled(moving, latent)) > 3 * error(clip), (
        "a sampler that takes the clean frame for noise does not give the clip back"
    )


@pytest.mark.parametrize("family", unets.FAMILIES)
def test_every_family_takes_one_prompt_or_one_per_frame(family):
    model = unets.family_model(family)
    one, several = (
        invert(model, steps=3, positive=unets.prompt(family, frames=frames))[0]["samples"] for frames in (1, FRAMES)
    )
    assert torch.isfinite(one).all() and torch.isfinite(several).all()
    assert torch.allclose(one[:1], several[:1], atol=1e-4) and not torch.allclose(one[1:], several[1:], atol=1e-2)


def test_the_model_is_as_before(moving):
    before = {name: value.clone() for name, value in moving.model.state_dict().items()}
    picture = sampled(moving, CLIP, 3)
    invert(moving, steps=3, first_frame="clean")
    assert torch.equal(sampled(moving, CLIP, 3), picture)
    after = moving.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_progress_and_cancel(moving, monkeypatch):
    import comfy.utils

    told = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda value, total, *_, **__: told.append((value, total)))
    invert(moving, steps=5)
    assert told[-1] == (5, 5)

    def cancelled(value, total, *_, **__):
        raise comfy.model_management.InterruptProcessingException

    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", cancelled)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        invert(moving, steps=5)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"clip": {"samples": torch.zeros(4, 16, 8, 8)}}, r"shape \(4, 16, 8, 8\), this model's have 4 channels"),
        ({"clip": {"samples": torch.zeros(1, 4, 4, 8, 8)}}, "latents of 5 dimensions, this model's have 4"),
        ({"clip": {"samples": torch.full((4, 4, 8, 8), float("nan"))}}, "no numbers"),
        ({"scheduler": "kl_optimal", "steps": 1}, "The schedule kl_optimal has no noise levels for 1 steps"),
        ({"cfg": 3.0}, "A cfg of 3 needs a negative prompt"),
        ({"clip": {"samples": torch.zeros(1, 4, 8, 8)}, "first_frame": "clean"}, "The clip has one frame"),
    ],
)
def test_bad_input(moving, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        invert(moving, **change)
    assert "\n" not in str(caught.value)


def test_other_models_are_refused(moving):
    class Flow(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
        pass

    flow = moving.clone()
    flow.add_object_patch("model_sampling", Flow())
    with pytest.raises(
        ValueError, match="needs a model that predicts noise or v; this model is Stable Diffusion 1.x, which does not"
    ):
        invert(flow)


def test_noise_of_another_clip(moving):
    _, noise = invert(moving, steps=2)
    with pytest.raises(ValueError, match=r"shape \(3, 4, 4, 4\), \(5, 4, 8, 8\) are to be sampled"):
        noise.generate_noise({"samples": torch.zeros(5, 4, 8, 8)})
