"""What the motion layers compute, against plain arithmetic."""

import pytest
import torch
from einops import rearrange
from few_shot_motion.motion_modules import layers
from few_shot_motion.motion_modules.frame_conv import frame_conv
from few_shot_motion.motion_modules.low_rank import LowRankOperations
from few_shot_motion.motion_modules.module import MotionModule, initialise
from few_shot_motion.motion_modules.sites import Site, lamp_sites
from torch import nn

SITES = [
    Site("input_blocks.1.0.in_layers.2", 8, is_block=False),
    Site("input_blocks.1.1.transformer_blocks.0", 8, is_block=True),
]


def added(layer: layers.MotionConv, y: torch.Tensor, frames: int) -> torch.Tensor:
    """What a motion convolution adds, `b f c h w`."""
    gate, motion = layer(y, frames)
    return gate * motion


@pytest.mark.parametrize("centred", [False, True])
def test_motion_conv_is_the_gated_causal_convolution(centred):
    """Or a centred one, where that is asked for."""
    torch.manual_seed(0)
    layer, y, before = layers.MotionConv(6, centred=centred), torch.randn(2 * 5, 6, 3, 4), 1 if centred else 2
    clips = rearrange(y, "(b f) c h w -> b f c h w", f=5)
    expected = torch.zeros_like(clips)
    for f in range(5):
        there = range(f - before, f - before + 3)
        taps = [clips[:, at] if 0 <= at < 5 else torch.zeros_like(clips[:, 0]) for at in there]
        moved = sum(torch.einsum("oc,bchw->bohw", layer.conv1d.weight[:, :, k], tap) for k, tap in enumerate(taps))
        expected[:, f] = torch.sigmoid(layer.conv_gate(clips[:, f])) * (moved + layer.conv1d.bias.view(1, -1, 1, 1))
    assert torch.allclose(added(layer, y, 5), expected, atol=1e-6)
    with torch.no_grad():  # by products instead of a convolution
        assert torch.allclose(added(layer, y, 5), expected, atol=1e-6)


@pytest.mark.parametrize("size", [(2, 1), (8, 8)])
def test_a_convolution_is_the_same_however_large_features_are(size):
    """By one product, by one per frame, and by PyTorch's convolution, at two clips."""
    torch.manual_seed(0)
    layer, y = layers.MotionConv(32), torch.randn(2 * 5, 32, *size)
    expected = added(layer, y, 5)
    with torch.no_grad():
        assert torch.allclose(added(layer, y, 5), expected, atol=1e-6)


def test_motion_conv_never_looks_ahead():
    layer, y = layers.MotionConv(4), torch.randn(6, 4, 2, 2)
    changed = y.clone()
    changed[4:] += 1
    assert torch.equal(added(layer, y, 6)[:, :4], added(layer, changed, 6)[:, :4])


def test_temporal_attention_is_softmax_over_the_frames_of_a_position():
    torch.manual_seed(0)
    attention, x, heads = layers.TemporalAttention(8), torch.randn(3, 5, 8), 2
    q, k, v = (
        rearrange(to(x), "b f (n d) -> b n f d", n=heads) for to in (attention.to_q, attention.to_k, attention.to_v)
    )
    weights = torch.softmax(torch.einsum("bnid,bnjd->bnij", q, k) / 4**0.5, dim=-1)
    expected = attention.to_out[0](rearrange(weights @ v, "b n f d -> b f (n d)"))
    assert torch.allclose(attention(x, heads), expected, atol=1e-6)
    assert torch.allclose(
        attention(x.bfloat16().float(), heads), attention.bfloat16()(x.bfloat16(), heads).float(), atol=3e-2
    )


