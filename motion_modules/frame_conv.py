"""A convolution along the frames of a clip, as one matrix product per frame. Axes as in layers.py; l: positions."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from .low_rank import LowRank, LowRankOperations

_SMALL = 16  # features with fewer positions than a sixteenth of the outputs


def frame_conv(operations: Any, inputs: int, outputs: int, taps: int, bias: bool = True) -> Any:
    """A layer `f inputs l` -> `f-taps+1 outputs l`, its parameters a Conv1d's. Low rank: the first factor has the taps,
    the second mixes channels alone.
    """
    if isinstance(operations, LowRankOperations):
        whole, rank = operations.operations, operations.rank
        return LowRank(frame_conv(whole, inputs, rank, taps, bias=False), frame_conv(whole, rank, outputs, 1, bias))
    return _over_frames(operations.Conv1d)(inputs, outputs, taps, bias=bias)


@cache
def _over_frames(conv1d: type) -> type:
    """The class of layers `conv1d`, torch's or the host's, with frames where it has positions."""

    class FrameConv(conv1d):
        def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            """What both torch's and the host's forward call with the weights as they are to be used."""
            if _is_slow_as_product(input, weight):
                return super()._conv_forward(input.transpose(0, 2), weight, bias).transpose(0, 2)
            return _product(input, weight, bias)

        def lay_out(self) -> None:
            """Lay the weight out in memory as the product reads it; its shape stays."""
            self.weight.data = self.weight.data.transpose(1, 2).contiguous().transpose(1, 2)

    return FrameConv


def _is_slow_as_product(x: Tensor, weight: Tensor) -> bool:
    """A product's gradient holds a weight per frame, and PyTorch's half-precision products on a CPU take up to four
    times longer than its convolutions.
    """
    learns = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    return learns or (x.device.type == "cpu" and x.dtype != torch.float32)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Frames that follow each other lie behind each other in memory: those under a kernel's taps are one matrix
    `(taps c) l`, without a copy. Of small features the weights are the larger part, which every product reads anew: so
    there the frames are copied into one matrix.
    """
    windows = x.unfold(0, weight.shape[-1], 1)  # f c l taps
    matrix = weight.transpose(1, 2).flatten(1)  # outputs (taps inputs)
    column = None if bias is None else bias[:, None]
    if _SMALL * x.shape[-1] <= len(matrix):
        together = windows.permute(3, 1, 0, 2).flatten(2).flatten(0, 1)
        y = matrix @ together if column is None else torch.addmm(column, matrix, together)
        return y.unflatten(1, (len(windows), -1)).transpose(0, 1)
    windows, matrix = windows.permute(0, 3, 1, 2).flatten(1, 2), matrix.expand(len(windows), -1, -1)
    return torch.bmm(matrix, windows) if column is None else torch.baddbmm(column, matrix, windows)


def lay_out(module: torch.nn.Module) -> None:
    """Lay out every such layer of a module that is to run and not to learn."""
    for layer in module.modules():
        if callable(own := getattr(layer, "lay_out", None)):
            own()
