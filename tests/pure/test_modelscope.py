"""ModelScope's temporal layers and files without a UNet around them."""

import pytest
import torch
from few_shot_motion.motion_modules import modelscope, modelscope_file
from few_shot_motion.motion_modules.animatediff import TemporalTransformer
from few_shot_motion.motion_modules.modelscope import ModelScopeLayers, TemporalConv
from few_shot_motion.motion_modules.sites import Site
from torch.nn import functional as F

CHANNELS = 32


@torch.no_grad()
def test_convolution_is_the_papers():
    """Group norm over `c f h w`, a 3-D kernel over three frames at one position, four times."""
    torch.manual_seed(0)
    layer, clips = TemporalConv(CHANNELS), torch.randn(2, CHANNELS, 5, 3, 2)
    y = clips
    for part in layer:
        norm, conv = part["norm"], part["conv"]
        y = F.silu(F.group_norm(y, 32, norm.weight, norm.bias, eps=1e-5))
        y = F.conv3d(y, conv.weight.unsqueeze(-1), conv.bias, padding=(1, 0, 0))
    out = layer(clips.movedim(2, 1).flatten(0, 1), 5)
    assert torch.allclose(out, y.movedim(2, 1), atol=1e-5)


@torch.no_grad()
def test_frames_have_no_position():
    """A transformer gives reordered frames the reordered answer, for any number of frames, and norms them jointly."""
    torch.manual_seed(0)
    layer = TemporalTransformer(CHANNELS, None, joint_norm=True, width=64, heads=4)
    assert not [name for name in layer.state_dict() if name.endswith(".pe")]
    x, order = torch.randn(40, CHANNELS, 2, 3), torch.randperm(40)
    assert torch.allclose(layer(x[order], 40), layer(x, 40)[:, order], atol=1e-5)
    assert (layer(x[:39], 39) - layer(x, 40)[:, :39]).abs().max() > 1e-4


def test_the_first_transformer_is_as_wide_as_its_eight_heads():
    layers = ModelScopeLayers(
        [Site("input_blocks.0.0", 32, is_block=True), Site("input_blocks.1", 64, is_block=True)], 16
    ).layers
    assert [(len(layer.proj_in.bias), layer.transformer_blocks[0].heads) for layer in layers.values()] == [
        (128, 8),
        (64, 4),
    ]
    assert modelscope.head_width({"input_blocks.0.0.temporal_transformer.proj_in.bias": torch.zeros(512)}) == 64


@pytest.mark.parametrize(
    "original, diffusers, ours",
    [
        ("input_blocks.0.1.proj_in.weight", "transformer_in.proj_in.weight",
         "input_blocks.0.0.temporal_transformer.proj_in.weight"),
        ("input_blocks.3.op.bias", "down_blocks.0.downsamplers.0.conv.bias", "input_blocks.3.0.op.bias"),
        ("input_blocks.5.0.temopral_conv.conv1.2.bias", "down_blocks.1.temp_convs.1.conv1.2.bias",
         "input_blocks.5.0.temporal_conv.0.conv.bias"),
        ("middle_block.3.temopral_conv.conv4.0.bias", "mid_block.temp_convs.1.conv4.0.bias",
         "middle_block.2.temporal_conv.3.norm.bias"),
        ("middle_block.2.norm.bias", "mid_block.temp_attentions.0.norm.bias",
         "middle_block.temporal_transformer.norm.bias"),
        ("output_blocks.2.1.conv.bias", "up_blocks.0.upsamplers.0.conv.bias", "output_blocks.2.1.conv.bias"),
        ("output_blocks.5.3.conv.bias", "up_blocks.1.upsamplers.0.conv.bias", "output_blocks.5.2.conv.bias"),
        ("output_blocks.5.2.transformer_blocks.0.norm3.bias",
         "up_blocks.1.temp_attentions.2.transformer_blocks.0.norm3.bias",
         "output_blocks.5.temporal_transformer.transformer_blocks.0.ff_norm.bias"),
        ("output_blocks.5.1.transformer_blocks.0.norm3.bias",
         "up_blocks.1.attentions.2.transformer_blocks.0.norm3.bias",
         "output_blocks.5.1.transformer_blocks.0.norm3.bias"),
        ("something.else", "something.else", "something.else"),
    ],
)  # fmt: skip
def test_names(original, diffusers, ours):
    extent = [
        "down_blocks.0.resnets.1.norm1.bias",
        "down_blocks.0.temp_convs.1.conv1.0.bias",
        "up_blocks.1.attentions.0.norm.bias",
    ]
    assert modelscope_file.from_original([original]) == {original: ours}
    assert modelscope_file.from_diffusers([*extent, diffusers])[diffusers] == ours


def test_sites_of_parameters():
    assert modelscope.site_of("input_blocks.1.0.temporal_conv.0.norm.weight") == "input_blocks.1.0"
    assert modelscope.site_of("middle_block.temporal_transformer.proj_in.weight") == "middle_block"
    assert modelscope.site_of("middle_block.1.proj_in.weight") == ""


def test_other_files_are_told():
    with pytest.raises(
        ValueError,
        match="style.safetensors is no ModelScope UNet, it holds 1 tensors such as lora.weight: choose ModelScope's",
    ):
        modelscope_file.read("style.safetensors", {"lora.weight": torch.zeros(1)})
