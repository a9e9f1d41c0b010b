"""Noise across frames, statistics, and the clean first frame, on denoisers whose answers are known."""

import pytest
import torch
from few_shot_motion.samplers import first_frame, noise, statistics

SHAPE = torch.Size((6, 4, 24, 24))


@pytest.mark.parametrize("strategy", noise.STRATEGIES)
def test_longer_clips_begin_like_shorter_ones(strategy):
    short, long = (noise.frame_noise(7, torch.Size((frames, *SHAPE[1:])), strategy) for frames in (3, 6))
    assert torch.equal(long[:3], short)
    assert not torch.equal(noise.frame_noise(8, SHAPE, strategy)[0], long[0])


def test_shared_noise_is_equation_6():
    own = noise.frame_noise(3, SHAPE, "independent")
    shared = noise.frame_noise(3, SHAPE, "shared", 0.2, unit_variance=False)
    assert torch.equal(shared[0], own[0])
    assert torch.allclose(shared[1:], 0.2 * own[:1] + 0.8 * own[1:])


def test_alpha_ends():
    own = noise.frame_noise(3, SHAPE, "independent")
    for strategy in ("shared", "autoregressive"):
        assert torch.allclose(noise.frame_noise(3, SHAPE, strategy, 0.0), own)
        assert torch.allclose(noise.frame_noise(3, SHAPE, strategy, 1.0), own[:1].expand(SHAPE))


def test_unknown_strategy_is_named():
    with pytest.raises(ValueError, match="'pink'.*independent, shared, autoregressive"):
        noise.frame_noise(0, SHAPE, "pink")


def test_statistics_match_the_first_frame():
    latents = torch.randn(SHAPE) * (torch.rand(6, 4, 1, 1) * 3 + 0.1) + torch.randn(6, 4, 1, 1)
    matched = statistics.match_statistics(latents)
    assert torch.equal(matched[0], latents[0])
    for measure in (torch.mean, torch.std):
        assert torch.allclose(measure(matched, (-2, -1)), measure(latents[:1], (-2, -1)).expand(6, 4), atol=1e-4)
    assert torch.equal(statistics.match_statistics(latents[:1]), latents[:1])


def test_histograms_match_the_first_frame():
    images = torch.rand(3, 32, 32, 3) ** torch.tensor([1.0, 2.0, 0.5]).view(3, 1, 1, 1)
    matched = statistics.match_histograms(images)
    assert torch.equal(matched[0], images[0])
    for frame in matched[1:]:
        found, wanted = frame.flatten(0, 1).sort(0).values, images[0].flatten(0, 1).sort(0).values
        assert (found - wanted).abs().mean() < 0.01
    assert torch.allclose(statistics.match_histograms(images[:1].expand(2, -1, -1, -1))[1], images[0], atol=1 / 255)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_statistics_of_plain_frames_and_of_half_precision(dtype):
    """A frame of one value has no spread to divide by; in half precision the guard against that would be lost."""
    latents = torch.cat([torch.randn(1, 4, 8, 8) + 3, torch.full((1, 4, 8, 8), 2.0)]).to(dtype)
    matched = statistics.match_statistics(latents)
    assert matched.dtype == dtype and torch.equal(matched[0], latents[0])
    assert torch.allclose(
        matched[1].float(), latents[0].float().mean((-2, -1), keepdim=True).expand(4, 8, 8), atol=0.02
    )


