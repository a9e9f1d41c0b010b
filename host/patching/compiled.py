"""Motion behind core's TorchCompileModel: a call in which it acts runs code compiled for such calls alone.

Core compiles a UNet and tells the compiler not to watch a call's options (`guard_filter_fn`), and they are all that
says whether and how motion acts: code compiled for one call would run in another, in silence. So nothing core compiled
is used in a call with motion. The UNet with its motion is compiled once more, as one graph, in the same way and with
every guard: what has changed since is compiled anew, strengths apart, which from their second value on are an input.
"""

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..said import say

COMPILED = "few_shot_motion_compiled"  # transformer_options: runs a function of ours as core's node wants the UNet run
# that are kept at most, PyTorch's own 8: one for each image model, set of adapters, kind of mask and size
_GRAPHS = 32


def uncompiled() -> contextlib.AbstractContextManager:
    """Around a call in which motion acts: what torch.compile made of its UNet elsewhere is not used in it."""
    set_stance = getattr(torch.compiler, "set_stance", None)  # PyTorch 2.6
    return set_stance("force_eager") if set_stance else contextlib.nullcontext()


class Compiled:
    """The compiled calls of one MODEL; the code itself is shared by all it fits."""

    def __init__(self) -> None:
        self.refused = False  # was there something that cannot be compiled?

    def run(self, settings: dict, function: Callable[..., Tensor], *given: Any) -> Tensor:
        """What `function` gives, by code compiled with the settings of core's node; where that cannot be, uncompiled,
        and said once.
        """
        if self.refused or not hasattr(torch.compiler, "set_stance"):
            return function(*given)
        from torch._dynamo import config, exc  # a second of import that only compiled models are worth

        try:
            with torch.compiler.set_stance("default"), config.patch(recompile_limit=_GRAPHS):
                return _made(settings, function)(*given)
        except exc.TorchDynamoException as reason:
            self.refused = True
            logging.getLogger("few_shot_motion").info("torch.compile: %s", reason)
            say(
                "This model with its motion cannot be compiled as TorchCompileModel asks, so it runs uncompiled; "
                "the log says why.",
                warning=True,
            )
        return function(*given)


def _made(settings: dict, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """As core's node makes it, but one graph or none, and with every guard."""
    options = {name: value for name, value in (settings["options"] or {}).items() if name != "guard_filter_fn"}
    return torch.compile(function, **{**settings, "options": options, "fullgraph": True})
