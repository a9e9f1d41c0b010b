"""Without a mask, numbers over time, a clip to refine or a longer clip the first-frame sampler is what LAMP says and
nothing beside: as many calls of the UNet, and the same bits, as a plain loop makes.
"""

import comfy.samplers
import pytest
import torch
import unets
from few_shot_motion.host.patching.motion_masks import MOVES, PIECE
from few_shot_motion.host.sampling.frame_noise import ClipNoise
from few_shot_motion.motion_modules.call import KEY
from few_shot_motion.nodes.motion import ApplyMotionAdapter
from few_shot_motion.nodes.sampling import FirstFrameConditioning, FirstFrameKSampler
from few_shot_motion.samplers.first_frame import condition_on_first_frame, sample_stepwise
from few_shot_motion.samplers.statistics import match_statistics
from moving import COND, FIRST, FRAMES, SIDE, UNCOND, adapter_for

STEPS, CFG, SEED = 3, 3.0, 7


@pytest.fixture(scope="module")
def model():
    base = unets.sd_model(unets.TINY)
    return ApplyMotionAdapter.execute(base, adapter_for(base, "lamp"), 1.0, 0.0, 1.0).args[0]


@pytest.fixture
def calls(model):
    """Rows of each call of the UNet."""
    found = []
    hook = model.model.diffusion_model.register_forward_pre_hook(lambda _, given: found.append(len(given[0])))
    yield found
    hook.remove()


def known_by(predict) -> torch.Tensor:
    """The first frame, scaled as a sampler meets it."""
    return predict.inner_model.inner_model.process_latent_in(FIRST["samples"])


def plain(predict, x, sigmas, extra_args=None, **_):
    """Euler's steps with the first frame clean in each prediction; every step is one call."""
    known = known_by(predict)
    for sigma, then in zip(sigmas[:-1], sigmas[1:], strict=True):
        noised = lambda at, sigma=sigma: predict(at, sigma.expand(len(at)), **extra_args)  # noqa: E731
        denoised = condition_on_first_frame(noised, x, known, 1 / (sigma**2 + 1) ** 0.5)
        x = x + (x - denoised) / sigma * (then - sigma)
    return x


def plain_with_statistics(predict, x, sigmas, extra_args=None, **_):
    """The same with LAMP's statistics after each, whose switch is at 30 of its 50 steps."""
    return sample_stepwise(plain, predict, x, sigmas, known_by(predict), round(0.6 * STEPS), extra_args=extra_args)


STATISTICS = {"none": (plain, lambda clip: clip), "match at the end": (plain, match_statistics),
              "match at every step (LAMP)": (plain_with_statistics, lambda clip: clip)}  # fmt: skip


def guided(model, sampler, latents, sigmas):
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(COND, UNCOND)
    guider.set_cfg(CFG)
    with torch.inference_mode():
        return guider.sample(ClipNoise(SEED).generate_noise({"samples": latents}), latents, sampler, sigmas, seed=SEED)


def expected(model, sigmas, loop=plain) -> torch.Tensor:
    latents = torch.cat([FIRST["samples"], torch.zeros(FRAMES - 1, 4, SIDE, SIDE)])
    clip = guided(model, comfy.samplers.KSAMPLER(loop), latents, sigmas)
    return torch.cat([FIRST["samples"], clip[1:]])


@pytest.mark.parametrize("statistics", STATISTICS)
def test_the_sampler_is_a_plain_loop(model, calls, statistics):
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
    loop, finish = STATISTICS[statistics]
    wanted, own = finish(expected(model, sigmas, loop)), list(calls)
    calls.clear()
    with torch.inference_mode():
        clip = FirstFrameKSampler.execute(model, COND, UNCOND, FIRST, FRAMES, SEED, STEPS, CFG, "euler", "normal",
                                          statistics).args[0]["samples"]  # fmt: skip
    assert calls == own == [2 * FRAMES] * STEPS
    assert torch.equal(clip, wanted)


def test_so_is_first_frame_conditioning_with_core_s_sampler(model, calls):
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
    wanted = expected(model, sigmas)
    calls.clear()
    conditioned, latent = FirstFrameConditioning.execute(model, FIRST, FRAMES).args
    assert latent.keys() == {"samples"}
    clip = guided(conditioned, comfy.samplers.sampler_object("euler"), latent["samples"], sigmas)
    assert torch.equal(clip, wanted) and calls == [2 * FRAMES] * STEPS


def test_layers_hear_of_no_mask_and_no_piece(model):
    seen, watched = [], model.clone()
    watched.set_model_unet_function_wrapper(lambda apply, given: (
        seen.append(given["c"]["transformer_options"]),
        apply(given["input"], given["timestep"], **given["c"]))[1])  # fmt: skip
    with torch.inference_mode():
        FirstFrameKSampler.execute(watched, COND, UNCOND, FIRST, FRAMES, SEED, STEPS, CFG, "euler", "normal", "none")
    assert len(seen) == STEPS and not any(key in options for options in seen for key in (MOVES, PIECE))
    stack = watched.get_attachment(KEY)
    assert [adapter.where for adapter in stack.adapters] == [None]
