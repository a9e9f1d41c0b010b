"""Samplers whose steps share noise over the frames: all of core's that draw any, the others refused."""

import comfy.samplers
import pytest
import torch
import unets
from few_shot_motion.host.sampling.frame_noise import _paths
from few_shot_motion.nodes.frame_noise import FrameNoise, SamplerFrameNoise


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def sharing(sampler, strategy="shared", alpha=1.0, unit_variance=True, move=(0.0, 0.0)):
    return SamplerFrameNoise.execute(sampler, strategy, alpha, unit_variance, *move).args[0]


def clip(model, sampler, frames=2, seed=5):
    """A run whose frames start from one noise, so they end alike where the steps' noise is."""
    latents = torch.zeros(frames, 4, 8, 8)
    guider = comfy.samplers.CFGGuider(model)
    cond = [[torch.randn(1, 9, 64, generator=torch.Generator().manual_seed(0)), {}]]
    guider.set_conds(cond, cond)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5)).expand(latents.shape)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", 5)
    with torch.inference_mode():
        return guider.sample(noise, latents, sampler, sigmas, disable_pbar=True, seed=seed)


def same(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return torch.allclose(found, expected, atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("name", comfy.samplers.KSampler.SAMPLERS)
def test_frames_share_every_step_or_the_sampler_is_refused(base, name):
    """Which samplers draw noise is seen from core's own runs: those that come out otherwise with another seed."""
    sampler = comfy.samplers.sampler_object(name)
    if same(clip(base, sampler, 1, seed=5), clip(base, sampler, 1, seed=6)):
        with pytest.raises(
            ValueError,
            match="draws no noise in its steps, so there is none to share: connect one that does, for example "
            "euler_anc",
        ):
            sharing(sampler)
        return
    together, apart = clip(base, sharing(sampler, alpha=1.0)), clip(base, sharing(sampler, "independent"))
    assert torch.isfinite(together).all() and same(together[1], together[0])
    assert not same(apart[1], apart[0])


@pytest.mark.parametrize("name", ["euler_ancestral", "dpmpp_2m_sde"])
def test_noise_does_not_depend_on_the_number_of_frames(base, name):
    long, short = (
        clip(base, sharing(comfy.samplers.sampler_object(name), "autoregressive", 0.5), frames) for frames in (4, 2)
    )
    assert same(long[:2], short)


def test_the_noise_of_every_step_has_variance_one():
    drawn = []

    def spy(model, x, sigmas, extra_args=None, callback=None, disable=None, noise_sampler=None):
        drawn.extend(noise_sampler(high, low) for high, low in zip(sigmas[:-2], sigmas[1:-1], strict=True))
        return x

    wide, sigmas = torch.zeros(4, 4, 96, 96), torch.tensor([9.0, 4.0, 1.0, 0.0])
    for strategy in ("independent", "shared", "autoregressive", "warped"):
        drawn.clear()
        sharing(comfy.samplers.KSAMPLER(spy), strategy, 0.6, move=(16.0, 8.0)).sampler_function(
            None, wide, sigmas, extra_args={"seed": 1}
        )
        variances = torch.stack(drawn).var((2, 3, 4))
        assert variances.shape == (2, 4) and (variances - 1).abs().max() < 0.03
        assert abs(float(torch.corrcoef(torch.stack([drawn[0][0].flatten(), drawn[1][0].flatten()]))[0, 1])) < 0.02


@pytest.mark.parametrize("whole", [1.0, 0.1, 0.01, 0.001])
def test_a_frames_path_is_one_path_down_to_small_steps(whole):
    """What two steps draw is, put together, what one step over both draws: as SDE samplers count on."""
    x, sigmas = torch.zeros(2, 4, 8, 8), torch.tensor([10.0, 5.0, 0.0])
    draw, half = _paths(x, sigmas, [1, 2]), whole / 2
    high, middle, low = 2.0, 2.0 - half, 2.0 - whole
    together = (draw(high, middle) + draw(middle, low)) / 2**0.5
    assert torch.allclose(draw(high, low), together, atol=1e-2)
    assert abs(float(draw(high, low).std()) - 1) < 0.15


@pytest.mark.parametrize("options", [{"eta": 0.0}, {"s_noise": 0.0}])
def test_samplers_whose_noise_is_turned_off_are_refused(options):
    with pytest.raises(ValueError, match="The sampler euler_ancestral draws no noise in its steps"):
        sharing(comfy.samplers.ksampler("euler_ancestral", options))


def test_other_kinds_of_samplers_are_refused():
    with pytest.raises(ValueError, match="The sampler Sampler draws no noise"):
        sharing(comfy.samplers.Sampler())


def test_video_latents_have_their_frames_behind_the_channels():
    noise = FrameNoise.execute(3, "shared", 1.0, True).args[0].generate_noise({"samples": torch.zeros(2, 4, 5, 8, 8)})
    assert noise.shape == (2, 4, 5, 8, 8)
    assert torch.equal(noise[:, :, 1:], noise[:, :, :1].expand(-1, -1, 4, -1, -1)) and not torch.equal(
        noise[0], noise[1]
    )