def test_attention_over_many_positions_is_split_and_joined():
    attention, x = layers.TemporalAttention(4), torch.randn(layers._ATTENTION_BATCH // 2 + 3, 2, 4)
    assert torch.allclose(attention(x, heads=2)[-3:], attention(x[-3:], heads=2), atol=1e-6)


@pytest.mark.parametrize("clips", [1, 2])
def test_tokens_are_attended_to_as_the_columns_of_their_positions(clips):
    """Where projections stand, and how positions share a call of attention, changes no number."""
    torch.manual_seed(0)
    attention, tokens = layers.TemporalAttention(64), torch.randn(clips * 6, 20, 64)
    columns = rearrange(tokens, "(b f) l c -> (b l) f c", f=6).contiguous()
    expected = rearrange(attention(columns, 8), "(b l) f c -> b f l c", l=20)
    assert torch.allclose(attention.of_tokens(tokens, 6, 8), expected, atol=1e-6)


def test_silu_behind_a_joint_norm_brings_features_back_in_order():
    norm, x = nn.GroupNorm(4, 8), torch.randn(2 * 3, 8, 5, 4)
    expected = nn.functional.silu(layers.joint_group_norm(norm, x, 3).flatten(0, 1))
    with torch.no_grad():
        found = layers.silu_in_order(layers.joint_group_norm(norm, x, 3))
    assert torch.allclose(found, expected, atol=1e-6) and found.is_contiguous()
    assert torch.equal(layers.silu_in_order(layers.joint_group_norm(norm, x, 3)), expected)


def test_joint_group_norm_takes_statistics_over_all_frames():
    norm, x = nn.GroupNorm(4, 8), torch.randn(2 * 3, 8, 5, 4)
    clips = rearrange(x, "(b f) c h w -> b c f h w", f=3)
    expected = rearrange(norm(clips), "b c f h w -> b f c h w")
    assert torch.allclose(layers.joint_group_norm(norm, x, 3), expected, atol=1e-6)


@pytest.mark.parametrize("rank", [0, 2])
def test_fresh_layers_add_nothing_and_all_of_them_learn(rank):
    torch.manual_seed(0)
    module = initialise(MotionModule(SITES, rank))
    conv, block = (module.layers[site.path] for site in SITES)
    y, tokens = torch.randn(6, 8, 4, 4), torch.randn(6, 16, 8)
    assert not added(conv, y, 3).any() and not block(tokens, 3, heads=2).any()
    query = torch.randn(8, 8)
    assert torch.equal(block.attn1.to_q(query), query)

    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=0.5)
    start = {name: p.detach().clone() for name, p in module.named_parameters() if p.requires_grad}
    for _ in range(4):
        optimizer.zero_grad()
        loss = (
            (added(conv, y, 3) - y.unflatten(0, (-1, 3))).square().mean()
            + (block(tokens, 3, heads=2) - tokens.unflatten(0, (-1, 3))).square().mean()
            + block.attn1.to_q(query).square().mean()
        )
        loss.backward()
        optimizer.step()
    stuck = [name for name, value in module.named_parameters() if name in start and torch.equal(value, start[name])]
    assert stuck == []


def test_low_rank_matrix_is_the_product_it_stands_for():
    make = LowRankOperations(rank=3)
    linear = make.Linear(8, 6)
    x = torch.randn(5, 8)
    assert torch.allclose(linear(x), x @ linear.weight.T + linear.up.bias, atol=1e-6)
    assert frame_conv(make, 8, 8, 3)(torch.randn(7, 8, 4)).shape == (5, 8, 4)


def test_modules_come_back_from_their_own_tensors():
    module = MotionModule(SITES, rank=2)
    again = MotionModule(SITES, rank=2)
    again.load_state_dict(module.state_dict())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in module.state_dict().items())
    assert "input_blocks.1.0.in_layers.2.conv1d.down.weight" in module.state_dict()


def test_sites_of_stable_diffusion(golden):
    """SD 1.4: 66 convolutions and 16 transformer blocks, read off shapes; the golden file has LAMP's own parameters."""
    import json

    keymap = json.loads((golden / "lamp/keymap_sd14_official_to_comfy.json").read_text())
    shapes = json.loads((golden / "lamp/sd14_official_shapes.json").read_text())
    base = {
        new.replace(".conv2d.", "."): torch.Size(shapes[old])
        for old, new in keymap.items()
        if "conv1d" not in new and "conv_gate" not in new
    }
    sites = lamp_sites({name.removeprefix("diffusion_model."): shape for name, shape in base.items()})
    assert sum(not site.is_block for site in sites) == 66 and sum(site.is_block for site in sites) == 16
    with torch.device("meta"):
        names = dict(MotionModule(sites).named_parameters())
    official = {
        new.removeprefix("diffusion_model."): torch.Size(shapes[old])
        for old, new in keymap.items()
        if "conv1d" in new or "_temp" in new
    }
    assert all(names[name].shape == shape for name, shape in official.items())
    trained = sum(p.numel() for name, p in names.items() if "norm_temp" not in name)
    assert trained == 253_935_834  # the paper's released trainables
    with torch.device("meta"):
        small = MotionModule(sites, rank=32)
    assert sum(p.numel() for p in small.parameters()) * 2 < 50e6  # bytes in fp16
