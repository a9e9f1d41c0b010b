"""What a method adds to one transformer block: temporal attention at its end, tuned queries, and for recurrent
attention a memory.
"""

from typing import Any

from torch import Tensor, nn

from .layers import QueryDelta, TemporalAttention
from .recurrent import Form, Memory


class TunedAttention(nn.Module):
    """One attention of the image model whose query projection is tuned."""

    def __init__(self, channels: int, operations: Any = nn):
        super().__init__()
        self.to_q = QueryDelta(channels, operations)


class RecurrentAttention(Memory):
    """Self-attention with tuned queries and a memory; parameter names as the release's."""

    def __init__(self, channels: int, form: Form, operations: Any = nn):
        super().__init__(channels, form, operations)
        self.to_q = QueryDelta(channels, operations)


class MotionBlock(nn.Module):
    """tuned: the attentions with a tuned query; form: of the memory in the self-attention, None: without one."""

    def __init__(
        self, channels: int, tuned: tuple[str, ...] = ("attn1",), form: Form | None = None, operations: Any = nn
    ):
        super().__init__()
        self.norm_temp = operations.LayerNorm(channels)
        self.attn_temp = TemporalAttention(channels, operations)
        for name in tuned:
            recurs = form if name == "attn1" else None
            self.add_module(
                name,
                RecurrentAttention(channels, recurs, operations) if recurs else TunedAttention(channels, operations),
            )
        self.tuned = tuned

    def queries(self) -> dict[str, QueryDelta]:
        """Name of a query projection in the block -> what tunes it."""
        return {
            f"{name}.to_q": self.get_submodule(f"{name}.to_q")  # pyright: ignore[reportReturnType]
            for name in self.tuned
        }

    @property
    def memory(self) -> Memory | None:
        """What its self-attention recurs through; None in methods without a memory."""
        return self.attn1 if isinstance(self.attn1, Memory) else None

    def forward(self, x: Tensor, frames: int, heads: int) -> Tensor:
        """What to add to the block's tokens, `(b f) l c` -> `b f l c`."""
        return self.attn_temp.of_tokens(self.norm_temp(x), frames, heads)
