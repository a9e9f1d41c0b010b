"""Self-attention to other frames: which tokens a frame's keys come from, at any strength."""

import pytest
import torch
from few_shot_motion.motion_modules import key_frames
from few_shot_motion.motion_modules.call import Call, Places
from few_shot_motion.motion_modules.frame_attention import with_frames
from torch.nn.functional import scaled_dot_product_attention as attention

FRAMES = 4
TOKENS = torch.randn(2 * FRAMES, 6, 8, generator=torch.Generator().manual_seed(0))


def attended(rule: tuple[str, ...], strength: float = 1.0, around=(None, None)) -> torch.Tensor:
    """What a block's attention gives with this rule, values twice the keys.

    `around`: another node's patches in front of the attention and behind it.
    """
    call = Call(FRAMES, Places(None, {}, {}), [], joint_norm=0, key_frames=rule, key_strength=strength)
    before, behind = ([patch] if patch else [] for patch in around)
    options = {"block_index": 0, "patches": {"attn1_patch": before, "attn1_output_patch": behind}}
    patches = with_frames(options, None, "", TOKENS, call)["patches"]
    queries, keys, values = TOKENS, TOKENS, TOKENS
    for patch in patches["attn1_patch"]:
        queries, keys, values = patch(queries, keys, values, {})
    out = attention(
        queries, *(tokens.reshape(len(queries), -1, 8) for tokens in (keys, 2 * values))
    )  # as core views them
    for patch in patches["attn1_output_patch"]:
        out = patch(out, {})
    return out


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
    out = attended(rule, strength)
    own, other = TOKENS.repeat(1, len(rule), 1), key_frames.key_tokens(TOKENS, rule, FRAMES)
    mixed = (1 - strength) * own + strength * other
    assert torch.allclose(out, attention(TOKENS, mixed, 2 * mixed), atol=1e-5)
    if strength == 0:
        assert torch.allclose(out, attention(TOKENS, TOKENS, 2 * TOKENS), atol=1e-5)


def test_without_a_rule_nothing_is_touched():
    options = {"block_index": 0}
    call = Call(FRAMES, Places(None, {}, {}), [], joint_norm=1)
    assert with_frames(options, None, "", TOKENS, call) is options


def tiled(n, keys, values, extra):
    """As HyperTile: queries in two tiles, keys and values as they are."""
    return n.reshape(2 * len(n), 3, 8), keys, values


@pytest.mark.parametrize("rule", [("first",), ("first", "former")])
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_tiles_of_another_node_are_clips_of_their_own(rule, strength):
    """Every tile attends to what the key frames show in it, as core lets a tile attend to its own part of a frame."""
    seen = []

    def behind(n, extra):
        seen.append(n.shape)
        return n.reshape(len(TOKENS), 6, 8)

    out = attended(rule, strength, (tiled, behind))
    assert seen == [(2 * len(TOKENS), 3, 8)]
    for part in (slice(0, 3), slice(3, 6)):
        own, other = TOKENS[:, part], key_frames.key_tokens(TOKENS[:, part], rule, FRAMES)
        mixed = (1 - strength) * own.repeat(1, len(rule), 1) + strength * other
        assert torch.allclose(out[:, part], attention(own, mixed, 2 * mixed), atol=1e-5)


@pytest.mark.parametrize("rule", [("first",), ("first", "former")])
def test_merged_queries_are_given_back_merged(rule):
    """As Token Merging: fewer queries in every frame, keys and values as they are."""
    out = attended(rule, 1.0, (lambda n, keys, values, extra: (n[:, ::2], keys, values), None))
    other = key_frames.key_tokens(TOKENS, rule, FRAMES)
    assert torch.allclose(out, attention(TOKENS[:, ::2], other, 2 * other), atol=1e-5)
