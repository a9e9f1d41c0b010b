"""Repeat-and-slide as a SAMPLER, and every sampler and kind of model that the node takes."""

import comfy.model_base
import comfy.model_sampling
import pytest
import torch
import unets
from few_shot_motion.host.sampling import slide_samplers, sliding
from sliding_models import advanced, counting, latents, made_moving, made_video_model, run


@pytest.fixture(scope="module")
def moving():
    return made_moving(unets.sd_model(unets.TINY))


@pytest.fixture(scope="module")
def video_model():
    return made_video_model()


# ------------------------------------------------------------------------------------------------ models and samplers


@pytest.mark.parametrize("sampler", sliding.STEPWISE)
def test_samplers_without_memory(moving, sampler):
    clip, _, _ = run(moving, latents(1), sampler_name=sampler, length=3, end="smallest sigma (official)")
    assert torch.isfinite(clip).all()
    assert torch.equal(
        run(moving, latents(1), sampler_name=sampler, length=3, end="smallest sigma (official)")[0], clip
    )


def test_ddim_is_euler(moving):
    assert torch.equal(run(moving, latents(1), sampler_name="ddim")[0], run(moving, latents(1))[0])


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun", "uni_pc", "dpm_adaptive", "dpmpp_2m_sde"])
def test_samplers_with_memory_are_refused(moving, sampler):
    with pytest.raises(
        ValueError, match=f"sampler_name is '{sampler}', which is none of its choices: choose euler, ddim"
    ):
        run(moving, latents(1), sampler_name=sampler)


@pytest.mark.parametrize("process", ["EPS", "V_PREDICTION", "FLOW"])
def test_video_models_of_every_parametrisation(process):
    model = made_video_model(comfy.model_base.ModelType[process])
    first = latents(1)["samples"]
    clip, _, said = run(model, {"samples": first})
    assert clip.shape == (1, 4, 5, 8, 8) and torch.equal(clip[:, :, 0], first) and torch.isfinite(clip).all()
    assert torch.equal(run(model, {"samples": first[:, :, None]})[0], clip)
    if process == "FLOW":
        assert 0 < float(said.rsplit(" ", 1)[1]) <= 0.94  # not from pure noise


def test_a_batch_of_video_latents_is_as_many_clips(video_model):
    starts = latents(2)["samples"][:, :, None]
    both, _, _ = run(video_model, {"samples": starts}, length=3)
    apart = [run(video_model, {"samples": starts[i : i + 1]}, length=3, seed=1 + i)[0] for i in range(2)]
    assert both.shape == (2, 4, 3, 8, 8) and torch.equal(both, torch.cat(apart))


@pytest.mark.parametrize("process", ["EPS", "V_PREDICTION", "FLOW"])
def test_noise_is_added_as_the_models_own_sampling_adds_it(process):
    sampling = made_video_model(comfy.model_base.ModelType[process]).model.model_sampling
    noising, sigma = sliding.noising_of(sampling), sampling.percent_to_sigma(0.4)
    sigma, z, eps = torch.tensor(float(sigma)), torch.randn(3, 4, 2, 2), torch.randn(3, 4, 2, 2)
    assert torch.allclose(noising.at(sigma, z, eps), sampling.noise_scaling(sigma, eps.clone(), z), atol=1e-6)


def test_a_clean_latent_needs_no_settling():
    """Whatever scale a model wants its input in: at no noise a latent is itself, at more it keeps its unit variance."""
    sampling = type("Edm", (comfy.model_sampling.ModelSamplingContinuousEDM, comfy.model_sampling.EDM), {})()
    sampling.set_parameters(0.002, 120.0, sigma_data=0.5)
    noising, x = sliding.noising_of(sampling), torch.randn(2, 4, 2, 2)
    assert torch.allclose(noising.settle(x, torch.tensor(0.0)), x)
    assert torch.allclose(noising.settle(x, torch.tensor(0.5)), x / 2**0.5)


