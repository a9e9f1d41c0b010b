"""Self-attention to other frames: which tokens a frame's keys come from, at any strength."""

import pytest
import torch
from few_shot_motion.motion_modules import key_frames, unet
from torch.nn.functional import scaled_dot_product_attention as attention

FRAMES = 4
TOKENS = torch.randn(2 * FRAMES, 6, 8, generator=torch.Generator().manual_seed(0))


def a_call(rule: tuple[str, ...], strength: float = 1.0) -> dict:
    return {
        unet.KEY: unet.Call(frames=FRAMES, names={}, adapters=[], joint_norm=0, key_frames=rule, key_strength=strength)
    }


@pytest.mark.parametrize(
    "rule, taken", [(("first",), [[0], [0], [0], [0]]), (("first", "former"), [[0, 0], [0, 0], [0, 1], [0, 2]])]
)
def test_every_frame_takes_the_frames_of_its_rule(rule, taken):
    keys = key_frames.key_tokens(TOKENS, rule, FRAMES)
    for clip in range(2):
        for frame in range(FRAMES):
            expected = torch.cat([TOKENS[clip * FRAMES + other] for other in taken[frame]])
            assert torch.equal(keys[clip * FRAMES + frame], expected)


def test_folding_frames_equals_repeating_the_first_frames_keys():
    first = key_frames.first_frame_only(TOKENS, FRAMES)
    folded = attention(key_frames.fold_frames(TOKENS, FRAMES), first, first)
    repeated = key_frames.key_tokens(TOKENS, ("first",), FRAMES)
    expected = attention(TOKENS, repeated, repeated)
    assert torch.allclose(key_frames.unfold_frames(folded, FRAMES), expected, atol=1e-6)


@pytest.mark.parametrize("rule", [("first",), ("first", "former")])
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_strength_mixes_own_tokens_and_those_of_the_key_frames(rule, strength):
    extra = a_call(rule, strength)
    queries, keys, values = unet.take_key_frames(TOKENS, TOKENS, 2 * TOKENS, extra)
    out = unet.give_frames_back(attention(queries, keys, values), extra)
    own, other = TOKENS.repeat(1, len(rule), 1), key_frames.key_tokens(TOKENS, rule, FRAMES)
    mixed = (1 - strength) * own + strength * other
    assert torch.allclose(out, attention(TOKENS, mixed, 2 * mixed), atol=1e-5)
    if strength == 0:
        assert torch.allclose(out, attention(TOKENS, TOKENS, 2 * TOKENS), atol=1e-5)


@pytest.mark.parametrize("extra", [{}, a_call(())])
def test_without_a_rule_nothing_is_touched(extra):
    assert all(
        given is taken
        for given, taken in zip((TOKENS,) * 3, unet.take_key_frames(TOKENS, TOKENS, TOKENS, extra), strict=True)
    )
    assert unet.give_frames_back(TOKENS, extra) is TOKENS
