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

from .frame_conv import frame_conv
from .mask_predictor import resize_masks

_ATTENTION_BATCH = 2**15  # CUDA's attention kernels take fewer than 65,536 sequences in one call


class MotionConv(nn.Module):
    """Temporal-spatial motion layer behind one 2-D convolution (LAMP, section 3.4 and figure 3).

    out = y + sigmoid(conv_gate(y)) * conv1d(y): the gate looks at one frame, `conv1d` at frames i-2, i-1 and i of one
    position; `centred`, at i-1, i and i+1: the plain convolution of figure 5, and what a given last frame needs, for a
    causal one never tells its neighbours that the end is near. `split` (ours): out = y + g_f * conv1d(y) +
    g_b * conv1d_background(y), where g_f + g_b is LAMP's gate, and a second channel of the gate, or a mask, says which
    share of it is the subject's. With two equal convolutions this is LAMP's layer.
    """

    def __init__(self, channels: int, operations: Any = nn, split: bool = False, centred: bool = False):
        super().__init__()
        self.around = (1, 1) if centred else (2, 0)  # frames of zeros before the first and behind the last
        self.conv_gate = operations.Conv2d(channels, 2 if split else 1, 3, padding=1)
        self.conv1d = frame_conv(operations, channels, channels, 3)
        self.conv1d_background = frame_conv(operations, channels, channels, 3) if split else None

    def forward(
        self, y: Tensor, frames: int, mask: Tensor | None = None, gates: list[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """A gate `b f 1 h w` and a motion `b f c h w`, whose product is to be added to a 2-D convolution's output y,
        `(b f) c h w`.

        Split layers only: `mask`, `f h w` or `1 h w` of any size, is the subject's share instead; a layer in training
        adds the logits of that share, `b f h w`, to `gates`.
        """
        size = y.shape[-2:]
        clips = y.unflatten(0, (-1, frames))
        padded = F.pad(clips.flatten(3), (0, 0, 0, 0, *self.around))

        def moved(conv1d: Any) -> Tensor:
            y = conv1d(padded.flatten(0, 1)).unflatten(-1, size)
            # all clips at once, so some of it is of frames of two clips: left out
            return y.as_strided((len(clips), frames, *y.shape[1:]), (padded.shape[1] * y.stride(0), *y.stride()))

        logits = self.conv_gate(y).unflatten(0, (-1, frames))
        gate, motion = torch.sigmoid(logits[:, :, :1]), moved(self.conv1d)
        if self.conv1d_background is None:
            return gate, motion
        if mask is None:
            subject = torch.sigmoid(logits[:, :, 1:])
        else:
            subject = resize_masks(mask.to(y.device).expand(frames, -1, -1), *size).to(y)[:, None]
        if gates is not None and self.training:
            gates.append(logits[:, :, 1])
        return gate, subject * motion + (1 - subject) * moved(self.conv1d_background)


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
        return self.to_out[0](rearrange(_in_parts(q, k, v), "b n f d -> b f (n d)"))

    def of_tokens(self, x: Tensor, frames: int, heads: int) -> Tensor:
        """x `(b f) l c` -> `b f l c`, each position by itself. Projected as it lies in memory: of the positions'
        columns, which do not, every projection would be a product of its own for each of them.
        """
        q, k, v = (
            rearrange(to(x), "(b f) l (n d) -> b l n f d", f=frames, n=heads)
            for to in (self.to_q, self.to_k, self.to_v)
        )
        clips = [rearrange(_in_parts(*clip), "l n f d -> l f (n d)") for clip in zip(q, k, v, strict=True)]
        out = self.to_out[0](clips[0][None] if len(clips) == 1 else torch.stack(clips))
        return rearrange(out, "b l f c -> b f l c")


def _in_parts(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T) v, `b n f d`, of not too many sequences at a time."""
    parts = list(zip(*(part.split(_ATTENTION_BATCH // q.shape[1]) for part in (q, k, v)), strict=True))
    return _attention(*parts[0]) if len(parts) == 1 else torch.cat([_attention(*part) for part in parts])


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
    w` -> `b f c h w`.
    """
    height = x.shape[-2]
    joint = norm(rearrange(x, "(b f) c h w -> b c (f h) w", f=frames))
    return rearrange(joint, "b c (f h) w -> b f c h w", h=height)


def silu_in_order(x: Tensor) -> Tensor:
    """SiLU of features `b f c h w` that lie in memory in another order -> `(b f) c h w` in this one, without a copy."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():  # a compiler fuses the copy, and takes no `out`
        return F.silu(x.flatten(0, 1))
    out = x.new_empty(x.shape)
    torch.ops.aten.silu.out(x, out=out)
    return out.flatten(0, 1)