def test_schedules_that_start_from_pure_noise_start_later(moving, caplog):
    zero_snr = moving.clone()
    sampling = type("Zsnr", (comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS), {})(zsnr=True)
    zero_snr.add_object_patch("model_sampling", sampling)
    clip, _, said = run(zero_snr, latents(1), scheduler="normal", steps=4)
    assert torch.isfinite(clip).all() and float(said.rsplit(" ", 1)[1]) < 15
    assert "starts from pure noise, which leaves nothing of the known frames: started at sigma" in caplog.text
    caplog.clear()
    assert torch.isfinite(run(moving, latents(1), scheduler="normal", length=2)[0]).all()
    assert "starts from pure noise" not in caplog.text, "SD's own schedule starts in sight"


def test_as_a_sampler_it_makes_a_clip_from_its_first_frame(moving):
    model, calls = counting(moving)
    latent = latents(5)
    clip, denoised = advanced(model, latent)
    assert torch.allclose(clip[:1], latent["samples"][:1], atol=1e-5) and torch.isfinite(clip).all()
    assert torch.allclose(denoised, clip, atol=1e-5) and len(calls) == 2 + 16
    other = {"samples": torch.cat([latent["samples"][:1], torch.zeros(4, 4, 8, 8)])}
    assert torch.allclose(advanced(moving, other)[0], clip, atol=1e-5)  # what the other frames hold does not matter


def test_as_a_sampler_it_takes_a_noise_mask(moving, video_model):
    mask = torch.tensor([0.0, 0, 1, 1, 0]).view(-1, 1, 1).expand(-1, 64, 64)
    latent = latents(5)
    clip, _ = advanced(moving, {**latent, "noise_mask": mask})
    assert torch.allclose(clip[[0, 1, 4]], latent["samples"][[0, 1, 4]], atol=1e-5)
    assert (clip[[2, 3]] - latent["samples"][[2, 3]]).abs().max() > 0.1
    film = latent["samples"].movedim(0, 1)[None]
    clip, _ = advanced(video_model, {"samples": film, "noise_mask": mask})
    assert clip.shape == film.shape and torch.allclose(clip[:, :, [0, 1, 4]], film[:, :, [0, 1, 4]], atol=1e-5)


def test_as_a_sampler_it_says_where_a_flow_starts(caplog):
    model = made_video_model(comfy.model_base.ModelType.FLOW)
    film = latents(3)["samples"].movedim(0, 1)[None]
    clip, _ = advanced(model, {"samples": film}, torch.tensor([1.0, 0.5, 0.0]))
    assert torch.isfinite(clip).all() and "started at sigma 0.8935 instead of 1" in caplog.text
    with pytest.raises(ValueError, match="The sigmas from 1 to 0.95 are all of pure noise: use sigmas that end at 0"):
        advanced(model, {"samples": film}, torch.tensor([1.0, 0.97, 0.95]))


# ------------------------------------------------------------------------------------------------ masks and seeds


def test_a_frame_is_known_or_to_be_made_from_one_half_on(moving):
    """Greys: known_frames of the node are white where a frame is known, a latent's noise mask is white over frames to
    make.
    """
    given, grey = latents(3), torch.tensor([1.0, 0.45, 0.55]).view(3, 1, 1).expand(3, 4, 4)
    clip = run(moving, given, length=3, known_frames=grey)[0]
    kept = [torch.equal(frame, was) for frame, was in zip(clip, given["samples"], strict=True)]
    assert kept == [True, False, True]
    made = advanced(moving, {**given, "noise_mask": 1 - grey})[0]
    kept = [torch.allclose(frame, was, atol=1e-5) for frame, was in zip(made, given["samples"], strict=True)]
    assert kept == [True, False, True]


def test_steps_do_not_draw_what_the_noise_drew(video_model, monkeypatch):
    """As core's samplers: they draw from the next seed, and every clip of a batch from one of its own."""
    seeds = []
    monkeypatch.setattr(
        slide_samplers, "seeded_noise", lambda seed: seeds.append(seed) or (lambda role, like: torch.zeros_like(like))
    )
    clips = torch.randn(2, 4, 3, 8, 8)
    advanced(video_model, {"samples": clips})
    assert seeds == [4, 5]  # the noise's seed is 3
