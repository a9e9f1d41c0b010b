"""The layers LAMP adds to an image UNet (Wu et al., "LAMP: Learn A Motion Pattern for Few-Shot Video Generation", arXiv
2310.10769).

Axes: b clips, f frames, c channels, h w space, n heads, d head width, l tokens. A UNet sees clips as `(b f) c h w`: the
frames of a clip lie next to each other in the batch. `operations` makes the leaf layers: `torch.nn` to train, the
host's own to run with its casting and low-memory modes.
"""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from .mask_predictor import resize_masks

_ATTENTION_BATCH = 2**15  # CUDA's attention kernels take fewer than 65,536 sequences in one call


class MotionConv(nn.Module):
    """Temporal-spatial motion layer behind one 2-D convolution (LAMP, section 3.4 and figure 3).

    out = y + sigmoid(conv_gate(y)) * conv1d(y): the gate looks at one frame, `conv1d` at frames i-2, i-1 and i of one
    position. `split` (ours): out = y + g_f * conv1d(y) + g_b * conv1d_background(y), where g_f + g_b is LAMP's gate,
    and a second channel of the gate, or a mask, says which share of it is the subject's. With two equal convolutions
    this is LAMP's layer.
    """

    def __init__(self, channels: int, operations: Any = nn, split: bool = False):
        super().__init__()
        self.conv_gate = operations.Conv2d(channels, 2 if split else 1, 3, padding=1)
        self.conv1d = operations.Conv1d(channels, channels, 3)
        self.conv1d_background = operations.Conv1d(channels, channels, 3) if split else None

    def forward(self, y: Tensor, frames: int, mask: Tensor | None = None, gates: list[Tensor] | None = None) -> Tensor:
        """What to add to a 2-D convolution's output y, `(b f) c h w` -> `(b f) c h w`.

        Split layers only: `mask`, `f h w` or `1 h w` of any size, is the subject's share instead; a layer in training
        adds the logits of that share, `b f h w`, to `gates`.
        """
        height, width = y.shape[-2:]
        columns = F.pad(
            rearrange(y, "(b f) c h w -> (b h w) c f", f=frames), (2, 0)
        )  # causal: frames before the first count as zero

        def motion(conv1d: Any) -> Tensor:
            return rearrange(conv1d(columns), "(b h w) c f -> (b f) c h w", h=height, w=width)

        logits = self.conv_gate(y)
        gate = torch.sigmoid(logits[:, :1])
        if self.conv1d_background is None:
            return gate * motion(self.conv1d)
        if mask is None:
            subject = torch.sigmoid(logits[:, 1:])
        else:
            subject = resize_masks(mask.to(y.device).expand(frames, -1, -1), height, width).to(y)
            subject = subject[:, None].repeat(len(y) // frames, 1, 1, 1)
        if gates is not None and self.training:
            gates.append(rearrange(logits[:, 1:], "(b f) 1 h w -> b f h w", f=frames))
        return gate * (subject * motion(self.conv1d) + (1 - subject) * motion(self.conv1d_background))


class TemporalAttention(nn.Module):
    """Self-attention over the frames of one position, without mask or positions (LAMP's `attn_temp`, after
    Tune-A-Video).
    """

    def __init__(self, channels: int, operations: Any = nn):
        super().__init__()
        self.to_q = operations.Linear(channels, channels, bias=False)
        self.to_k = operations.Linear(channels, channels, bias=False)
        self.to_v = operations.Linear(channels, channels, bias=False)
        self.to_out = nn.ModuleList([operations.Linear(channels, channels)])

    def forward(self, x: Tensor, heads: int) -> Tensor:
        """x `(b l) f c` -> `(b l) f c`."""
        q, k, v = (rearrange(to(x), "b f (n d) -> b n f d", n=heads) for to in (self.to_q, self.to_k, self.to_v))
        parts = zip(*(part.split(_ATTENTION_BATCH // heads) for part in (q, k, v)), strict=True)
        out = torch.cat([_attention(*part) for part in parts])
        return self.to_out[0](rearrange(out, "b n f d -> b f (n d)"))


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if (
        q.device.type == "cpu" and q.dtype != torch.float32
    ):  # a dozen frames in half precision: PyTorch's CPU kernel takes 3 to 15 times longer
        return torch.softmax(q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2), dim=-1) @ v
    return F.scaled_dot_product_attention(q, k, v)


class WeightDelta(nn.Module):
    """What training added to a frozen projection: W + delta."""

    def __init__(self, inputs: int, outputs: int, operations: Any = nn):
        super().__init__()
        self.delta = operations.Linear(inputs, outputs, bias=False)

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.delta.weight.to(weight)


class QueryDelta(WeightDelta):
    """The same of a query projection."""

    def __init__(self, channels: int, operations: Any = nn):
        super().__init__(channels, channels, operations)


def joint_group_norm(norm: nn.Module, x: Tensor, frames: int) -> Tensor:
    """Group norm with its statistics over all frames of a clip (LAMP's released code norms the 5-D tensor), `(b f) c h
    w`.
    """
    height = x.shape[-2]
    joint = norm(rearrange(x, "(b f) c h w -> b c (f h) w", f=frames))
    return rearrange(joint, "b c (f h) w -> (b f) c h w", h=height)
