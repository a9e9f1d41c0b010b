"""A UNet's parts as the estimate of a training's memory counts them."""

from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, ResBlock, UNetModel, Upsample
from torch import nn

from ...training.memory import Part


def parts_of(unet: UNetModel) -> list[Part]:
    """All parts in the order they run."""
    found, share = [], 1.0
    for layer in (layer for block in _blocks(unet) for layer in block):
        numbers = sum(value.numel() for value in layer.parameters())
        if isinstance(layer, ResBlock):
            found.append(Part(layer.channels, layer.out_channels, share, numbers, 0))
        elif isinstance(layer, SpatialTransformer):
            channels = layer.in_channels
            found.append(Part(channels, channels, share, numbers, len(layer.transformer_blocks)))
        elif isinstance(layer, (nn.Conv2d, Downsample, Upsample)):
            share *= {Downsample: 1 / 4, Upsample: 4.0}.get(type(layer), 1.0)
            found.append(Part(layer.out_channels, layer.out_channels, share, numbers, None))
    return [*found, Part(unet.model_channels, unet.model_channels, 1.0, 0, None)]  # the last norm


def _blocks(unet: UNetModel):
    return [*unet.input_blocks, unet.middle_block, *unet.output_blocks]
