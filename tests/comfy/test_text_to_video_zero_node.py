"""Text2Video-Zero inside ComfyUI: any sampler, SD 1.x, 2.x and SDXL, masks, what is refused, and a model as clean as
before.
"""

import comfy.samplers
import comfy.supported_models
import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.sampling.clip_sampling import condition_model
from few_shot_motion.host.sampling.text_to_video_zero import apply_motion
from few_shot_motion.motion_modules.adapter import AdapterError
from few_shot_motion.nodes.text_to_video_zero import TextToVideoZero

FRAMES = 3
SIZE = (8, 8)


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def moving(model, move=(16.0, 0.0), **inputs):
    settings = {"t0": 881, "t1": 941, "background_smoothing": 0.6, "by_size": False, **inputs}
    return TextToVideoZero.execute(model, *move, **settings).args[0]


def sample(
    model,
    sampler="euler",
    steps=4,
    frames=FRAMES,
    seed=3,
    cfg=2.0,
    scheduler="normal",
    denoise=1.0,
    latents=None,
    mask=None,
    callback=None,
):
    generator = torch.Generator().manual_seed(1)
    cond, uncond = (
        [[torch.randn(1, 9, 64, generator=generator), {"pooled_output": torch.randn(1, 1280, generator=generator)}]]
        for _ in range(2)
    )
    noise = torch.stack([torch.randn(4, *SIZE, generator=generator.manual_seed(seed + i)) for i in range(frames)])
    latents = torch.zeros_like(noise) if latents is None else latents
    sampler = comfy.samplers.sampler_object(sampler) if isinstance(sampler, str) else sampler
    sigmas = comfy.samplers.calculate_sigmas(
        model.get_model_object("model_sampling"), scheduler, round(steps / denoise)
    )[-steps - 1 :]
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(cond, uncond)
    guider.set_cfg(cfg)
    with torch.inference_mode():
        return guider.sample(
            noise, latents, sampler, sigmas, denoise_mask=mask, callback=callback, disable_pbar=True, seed=seed
        )


@pytest.mark.parametrize("sampler", comfy.samplers.KSampler.SAMPLERS)
def test_every_sampler_of_core_makes_a_clip(base, sampler):
    clip = sample(moving(base), sampler, steps=3)
    assert clip.shape == (FRAMES, 4, *SIZE) and torch.isfinite(clip).all()
    assert (clip[1:] - clip[:1]).abs().amax((1, 2, 3)).min() > 1e-3


@pytest.mark.parametrize("scheduler", comfy.samplers.KSampler.SCHEDULERS)
def test_every_schedule_does(base, scheduler):
    steps = 10 if scheduler == "ddim_uniform" else 2  # with fewer ddim_uniform leaves the noise out
    assert torch.isfinite(sample(moving(base), steps=steps, scheduler=scheduler)).all()


def test_one_step_does(base):
    assert torch.isfinite(sample(moving(base), "lcm", steps=1)).all()


def test_frame_zero_is_the_picture_of_the_same_seed(base):
    """Levels put into the schedule change it a little; where they are steps of it, not at all."""
    alone = sample(base, steps=20, scheduler="ddim_uniform", frames=1)
    clip = sample(moving(base, t0=851, t1=901), steps=20, scheduler="ddim_uniform", frames=2)
    assert torch.allclose(clip[:1], alone, atol=1e-4 * float(alone.abs().max()))


def test_small_pictures_are_moved_at_less_noise(base):
    """8 of 64 cells a side: the levels at an eighth of the sigma, and by default."""
    sampling = base.get_model_object("model_sampling")
    levels = [float(sampling.percent_to_sigma(1 - t / 999)) / 8 for t in (881, 941)]
    steps = []

    def spy(model, x, sigmas, **_):
        steps.append(sigmas.tolist())
        return x

    clip = TextToVideoZero.execute(base, 16.0, 0.0, 881, 941, 0.6).args[0]
    sample(clip, comfy.samplers.KSAMPLER(spy))
    assert len(steps) == 3 and [steps[1][-1], steps[2][0]] == pytest.approx(levels, rel=1e-4)


def test_one_frame_is_left_alone(base):
    assert torch.equal(sample(moving(base), frames=1), sample(base, frames=1))


def test_progress_counts_every_step_once(base):
    seen = []
    sample(moving(base), steps=20, callback=lambda i, denoised, x, total: seen.append((i, total, len(x))))
    assert [i for i, _, _ in seen] == list(range(seen[0][1])) and len(seen) == seen[0][1]
    assert [frames for *_, frames in seen] == [1] * 4 + [FRAMES] * 19


@pytest.mark.parametrize("sampler", ["euler_ancestral", "dpmpp_2m_sde"])
def test_the_same_seed_makes_the_same_clip_and_parts_draw_their_own_noise(base, sampler):
    seeds = []
    inner = comfy.samplers.sampler_object(sampler)

    def spy(model, x, sigmas, extra_args=None, **kwargs):
        seeds.append(extra_args["seed"])
        return inner.sampler_function(model, x, sigmas, extra_args=extra_args, **kwargs)

    first = sample(moving(base), comfy.samplers.KSAMPLER(spy))
    assert len(set(seeds)) == 3 and seeds[0] == 3
    assert torch.equal(sample(moving(base), sampler), first)


