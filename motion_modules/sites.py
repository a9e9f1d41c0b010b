"""Where LAMP's layers sit in a UNet, read off the shapes of its parameters: no list of block numbers, so any SD 1.x,
2.x or SDXL fits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch

# ComfyUI's names of the 2-D convolutions LAMP follows with a motion layer: all but the transformers' 1x1 projections.
_CONV = re.compile(
    r"(input_blocks\.0\.0|out\.2|.*\.(in_layers\.2|out_layers\.3|skip_connection)"
    r"|input_blocks\.\d+\.0\.op|output_blocks\.\d+\.\d\.conv)\.weight"
)
_QUERY = re.compile(r"(.*\.transformer_blocks\.\d+)\.attn1\.to_q\.weight")


@dataclass(frozen=True)
class Site:
    """One place of a UNet: its path in ComfyUI's names, how many channels pass there, and whether it is a convolution
    or a block.
    """

    path: str
    channels: int
    is_block: bool


def lamp_sites(shapes: Mapping[str, torch.Size]) -> list[Site]:
    """Every place LAMP extends: all 66 convolutions and 16 transformer blocks of SD 1.x (released code; the paper names
    no places).

    `shapes`: parameter name -> shape of a UNet in ComfyUI's names.
    """
    sites = []
    for name, shape in shapes.items():
        if match := _CONV.fullmatch(name):
            sites.append(Site(match[1], shape[0], is_block=False))
        elif match := _QUERY.fullmatch(name):
            sites.append(Site(match[1], shape[0], is_block=True))
    return sites


def block_sites(shapes: Mapping[str, torch.Size]) -> list[Site]:
    """The transformer blocks alone: what Tune-A-Video and recurrent causal attention extend."""
    return [site for site in lamp_sites(shapes) if site.is_block]
