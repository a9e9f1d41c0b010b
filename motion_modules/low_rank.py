"""Small adapters: every matrix as a product of two thin ones, in place of the matrix itself."""

from typing import Any

from torch import Tensor, nn


class LowRank(nn.Module):
    """up(down(x)) through `rank` channels; `weight` is the matrix they stand for."""

    up: Any
    down: Any

    def __init__(self, down: Any, up: Any):
        super().__init__()
        self.down, self.up = down, up

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x))

    @property
    def weight(self) -> Tensor:
        """The product up @ down, `outputs inputs`; of linear layers only."""
        up, down = self.up.weight, self.down.weight
        return up @ down


class LowRankOperations:
    """Makes layers like `operations` does, but its matrices thin. Gates and norms are small already and stay whole.

    A factory for each kind of layer, named as torch.nn's.
    """

    def __init__(self, rank: int, operations: Any = nn):
        self.rank, self.operations = rank, operations
        self.Conv2d, self.LayerNorm = operations.Conv2d, operations.LayerNorm

    def Linear(self, inputs: int, outputs: int, bias: bool = True) -> LowRank:  # noqa: N802
        """`… inputs` -> `… outputs` through `rank` numbers; the bias is the second factor's."""
        make = self.operations.Linear
        return LowRank(make(inputs, self.rank, bias=False), make(self.rank, outputs, bias=bias))
