"""First-Frame-Conditioned KSampler's beginnings: several first frames, a mask of what moves, a clip to refine."""

import comfy.samplers
import pytest
import torch
import unets
from few_shot_motion.host.patching.motion_masks import MOVES
from few_shot_motion.host.sampling.advice import of_refining
from few_shot_motion.host.sampling.beginnings import beginnings
from few_shot_motion.nodes.frame_noise import FrameNoise
from few_shot_motion.nodes.sampling import FirstFrameConditioning, FirstFrameKSampler
from moving import COND, FIRST, FRAMES, SIDE, UNCOND, drawn, moving

HALF = torch.ones(1, SIDE * 8, SIDE * 8)  # px: the left half is black
HALF[..., : SIDE * 4] = 0
LEFT = (..., slice(0, SIDE // 2))
EVERY_STEP = "match at every step (LAMP)"


@pytest.fixture(scope="module")
def model():
    return moving(unets.sd_model(unets.TINY), "lamp")


def made(model, first=FIRST, length=FRAMES, seed=7, statistics="match at the end", sampler="euler", **inputs):
    with torch.inference_mode():
        return FirstFrameKSampler.execute(
            model, COND, UNCOND, first, length, seed, 2, 3.0, sampler, "normal", statistics, **inputs
        ).args[0]["samples"]


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
@pytest.mark.parametrize("statistics", ["match at the end", "match at every step (LAMP)"])
@pytest.mark.parametrize("noise", [None, FrameNoise.execute(11, "shared", 0.3, True).args[0]])
def test_several_first_frames_are_as_many_runs_with_the_next_seeds(model, sampler, statistics, noise):
    several = {"samples": 3 * drawn(3, 4, SIDE, SIDE)}
    clips = made(model, several, sampler=sampler, statistics=statistics, noise=noise).unflatten(0, (3, FRAMES))
    for i, clip in enumerate(clips):
        first = {"samples": several["samples"][i : i + 1]}
        own = noise and FrameNoise.execute(11 + i, "shared", 0.3, True).args[0]
        assert torch.equal(clip, made(model, first, seed=7 + i, sampler=sampler, statistics=statistics, noise=own)), i
    assert (clips[0, 1:] - clips[1, 1:]).abs().max() > 0.1


# core's own ancestral samplers count the largest seed up by one and fail; ours do not
@pytest.mark.parametrize("how", [{"sampler": "euler"}, {"sampler": "euler_ancestral", "statistics": EVERY_STEP}])
def test_behind_the_largest_seed_comes_0(model, how):
    several, last = {"samples": 3 * drawn(2, 4, SIDE, SIDE)}, (1 << 64) - 1
    clips = made(model, several, seed=last, **how).chunk(2)
    for clip, first, seed in zip(clips, several["samples"].split(1), (last, 0), strict=True):
        assert torch.equal(clip, made(model, {"samples": first}, seed=seed, **how))


@pytest.mark.parametrize("statistics", ["none", "match at the end", "match at every step (LAMP)"])
def test_what_is_black_stays_the_first_frame_bit_for_bit(model, statistics):
    clip, free = (made(model, statistics=statistics, motion_mask=mask) for mask in (HALF, None))
    assert torch.equal(clip[LEFT], FIRST["samples"].expand(FRAMES, -1, -1, -1)[LEFT])
    assert (clip[1:, ..., SIDE // 2 :] - clip[:1, ..., SIDE // 2 :]).abs().amax((1, 2, 3)).min() > 0.1
    assert not torch.equal(clip, free)


def test_what_is_white_moves_as_without_a_mask(model):
    white = torch.ones(FRAMES, 16, 16)
    assert torch.equal(made(model, motion_mask=white), made(model))


def test_what_is_grey_begins_as_the_first_frame_and_what_is_white_as_the_clip_to_refine():
    grey, clip = torch.full((1, SIDE * 8, SIDE * 8), 0.7), drawn(FRAMES, 4, SIDE, SIDE)
    grey[..., : SIDE * 4] = 1
    (begins,) = beginnings(FIRST, FRAMES, {"samples": clip}, grey)
    assert torch.equal(begins.latents[1:, ..., : SIDE // 2], clip[1:, ..., : SIDE // 2])
    right = (..., slice(SIDE // 2, None))
    assert torch.equal(begins.latents[right], FIRST["samples"].expand(FRAMES, -1, -1, -1)[right])


def test_a_cell_is_as_white_as_its_pixels_are_on_average():
    """So one that a mask's border crosses moves in part, and only what is black all over is held bit for bit."""
    mask = torch.zeros(1, SIDE * 8, SIDE * 8)
    mask[0, :16, :12] = 1  # px: two cells down, one and a half across
    (begins,) = beginnings(FIRST, FRAMES, None, mask)
    wanted = torch.zeros(SIDE, SIDE)
    wanted[:2, 0], wanted[:2, 1] = 1, 0.5
    assert torch.equal(begins.moves, wanted.expand(FRAMES, 1, -1, -1))
    sampled = drawn(FRAMES, 4, SIDE, SIDE, seed=9)
    kept = begins.kept(sampled)
    assert torch.equal(kept[..., :2, :2], sampled[..., :2, :2])
    assert torch.equal(kept[..., 2:, :], begins.latents[..., 2:, :])


@pytest.mark.parametrize("mask, told", [(HALF, HALF), (torch.ones(1, 8, 8), None)])
def test_motion_layers_are_told_what_moves(model, mask, told):
    """Not only the latents are held: what stays has no motion in it either."""
    seen, watched = [], model.clone()
    watched.set_model_unet_function_wrapper(lambda apply, given: (
        seen.append(given["c"]["transformer_options"].get(MOVES)),
        apply(given["input"], given["timestep"], **given["c"]))[1])  # fmt: skip
    made(watched, motion_mask=mask)
    assert seen
    for moves in seen:
        assert (moves is None) == (told is None)
        if told is not None:
            assert moves.shape == (FRAMES, SIDE, SIDE) and not moves[..., : SIDE // 2].any()
            assert (moves[..., SIDE // 2 :] == 1).all()


def test_a_mask_per_frame_says_when(model):
    mask = torch.ones(FRAMES, 16, 16)
    mask[2] = 0
    clip = made(model, motion_mask=mask)
    assert torch.equal(clip[2], clip[0]) and not torch.equal(clip[1], clip[0]) and not torch.equal(clip[3], clip[0])


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "dpmpp_2m_sde", "lcm", "uni_pc"])
def test_first_frame_conditioning_holds_it_through_any_sampler(model, sampler):
    from comfy_extras.nodes_custom_sampler import CFGGuider, RandomNoise, SamplerCustomAdvanced

    patched, latent = FirstFrameConditioning.execute(model, FIRST, FRAMES, HALF).args
    guider = CFGGuider.execute(patched, COND, UNCOND, 2.0).args[0]
    sigmas = comfy.samplers.calculate_sigmas(model.model.model_sampling, "normal", 3)
    with torch.inference_mode():
        clip = (
            SamplerCustomAdvanced.execute(
                RandomNoise.execute(3).args[0], guider, comfy.samplers.sampler_object(sampler), sigmas, latent
            )
            .args[0]["samples"]
            .cpu()
        )
    assert torch.equal(clip[LEFT], FIRST["samples"].expand(FRAMES, -1, -1, -1)[LEFT]) and clip.isfinite().all()
    assert (clip[1:] - clip[:1]).abs().amax((1, 2, 3)).min() > 0.1


def test_a_second_pass_keeps_the_clip_as_far_as_denoise_says(model):
    clip = made(model)
    found = [made(model, clip={"samples": clip}, denoise=denoise, statistics="none") for denoise in (0.1, 0.6)]
    assert all(torch.equal(one[:1], FIRST["samples"]) for one in found)
    near, far = ((one - clip)[1:].square().mean() for one in found)
    assert 0 < near < far / 4
    own = made(model, length=99, clip={"samples": clip}, denoise=0.6, statistics="none")
    assert torch.equal(own, found[1]), "its own length counts"


@pytest.mark.parametrize("clips, frames, length, told", [
    (2, 8, 99, "Length 99 is not used: the clip to refine has 4 frames."), (2, 8, 4, ""), (1, 3, 3, ""),
])  # fmt: skip
def test_a_length_beside_a_clip_to_refine_is_said_to_be_unused(clips, frames, length, told):
    firsts, clip = {"samples": torch.zeros(clips, 4, 8, 8)}, {"samples": torch.zeros(frames, 4, 8, 8)}
    assert list(of_refining(clip, firsts, length, 0.5)) == ([told] if told else [])


def test_a_second_pass_of_several_and_behind_a_mask(model):
    several, clips = {"samples": 3 * drawn(2, 4, SIDE, SIDE)}, {"samples": drawn(2 * FRAMES, 4, SIDE, SIDE, seed=4)}
    both = made(model, several, clip=clips, denoise=0.5, motion_mask=HALF)
    for i, one in enumerate(both.chunk(2)):
        first, clip = several["samples"][i : i + 1], clips["samples"].chunk(2)[i]
        assert torch.equal(one[LEFT], first.expand(FRAMES, -1, -1, -1)[LEFT])
        alone = made(model, {"samples": first}, seed=7 + i, clip={"samples": clip}, denoise=0.5, motion_mask=HALF)
        assert torch.equal(one, alone)


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"motion_mask": torch.ones(3, 8, 8)}, "has 3 frames, the clip 4: give one mask or number per frame"),
        ({"motion_mask": torch.zeros(1, 8, 8)}, "is black, so nothing would move: paint white"),
        ({"motion_mask": torch.ones(1, 8, 64)}, "64x8, which is not the shape of a clip of 8x8"),
        ({"denoise": 0.0, "clip": {"samples": torch.zeros(4, 4, 8, 8)}}, "denoise is 0"),
        ({"denoise": 0.5}, "there is no clip to refine: connect one at clip, or set denoise to 1"),
        ({"clip": {"samples": torch.zeros(4, 4, 8, 16)}}, "latents of 16x8, the first frame of 8x8: scale both"),
        ({"first": {"samples": torch.zeros(3, 4, 8, 8)}, "clip": {"samples": torch.zeros(4, 4, 8, 8)}},
         "has 4 frames for 3 first frames: give each a clip"),
    ],
)  # fmt: skip
def test_what_does_not_go_together(model, inputs, message):
    with pytest.raises(ValueError, match=message):
        made(model, **inputs)
