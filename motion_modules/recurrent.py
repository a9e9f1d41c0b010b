"""Recurrent causal attention (Li et al., "Few-Shot Video Generation with Recurrent Motion Prediction", CS236 2023).

Every position keeps a memory m that runs along the frames of a clip, and a frame's self-attention reads it beside the
key frames:

    m_0 = 0,   m_{i+1} = f(W_hh m_i + W_zh o_i + b_h)      o_i: what frame i's attention gave, before its output
    projection
               m_{i+1} = f(m_i + W_hh m_i + W_zh o_i + b_h)   where it keeps what it has ("fixed")
    a_i = m_i, or W_ho m_i + b_a                           the tokens that are read, through the image model's own to_k
    and to_v

The key frames of all frames are attended to in one call; only the reading of the memory, which waits for the frame
before, runs frame by frame. Nothing is written in place. Axes as in layers.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from .key_frames import Rule, key_tokens

Project = Callable[[Tensor], tuple[Tensor, Tensor]]  # tokens `b l c` -> their keys and values
_LOGITS = 2**22  # numbers before the softmax that are in memory at once, of as many heads as that is enough for
FIRST_AND_MEMORY = "official, first + memory"


@dataclass(frozen=True)
class Form:
    """How a memory is built and read.

    joint: one softmax over key frames and memory. Else the memory has a softmax of its own and is added, so that one of
    zeros adds nothing. aliased: from frame 2 on the "first frame" is the attention output of frame 0, which the release
    writes over it by mistake.
    """

    key_frames: Rule
    f: Callable[[Tensor], Tensor]
    joint: bool = True
    aliased: bool = False
    readout: bool = False  # a_i = W_ho m_i + b_a
    keeps: bool = False  # adds to m_i instead of replacing it

    @property
    def rule(self) -> Rule:
        """What self-attention looks at: the key frames, and behind them the memory."""
        return (*self.key_frames, "memory")


FORMS = {
    # Repaired: W and b begin at 0, where tanh (unlike ReLU) has a slope, so that a fresh layer is the sparse attention
    # itself and learns at once. What a frame adds is kept: b alone counts the frames, which nothing else tells apart
    # (the temporal attention has no positions).
    "fixed": Form(("first", "former"), torch.tanh, joint=False, keeps=True),
    # As released. With W = b = 0 the memory stays at zeros for ever (relu'(0) = 0), and those zeros take part in the
    # softmax.
    "official": Form(("first", "former"), torch.relu, aliased=True),
    FIRST_AND_MEMORY: Form(("first",), torch.relu, aliased=True),
    # After the paper's equations. They leave f and g open: f is tanh, g is left out; z_i is what the attention of the
    # frame before gave, as in the release. W_hh and W_zh begin at random: from the paper's zeros only b_a would learn.
    "paper": Form(("first",), torch.tanh, readout=True),
}


class Memory(nn.Module):
    """The memory of one self-attention. `memory_update_layer` is [W_hh W_zh] and b_h."""

    def __init__(self, channels: int, form: Form, operations: Any = nn):
        super().__init__()
        self.form = form
        self.memory_update_layer = operations.Linear(2 * channels, channels)
        if form.readout:
            self.memory_readout = operations.Linear(channels, channels)

    def begins_at_zero(self) -> Any:
        """The layer that has to be zero in a fresh adapter."""
        return self.memory_readout if self.form.readout else self.memory_update_layer

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, heads: int, frames: int, project: Project, strength: float = 1.0
    ) -> Tensor:
        """o of every frame, `(b f) l c`, from each frame's own projected queries, keys and values.

        Below full strength the key frames are mixed with a frame's own tokens and the memory counts less; 0 is plain
        self-attention.
        """
        mixed, clips = min(strength, 1.0), len(q) // frames
        own = [tokens.unflatten(0, (clips, frames)) for tokens in (k, v)]
        sources = [
            key_tokens(tokens, self.form.key_frames, frames, mixed).unflatten(0, (clips, frames)) for tokens in (k, v)
        ]
        queries = q.unflatten(0, (clips, frames))
        memory, outs = torch.zeros_like(queries[:, 0]), []
        for part in (slice(0, 1), slice(1, None)) if self.form.aliased else (slice(None),):
            if part.start:
                firsts = project(outs[0])
                sources = [_with_other_first(*tokens, mixed) for tokens in zip(sources, own, firsts, strict=True)]
            q_part, *kv_part = (tokens[:, part].flatten(0, 1) for tokens in (queries, *sources))
            sparse, lse = (each.unflatten(0, (clips, -1)).unbind(1) for each in self._attend(q_part, *kv_part, heads))
            for sparse_i, lse_i in zip(sparse, lse, strict=True):
                if outs:
                    memory = self._update(memory, outs[-1])
                o = (
                    self._read(memory, queries[:, len(outs)], sparse_i, lse_i, project, strength)
                    if outs or self.form.joint
                    else sparse_i
                )
                outs.append(rearrange(o, "b n l d -> b l (n d)"))
        return torch.stack(outs, dim=1).flatten(0, 1)

    def _update(self, memory: Tensor, o: Tensor) -> Tensor:
        """m_{i+1} from m_i and o_i."""
        new = self.memory_update_layer(torch.cat([memory, o], dim=-1))
        return self.form.f(memory + new if self.form.keeps else new)

    def _read(
        self, memory: Tensor, q: Tensor, sparse: Tensor, lse: Tensor, project: Project, strength: float
    ) -> Tensor:
        """o_i, `b n l d`, from the attention to the key frames and to the memory."""
        tokens = self.memory_readout(memory) if self.form.readout else memory
        read, read_lse = self._attend(q, *project(tokens), heads=sparse.shape[1])
        if not self.form.joint:
            return torch.add(sparse, read, alpha=strength)
        share = torch.sigmoid(read_lse - lse)  # of the memory in one softmax over both
        return sparse + strength * share.to(sparse) * (read - sparse)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, heads: int) -> tuple[Tensor, Tensor]:
        """`b l c` -> softmax(q k^T) v, `b n l d`, and for a joint softmax the log of the sum behind it, `b n l 1`; else
        that is empty.
        """
        q, k, v = (rearrange(tokens, "b l (n d) -> b n l d", n=heads) for tokens in (q, k, v))
        if self.form.joint:
            return attention_and_lse(q, k, v)
        return F.scaled_dot_product_attention(q, k, v), q[..., :0]


def _with_other_first(tokens: Tensor, own: Tensor, first: Tensor, strength: float) -> Tensor:
    """Key tokens `b f (k l) c` with another first frame, `b l c`, from frame 2 on; own: each frame's."""
    late = own[:, 2:]
    mixed = torch.lerp(late, first[:, None].expand_as(late).to(late), strength)
    return torch.cat([tokens[:, :2], torch.cat([mixed, tokens[:, 2:, own.shape[2] :]], dim=2)], dim=1)


def attention_and_lse(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """softmax(q k^T / sqrt d) v `b n l d`, and log sum exp(q k^T / sqrt d) `b n l 1`.

    Some heads at a time, and a backward pass computes each share again: no more than one share's logits are ever kept.
    """
    heads = max(1, _LOGITS // (q.shape[-2] * k.shape[-2]))
    shares = zip(*(tokens.flatten(0, 1).split(heads) for tokens in (q, k, v)), strict=True)
    outs, lses = zip(
        *(checkpoint(_attention_and_lse, *share, use_reentrant=False, preserve_rng_state=False) for share in shares),
        strict=True,
    )  # pyright: ignore
    return torch.cat(outs).view_as(q), torch.cat(lses).view(*q.shape[:-1], 1)


def _attention_and_lse(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    logits = (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).float()
    lse = logits.logsumexp(dim=-1, keepdim=True)
    return (logits - lse).exp().to(v) @ v, lse
