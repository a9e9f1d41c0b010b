"""Where and when an adapter acts: masks and shares of the strength, in all methods, beside core's context windows."""

from dataclasses import replace

import pytest
import torch
import unets
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from few_shot_motion.host.patching.motion_masks import MOVES, over_frames
from few_shot_motion.nodes.motion import ApplyMotionAdapter
from moving import ADAPTERS, COND, FRAMES, SIDE, UNCOND, adapter_for, clip

BLACK, WHITE = torch.zeros(1, SIDE * 8, SIDE * 8), torch.ones(FRAMES, SIDE * 8, SIDE * 8)
FROM_WORDS = "animatediff"  # nothing but its residuals tells its frames from pictures


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def applied(model, method, strength=1.0, **inputs):
    adapter = adapter_for(model, method)
    adapter = replace(adapter, joint_norm=False) if method == FROM_WORDS else adapter
    return ApplyMotionAdapter.execute(model, adapter, strength, 0.0, 1.0, **inputs).args[0]


def batch(model, frames=FRAMES) -> torch.Tensor:
    """Core's own sampler on a batch, `f c h w`."""
    import nodes

    empty = {"samples": torch.zeros(frames, 4, SIDE, SIDE)}
    with torch.inference_mode():
        return nodes.KSampler().sample(model, 5, 2, 3.0, "euler", "normal", COND, UNCOND, empty)[0]["samples"]


@pytest.mark.parametrize("method", ADAPTERS)
def test_white_is_as_without_a_mask_and_black_is_not(base, method):
    free = clip(applied(base, method))
    assert torch.equal(clip(applied(base, method, motion_mask=WHITE)), free)
    assert torch.equal(clip(applied(base, method, over_time="1, 1 1, 1")), free)
    assert not torch.allclose(clip(applied(base, method, motion_mask=BLACK)), free)


def test_where_it_is_black_nothing_is_added(base):
    assert torch.equal(batch(applied(base, FROM_WORDS, motion_mask=BLACK)), batch(base))


def test_one_share_for_all_frames_is_a_strength(base):
    assert torch.equal(
        batch(applied(base, FROM_WORDS, 1.0, over_time="0.5 " * FRAMES)), batch(applied(base, FROM_WORDS, 0.5))
    )
    assert torch.equal(
        batch(applied(base, FROM_WORDS, 0.8, over_time="2 " * FRAMES)), batch(applied(base, FROM_WORDS, 1.6))
    )


def test_a_mask_and_numbers_over_time_multiply():
    """The largest number is taken out of them into the strength: what layers get goes from 0 to 1."""
    mask = torch.tensor([1.0, 0.5, 0.0]).view(1, 1, 3)
    strength, where = over_frames(0.8, "0 1, 2 0.5", mask)
    assert strength == 1.6
    assert torch.equal(where[:, 0], torch.tensor([[0.0, 0, 0], [0.5, 0.25, 0], [1, 0.5, 0], [0.25, 0.125, 0]]))


@pytest.mark.parametrize("how", ["over_time", "motion_mask"])
def test_frames_that_get_nothing_are_pictures(base, how):
    mask = WHITE.clone()
    mask[2:] = 0
    given = {"over_time": "1, 1, 0, 0", "motion_mask": mask}[how]
    found, plain = batch(applied(base, FROM_WORDS, **{how: given})), batch(base)
    assert torch.equal(found[2:], plain[2:]) and (found[:2] - plain[:2]).abs().amax((1, 2, 3)).min() > 1e-3


def test_half_of_the_picture_moves_most(base):
    """What the motion changes of a clip in one step lies on the white side, as far as the image model leaves it."""
    mask = WHITE[:1].clone()
    mask[..., : SIDE * 4] = 0
    change = (batch(applied(base, FROM_WORDS, motion_mask=mask)) - batch(base)).square().mean((0, 1, 2))
    other = (batch(applied(base, FROM_WORDS, motion_mask=1 - mask)) - batch(base)).square().mean((0, 1, 2))
    assert change[SIDE // 2 :].sum() > change[: SIDE // 2].sum() and other[: SIDE // 2].sum() > other[SIDE // 2 :].sum()


def test_two_adapters_take_a_mask_each(base):
    both = applied(applied(base, FROM_WORDS, motion_mask=BLACK), FROM_WORDS, motion_mask=WHITE)
    assert torch.equal(batch(both), batch(applied(base, FROM_WORDS)))


def test_an_adapters_mask_and_the_samplers_multiply(base):
    model = applied(base, FROM_WORDS, motion_mask=WHITE / 2)
    model.model_options.setdefault("transformer_options", {})[MOVES] = torch.full((FRAMES, SIDE, SIDE), 0.5)
    assert torch.equal(batch(model), batch(applied(base, FROM_WORDS, motion_mask=WHITE / 4)))


@pytest.mark.parametrize("fix, overlap", [(False, 0), (True, 0), (True, 3)])  # with 3 one window's anchor is frame 0
def test_a_window_meets_its_own_frames(base, fix, overlap):
    frames, words = 8, "1 1 1 1 0 0 0 0"
    windowed, plain = (
        ContextWindowsManualNode.execute(
            model, 4, overlap, "standard_static", 1, False, "pyramid", 0, False, causal_window_fix=fix
        ).args[0]
        for model in (applied(base, FROM_WORDS, over_time=words), base)
    )
    found, still = batch(windowed, frames), batch(plain, frames)
    assert torch.equal(found[4:], still[4:]) and not torch.allclose(found[:4], still[:4])


@pytest.mark.parametrize(
    "strength, inputs, told",
    [
        (1.0, {"motion_mask": BLACK}, "leave this adapter nothing to move in any frame: paint white"),
        (1.0, {"over_time": "0, 0"}, "leave this adapter nothing to move in any frame"),
        (0.0, {"over_time": "1, 1"}, "motion_mask and over_time are not used: the strength is 0."),
        (0.0, {}, ""),
        (0.5, {"motion_mask": WHITE, "over_time": "0 " * (FRAMES - 1) + "1"}, ""),
    ],
)
def test_what_nothing_listens_to_is_said(base, caplog, strength, inputs, told):
    applied(base, FROM_WORDS, strength, **inputs)
    assert told in caplog.text and bool(told) == bool(caplog.text)


@pytest.mark.parametrize(
    "inputs, message",
    [
        (
            {"motion_mask": torch.ones(3, 8, 8)},
            "The motion mask, or over_time, has 3 frames, the clip 4: give one mask",
        ),
        ({"motion_mask": torch.ones(1, 8, 80)}, "80x8, which is not the shape of a clip of 8x8"),
        ({"over_time": "1 1 1"}, "over_time, has 3 frames, the clip 4: give one mask or number per frame"),
        ({"over_time": "1, much"}, "over_time is '1, much', it holds one number from 0 to 2 for each frame"),
        ({"over_time": "1 1 3 1"}, "it holds one number from 0 to 2"),
        ({"over_time": "nan"}, "it holds one number from 0 to 2"),
        ({"over_time": "1 1", "motion_mask": WHITE}, "over_time, has 4 frames, the clip 2"),
    ],
)
def test_masks_and_shares_that_are_none(base, inputs, message):
    with pytest.raises(ValueError, match=message):
        batch(applied(base, FROM_WORDS, **inputs))