def test_a_video_models_latents_are_matched_clip_by_clip():
    clips = torch.randn(2, 4, 6, 8, 8) * torch.rand(2, 4, 6, 1, 1) + torch.randn(2, 4, 6, 1, 1)  # b c f h w
    matched = statistics.match_statistics(clips)
    assert matched.shape == clips.shape
    for found, clip in zip(matched, clips, strict=True):
        assert torch.equal(found, statistics.match_statistics(clip.movedim(1, 0)).movedim(0, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_beyond_zero_and_one_count_as_those(dtype):
    """Pictures come out of a VAE or a scaling a little beyond the range; a level past 255 must not begin again at 0."""
    levels = torch.linspace(-0.3, 1.3, 32 * 32).view(1, 32, 32, 1).expand(3, 32, 32, 3).to(dtype)
    matched = statistics.match_histograms(levels)
    assert torch.equal(matched[0], levels[0])
    assert torch.equal(matched[1:], statistics.match_histograms(levels.clamp(0, 1))[1:])
    assert (matched[1:] - levels.clamp(0, 1)[1:]).abs().max() <= 1.5 / 255
    assert statistics.match_histograms(torch.full((2, 4, 4, 3), 1.02))[1].min() == 1
    assert statistics.match_histograms(torch.full((2, 4, 4, 3), -0.02))[1].max() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_level_of_equal_frames_stays(dtype):
    levels = (torch.arange(256) / 255).view(1, 16, 16, 1).expand(2, 16, 16, 3).to(dtype)
    assert torch.equal(statistics.match_histograms(levels)[1], levels[0])


def test_transparency_and_grey_pictures_keep_what_they_are():
    images = torch.rand(3, 8, 8, 4)
    matched = statistics.match_histograms(images)
    assert torch.equal(matched[..., 3], images[..., 3])
    assert torch.equal(matched[..., :3], statistics.match_histograms(images[..., :3]))
    assert torch.equal(statistics.match_histograms(images[..., :1]), matched[..., :1])


def test_one_frame_or_none_comes_back():
    for clip in (torch.rand(1, 8, 8, 3), torch.rand(0, 8, 8, 3)):
        assert torch.equal(statistics.match_histograms(clip), clip)
    for clip in (torch.rand(1, 4, 8, 8), torch.rand(0, 4, 8, 8), torch.rand(2, 4, 1, 8, 8)):
        assert torch.equal(statistics.match_statistics(clip), clip)


def gaussian_denoiser(mean: torch.Tensor, std: float):
    """The exact denoiser of N(mean, std^2): the sampler's end point from x is then known in closed form."""
    return lambda x, sigma: (std**2 * x + sigma.view(-1, 1, 1, 1) ** 2 * mean) / (std**2 + sigma.view(-1, 1, 1, 1) ** 2)


def sample_euler(model, x, sigmas, extra_args=None, callback=None, disable=None):
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i].expand(len(x)))
        x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
        if callback:
            callback({"i": 0, "x": x, "denoised": denoised})
    return x


def test_the_model_sees_the_first_frame_clean_and_it_comes_back_exact():
    z0, x, seen = torch.randn(1, 4, 3, 3), torch.randn(5, 4, 3, 3), []

    def predict(x):
        seen.append(x)
        return x * 0.5

    out = first_frame.condition_on_first_frame(predict, x, z0, input_scale=0.25)
    assert torch.equal(seen[0][:1] * 0.25, z0) and torch.equal(seen[0][1:], x[1:])
    assert torch.equal(out[:1], z0) and torch.equal(out[1:], x[1:] * 0.5)


def test_stepwise_is_the_sampler_itself_but_for_the_statistics(monkeypatch):
    sigmas = torch.cat([torch.linspace(14, 0.05, 12), torch.zeros(1)])
    model, x, z0 = gaussian_denoiser(torch.tensor(0.3), 0.7), torch.randn(4, 2, 8, 8) * 14, torch.randn(1, 2, 8, 8)
    steps = []
    monkeypatch.setattr(first_frame, "match_step", lambda x, *_, **__: x)
    out = first_frame.sample_stepwise(
        sample_euler, model, x, sigmas, z0, callback=lambda state: steps.append(state["i"])
    )
    assert torch.allclose(out, sample_euler(model, x, sigmas), atol=1e-5)
    assert steps == list(range(12))


def test_stepwise_matches_frame_one_first_and_the_first_frame_at_the_end():
    x, z0, sigma = torch.randn(4, 2, 16, 16) * 3 + 1, torch.randn(1, 2, 16, 16) * 0.5 - 1, torch.tensor(0.75)
    early = first_frame.match_step(x, sigma, z0, to_first_frame=False)
    assert torch.equal(early[:2], x[:2])
    assert torch.allclose(early[2:].mean((-2, -1)), x[1:2].mean((-2, -1)).expand(2, 2), atol=1e-5)
    late = first_frame.match_step(x, sigma, z0, to_first_frame=True)
    assert torch.allclose(late[1:].mean((-2, -1)), (z0 * 1.25).mean((-2, -1)).expand(3, 2), atol=1e-5)
    assert torch.allclose(late[1:].std((-2, -1)), (z0 * 1.25).std((-2, -1)).expand(3, 2), atol=1e-5)
