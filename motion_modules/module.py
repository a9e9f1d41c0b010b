"""The layers of one adapter as a torch module, named as in its file: `input_blocks.1.0.in_layers.2.conv1d.weight`."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from .blocks import MotionBlock
from .key_frames import Rule
from .layers import MotionConv
from .low_rank import LowRank, LowRankOperations
from .recurrent import FORMS
from .sites import Site


class MotionModule(nn.Module):
    """A tree of containers with a motion layer at every site; `layers[path]` finds it again.

    tuned: the attentions with tuned queries; recurrence: the form of the memory in the self-attention, "" for none.
    LAMP's by default. split: subject and background apart. centred: convolutions that look at the frame behind, too.
    """

    max_frames = None

    def __init__(self, sites: Iterable[Site], rank: int = 0, operations: Any = nn, split: bool = False, *,
                 key_frames: Rule = ("first",), tuned: tuple[str, ...] = ("attn1",), recurrence: str = "",
                 centred: bool = False):  # fmt: skip
        super().__init__()
        made_by = LowRankOperations(rank, operations) if rank else operations
        form = FORMS[recurrence] if recurrence else None
        self.key_frames = form.rule if form else key_frames
        self.layers: dict[str, MotionConv | MotionBlock] = {}
        for site in sites:
            layer = (
                MotionBlock(site.channels, tuned, form, made_by)
                if site.is_block
                else MotionConv(site.channels, made_by, split, centred)
            )
            self.layers[site.path] = layer
            put(self, site.path, layer)

    def weight_deltas(self) -> dict[str, nn.Module]:
        """Parameter name of a UNet's query projection -> the layer that adds to it."""
        blocks = ((path, layer) for path, layer in self.layers.items() if isinstance(layer, MotionBlock))
        return {f"{path}.{name}.weight": delta for path, layer in blocks for name, delta in layer.queries().items()}


def put(root: nn.Module, path: str, layer: nn.Module) -> None:
    """Make `layer` the submodule of that path, with containers on the way."""
    *containers, last = path.split(".")
    for name in containers:
        if not hasattr(root, name):
            root.add_module(name, nn.Module())
        root = root.get_submodule(name)
    root.add_module(last, layer)


@torch.no_grad()
def initialise(module: MotionModule) -> MotionModule:
    """Make fresh layers add exactly nothing while every one of them can learn (but the official form of a memory).

    The paper says that all new parameters start at zero; the released code leaves the temporal attention's output bias
    random, so that its untrained UNet is not the image model. Here that bias is zero too. Low rank: the second of two
    matrices is zero.
    """
    for layer in module.layers.values():
        if isinstance(layer, MotionBlock):
            _zero(layer.attn_temp.to_out[0])
            for query in layer.queries().values():
                _zero(query.delta)
            if layer.memory:
                _zero(layer.memory.begins_at_zero())
            layer.norm_temp.requires_grad_(False)  # never trained by the release either
        else:
            _zero(layer.conv_gate)
            _zero(layer.conv1d)
            if layer.conv1d_background is not None:
                _zero(layer.conv1d_background)
    return module


def _zero(layer: Any) -> None:
    for parameter in (layer.up if isinstance(layer, LowRank) else layer).parameters():
        parameter.zero_()


def site_of(name: str) -> str:
    """The site a parameter of an adapter belongs to: `….in_layers.2.conv1d.weight` -> `….in_layers.2`; "" for a foreign
    name.
    """
    for part in (".conv1d.", ".conv1d_background.", ".conv_gate.", ".attn_temp.", ".norm_temp.", ".attn1.", ".attn2."):
        if part in name:
            return name.split(part)[0]
    return ""
