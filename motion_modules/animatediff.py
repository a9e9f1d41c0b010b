"""The layers of AnimateDiff: one temporal transformer behind every pair of a UNet's ResBlock and transformer.

Guo et al., "AnimateDiff: Animate Your Personalized Text-to-Image Diffusion Models without Specific Tuning", arXiv
2307.04725. Versions 1, 2, 3 and SDXL-beta compute the same; they differ in which frames a group norm sees, in how many
frames have a position, and in version 2's transformer in the middle block. Parameter names are the release's, behind
ComfyUI's name of the row: `input_blocks.1.temporal_transformer.transformer_blocks.0.attention_blocks.0.to_q.weight`.
Axes as in layers.py.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from .key_frames import Rule
from .layers import TemporalAttention, joint_group_norm
from .module import put
from .sites import Site

HEADS = 8  # in every release; files do not tell
_RES_BLOCK = re.compile(r"((?:input|output)_blocks\.\d+|middle_block)\.0\.out_layers\.3\.weight")


def frame_positions(frames: int, channels: int) -> Tensor:
    """pe[p, 2i] = sin(p w_i), pe[p, 2i+1] = cos(p w_i), w_i = 10000^(-2i/c); `1 f c`."""
    rates = torch.exp(torch.arange(0, channels, 2) * (-math.log(10000.0) / channels))
    angles = torch.arange(frames)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[None]


class FramePositions(nn.Module):
    """x + pe, written into x. The positions stay in single precision whatever the weights are in."""

    pe: Tensor

    def __init__(self, frames: int, channels: int):
        super().__init__()
        self.register_buffer("pe", frame_positions(frames, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x.add_(self.pe[:, : x.shape[1]].to(x.device))


class FrameAttention(TemporalAttention):
    """Attention over the frames of one position; queries, keys and values all see where in the clip a frame is."""

    def __init__(self, channels: int, max_frames: int, operations: Any = nn):
        super().__init__(channels, operations)
        self.pos_encoder = FramePositions(max_frames, channels)

    def forward(self, x: Tensor, heads: int = HEADS) -> Tensor:
        return super().forward(self.pos_encoder(x), heads)


class GatedFeedForward(nn.Module):
    """W2 (value * gelu(gate)), (value, gate) = W0 x."""

    def __init__(self, channels: int, operations: Any = nn):
        super().__init__()
        self.net = nn.ModuleDict({"0": nn.ModuleDict({"proj": operations.Linear(channels, 8 * channels)}),
                                  "2": operations.Linear(4 * channels, channels)})  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.net["0"]["proj"](x).chunk(2, dim=-1)  # pyright: ignore[reportIndexIssue]
        return self.net["2"](value * F.gelu(gate))


class TemporalBlock(nn.Module):
    """x += attention_a(norm_a(x)) for every attention a (two of them), then x += ff(norm(x)).

    max_frames None: frames have no position.
    """

    def __init__(
        self, channels: int, max_frames: int | None, attentions: int, heads: int = HEADS, operations: Any = nn
    ):
        super().__init__()
        self.heads = heads
        made = (FrameAttention(channels, max_frames, operations) if max_frames else TemporalAttention(channels,
                                                                                                      operations)
                for _ in range(attentions))  # fmt: skip
        self.attention_blocks = nn.ModuleList(made)
        self.norms = nn.ModuleList(operations.LayerNorm(channels) for _ in range(attentions))
        self.ff = GatedFeedForward(channels, operations)
        self.ff_norm = operations.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        for norm, attention in zip(self.norms, self.attention_blocks, strict=True):
            x = x + attention(norm(x), self.heads)
        return x + self.ff(self.ff_norm(x))


class TemporalTransformer(nn.Module):
    """proj_out(blocks(proj_in(group norm(x)))) over the frames of every position, the blocks `width` wide (None: as the
    features are).

    `joint_norm`: statistics over all frames of a clip. max_frames None: frames have no position, any number of them
    runs.
    """

    def __init__(self, channels: int, max_frames: int | None = 32, attentions: int = 2, blocks: int = 1,
                 joint_norm: bool = False,
                 width: int | None = None, heads: int = HEADS, operations: Any = nn):  # fmt: skip
        super().__init__()
        width = width or channels
        self.joint_norm = joint_norm
        self.norm = operations.GroupNorm(32, channels, eps=1e-6)
        self.proj_in = operations.Linear(channels, width)
        self.transformer_blocks = nn.ModuleList(
            TemporalBlock(width, max_frames, attentions, heads, operations) for _ in range(blocks)
        )
        self.proj_out = operations.Linear(width, channels)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """What to add to a row's features, `(b f) c h w` -> `b f c h w`."""
        height, width = x.shape[-2:]
        is_joint = self.joint_norm
        normed = joint_group_norm(self.norm, x, frames) if is_joint else self.norm(x).unflatten(0, (-1, frames))
        # contiguous: a projection of another layout would be a product of its own for each position
        columns = self.proj_in(rearrange(normed, "b f c h w -> (b h w) f c").contiguous())
        for block in self.transformer_blocks:
            columns = block(columns)
        return rearrange(self.proj_out(columns), "(b h w) f c -> b f c h w", h=height, w=width)


class TemporalTransformers(nn.Module):
    """AnimateDiff's motion module: a temporal transformer at every site; `layers[path]` finds it again.

    Settings as TemporalTransformer's.
    """

    key_frames: Rule = ()  # self-attention stays the image model's

    def __init__(self, sites: Iterable[Site], max_frames: int = 32, *, operations: Any = nn, **settings: Any):
        super().__init__()
        self.max_frames = max_frames
        self.layers: dict[str, nn.Module] = {}
        for site in sites:
            layer = TemporalTransformer(site.channels, max_frames, operations=operations, **settings)
            self.layers[site.path] = layer
            put(self, f"{site.path}.temporal_transformer", layer)

    def weight_deltas(self) -> dict[str, nn.Module]:
        """Name of a weight of the image model -> what is added to it: none, it stays as it is."""
        return {}


def animatediff_sites(shapes: Mapping[str, torch.Size]) -> list[Site]:
    """Every row of a UNet that has a ResBlock: 20 in SD 1.x and the middle block, which versions 1 and 3 leave out; 15
    and the middle in SDXL.
    """
    found = ((_RES_BLOCK.fullmatch(name), shape) for name, shape in shapes.items())
    return [Site(match[1], shape[0], is_block=False) for match, shape in found if match]


def row_of(name: str) -> str:
    """The site a parameter belongs to: `input_blocks.1.temporal_transformer.norm.weight` -> `input_blocks.1`; "" for a
    foreign name.
    """
    row, found, _ = name.partition(".temporal_transformer.")
    return row if found else ""


def extent(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """How a file's module is built: frames that have a position, attentions per block, blocks; as TemporalTransformers
    takes them.

    Raises ValueError where names count further than there are tensors.
    """
    frames = min(
        (tensor.shape[1] for name, tensor in tensors.items() if name.endswith(".pe") and tensor.ndim == 3), default=32
    )
    own = [name for name in tensors if ".temporal_transformer." in name]
    return {
        "max_frames": frames,
        "attentions": _count(own, ".attention_blocks."),
        "blocks": _count(own, ".transformer_blocks."),
    }


def _count(names: list[str], part: str) -> int:
    most = 1 + max((int(name.split(part)[1].split(".")[0]) for name in names if part in name), default=0)
    if most > max(1, len(names)):
        raise ValueError(f"{most} of {part} in {len(names)} tensors")
    return most