# ------------------------------------------------------------------------------------------------ families

SDXL = {**unets.TINY, "context_dim": 64, "num_head_channels": 16, "use_linear_in_transformer": True,
        "num_classes": "sequential",
        "adm_in_channels": 2816, "transformer_depth": [1, 2], "transformer_depth_output": [1, 1, 2, 2],
        "transformer_depth_middle": 2}  # fmt: skip
SD2 = {**unets.TINY, "use_linear_in_transformer": True}


@pytest.mark.parametrize("family, unet", [(comfy.supported_models.SD20, SD2), (comfy.supported_models.SDXL, SDXL)])
def test_sd2_and_sdxl_shaped_models(family, unet):
    model = family_model(family, unet)
    clip = sample(moving(model))
    assert torch.isfinite(clip).all() and (clip[1:] - clip[:1]).abs().amax((1, 2, 3)).min() > 1e-3


def family_model(family, unet):
    """Narrow enough that a few channels make a head."""
    narrow = type(family.__name__, (family,), {"unet_extra_config": {"num_heads": -1, "num_head_channels": 16}})
    if family is comfy.supported_models.SDXL:
        return unets.sd_model(unet, family=narrow, kind=comfy.model_base.SDXL)
    return unets.sd_model(unet, family=narrow)


# ------------------------------------------------------------------------------------------------ with others


def test_a_given_first_frame_comes_back_bit_for_bit(base):
    latents = torch.zeros(FRAMES, 4, *SIZE)
    latents[0] = torch.randn(4, *SIZE, generator=torch.Generator().manual_seed(9)) * 5
    for model in (condition_model(moving(base)), moving(condition_model(base))):
        clip = sample(model, latents=latents)
        assert torch.equal(clip[0], latents[0]) and torch.isfinite(clip).all()
        assert (clip[1] - clip[0]).abs().max() > 1e-3


def test_what_a_noise_mask_holds_stays(base):
    latents, mask = torch.randn(FRAMES, 4, *SIZE, generator=torch.Generator().manual_seed(9)), torch.ones(1, 1, *SIZE)
    mask[..., :4] = 0
    clip = sample(moving(base), latents=latents, mask=mask)
    assert (
        torch.allclose(clip[..., :4], latents[..., :4], atol=1e-5)
        and (clip - latents)[..., 4:].abs().amax((1, 2, 3)).min() > 0.1
    )


def test_the_model_is_as_before(base):
    before = sample(base)
    moved = sample(moving(base))
    assert torch.equal(sample(base), before) and not torch.equal(moved, before)
    assert torch.equal(sample(moving(moving(base, (0.0, 8.0)))), moved), "the last one on a model counts"


# ------------------------------------------------------------------------------------------------ masks


def test_masks_smooth_what_they_do_not_cover(base):
    plain = sample(moving(base))
    covered = sample(moving(base, masks=torch.ones(FRAMES, 64, 64)))
    assert torch.equal(covered, plain), "no background, nothing to smooth"
    smooth = sample(moving(base, masks=torch.zeros(FRAMES, 64, 64)))
    assert torch.equal(smooth[:1], plain[:1]) and not torch.equal(smooth[1:], plain[1:])
    assert torch.equal(sample(moving(base, masks=torch.zeros(1, 128, 128))), smooth), "one mask, of another size"
    assert torch.equal(sample(moving(base, masks=torch.zeros(1, 64, 64), background_smoothing=0.0)), plain)


@pytest.mark.parametrize(
    "shape, message",
    [
        ((2, 64, 64), "The clip has 3 frames, 2 masks were given: give one per frame, or the first frame's alone."),
        (
            (3, 64, 40),
            "The masks are 40x64, which is not the shape of a clip of 8x8: give masks of the clip's own shape",
        ),
    ],
)
def test_masks_that_do_not_fit(base, shape, message):
    with pytest.raises(ValueError, match=message):
        sample(moving(base, masks=torch.zeros(shape)))


# --------------------------------------------------------------------------------------------- what users can get wrong


@pytest.mark.parametrize("t0, t1", [(941, 881), (900, 900)])
def test_noise_is_added_upwards(base, t0, t1):
    with pytest.raises(ValueError, match=f"t0 is {t0} and t1 is {t1}, but noise is added from t0 up to t1"):
        moving(base, t0=t0, t1=t1)


def test_half_a_sampling_is_refused(base):
    with pytest.raises(
        ValueError,
        match="use one that starts from pure noise, with all its steps in one sampler and denoise 1, or a lower t0",
    ):
        sample(moving(base), denoise=0.5)


def test_other_models_are_refused():
    class Flux:
        model_config = type("Flux", (), {})()
        diffusion_model = torch.nn.Linear(1, 1)

    with pytest.raises(AdapterError, match="this model is Flux with a Linear"):
        apply_motion(type("Model", (), {"model": Flux}), None)


def test_a_rule_of_its_own_is_told_from_other_rules(base):
    with pytest.raises(
        AdapterError,
        match="looks at the first frame, that of an adapter already in the model at the first frame and the former "
        "frame",
    ):
        moving(bridge.attend_to(base, ("first", "former")))
