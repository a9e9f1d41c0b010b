"""The temporal layers of ModelScope's text-to-video UNet, which around them is Stable Diffusion 2.x's (ZeroScope: the
same).

Wang et al., "ModelScope Text-to-Video Technical Report", arXiv 2308.06571: a temporal convolution behind every
ResBlock, a temporal transformer behind every spatial one and behind the first convolution. Frames have no position:
only the convolutions, which count frames beyond the clip's ends as zero, tell them apart, and any number of frames
runs. Axes as in layers.py.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from .animatediff import TemporalTransformer
from .key_frames import Rule
from .module import put
from .sites import Site

_FIRST = "input_blocks.0.0"  # the first convolution
_FIRST_HEADS = 8  # of the transformer behind it, which so has a width of its own
_RES_BLOCK = re.compile(r"((?:input|output)_blocks\.\d+\.0|middle_block\.[02])\.out_layers\.3\.weight")
_ROW = re.compile(r"((?:input|output)_blocks\.\d+|middle_block)\.1\.norm\.weight")
_PART = re.compile(r"(.+)\.temporal_(?:conv|transformer)\..+")


class TemporalConv(nn.ModuleList):
    """Four times y = conv(silu(group norm(y))): a kernel of three frames at one position, statistics over all frames of
    a clip.
    """

    def __init__(self, channels: int, operations: Any = nn):
        # frames lie along the height of 2-D convolutions: not every device has 3-D ones in every precision
        layers = ({"norm": operations.GroupNorm(32, channels),
                   "conv": operations.Conv2d(channels, channels, (3, 1), padding=(1, 0))}
                  for _ in range(4))  # fmt: skip
        super().__init__(nn.ModuleDict(layer) for layer in layers)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """What to add to a ResBlock's output, `(b f) c h w` -> `b f c h w`."""
        height = x.shape[-2]
        y = rearrange(x, "(b f) c h w -> b c f (h w)", f=frames)
        for layer in self:
            y = layer["conv"](F.silu(layer["norm"](y)))  # pyright: ignore[reportIndexIssue]
        return rearrange(y, "b c f (h w) -> b f c h w", h=height)


class ModelScopeLayers(nn.Module):
    """All of them; `layers[path]` finds the one at a site. `head_width`: channels of an attention head."""

    key_frames: Rule = ()  # self-attention stays the image model's
    max_frames = None

    def __init__(self, sites: Iterable[Site], head_width: int, operations: Any = nn):
        super().__init__()
        self.layers: dict[str, nn.Module] = {}
        for site in sites:
            layer = (
                _transformer(site, head_width, operations) if site.is_block else TemporalConv(site.channels, operations)
            )
            self.layers[site.path] = layer
            put(self, f"{site.path}.{'temporal_transformer' if site.is_block else 'temporal_conv'}", layer)

    def weight_deltas(self) -> dict[str, nn.Module]:
        """Name of a weight of the image model -> what is added to it: none, it stays as it is."""
        return {}


def _transformer(site: Site, head_width: int, operations: Any) -> TemporalTransformer:
    width = _FIRST_HEADS * head_width if site.path == _FIRST else site.channels
    return TemporalTransformer(
        site.channels, None, joint_norm=True, width=width, heads=width // head_width, operations=operations
    )


def modelscope_sites(shapes: Mapping[str, torch.Size]) -> list[Site]:
    """The first convolution, every ResBlock and every row with a spatial transformer: 1, 22 and 16 of them at full
    size.

    A transformer's site is a row, because it comes behind the row's last features and in front of its upsampler.
    """
    sites = []
    for name, shape in shapes.items():
        if match := _RES_BLOCK.fullmatch(name):
            sites.append(Site(match[1], shape[0], is_block=False))
        elif match := _ROW.fullmatch(name):
            sites.append(Site(match[1], shape[0], is_block=True))
        elif name == f"{_FIRST}.weight":
            sites.append(Site(_FIRST, shape[0], is_block=True))
    return sites


def site_of(name: str) -> str:
    """The site a parameter belongs to: `input_blocks.1.0.temporal_conv.0.norm.weight` -> `input_blocks.1.0`; "" for a
    foreign name.
    """
    match = _PART.fullmatch(name)
    return match[1] if match else ""


def head_width(tensors: Mapping[str, Tensor]) -> int:
    """Channels of an attention head, the same in the whole UNet and told by its first transformer alone: 64 in the
    release.
    """
    return len(tensors[f"{_FIRST}.temporal_transformer.proj_in.bias"]) // _FIRST_HEADS
