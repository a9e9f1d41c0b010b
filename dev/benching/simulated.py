"""A graphics card that is not there: tensors without values on a device of a given size, every byte on it counted, and
ComfyUI deciding by that count what to load, keep and free.
"""

import weakref
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest.mock import patch

import comfy.model_management as management
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CARD = torch.device("cuda", 0)
TAKEN = 600 * 2**20  # bytes that driver, context and desktop hold of a card before anything is loaded
_READ_AS = {"item": 2.0, "__float__": 2.0}  # who asks for a noise level gets this one
_ALIGNED = 512  # bytes: PyTorch's allocator gives a multiple


class Card(TorchDispatchMode):
    """A context in which there is a card of so many bytes: `with Card(6 * 2**30) as card: …`.

    ComfyUI's own functions ask it what is free; whoever computes with tensors of two devices gets PyTorch's error. What
    is computed has no values. Kernels' own working memory is not counted.
    """

    def __init__(self, total: int):
        super().__init__()
        self.total = total
        self.held, self.peak = TAKEN, TAKEN
        self._known: dict[int, weakref.ref] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Card":
        # PyTorch makes a thread for each device it sees at its first backward pass; a process that has any cannot be
        # forked and learn, so that pass is before there is a card to be seen
        with torch.inference_mode(False), torch.enable_grad():
            torch.ones(1, requires_grad=True).sum().backward()
        for name, value in self._core().items():
            self._stack.enter_context(patch.object(management, name, value))
        self._stack.enter_context(patch.object(torch.cuda, "synchronize", lambda *_: None))
        self._stack.enter_context(patch.object(torch.cuda, "is_bf16_supported", lambda *_: True))
        self._stack.enter_context(patch.object(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False))
        self._stack.enter_context(patch.object(nn.Module, "_apply", _apply))
        for name, value in _READ_AS.items():
            self._stack.enter_context(patch.object(torch.Tensor, name, _read_as(value, getattr(torch.Tensor, name))))
        self._stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        self._stack.enter_context(_FusedAttention())
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._stack.close()
        management.cleanup_models()  # core struck those that went meanwhile off the list that was here in its place

    def _core(self) -> dict[str, Any]:
        """What of ComfyUI's memory management is answered for it, as on an NVIDIA card in its normal mode."""
        return {
            "get_torch_device": lambda: CARD,
            "get_free_memory": self._free,
            "get_total_memory": lambda dev=None, torch_total_too=False: self.total,
            "vram_state": management.VRAMState.NORMAL_VRAM,
            "current_loaded_models": [],
            "pytorch_attention_flash_attention": lambda: True,
            "should_use_bf16": lambda *_, **__: True,
            "NUM_STREAMS": 2,
            "get_offload_stream": lambda device: None,
        }

    @property
    def free(self) -> int:
        """Bytes that nothing holds."""
        return self.total - self.held

    def _free(self, dev=None, torch_free_too: bool = False):
        free = 2**40 if dev is not None and torch.device(dev).type == "cpu" else self.free
        return (free, 0) if torch_free_too else free

    def peak_of(self, call: Callable[[], Any]) -> int:
        """Bytes on the card at most while something is done, all that lay there before included."""
        self.peak = self.held
        call()
        return self.peak

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """An operation is carried out, and what it made on the card is counted until the last tensor of it goes."""
        kwargs = kwargs or {}
        if kwargs.get("device") == CARD:
            for leaf in tree_leaves(args):
                if isinstance(leaf, FakeTensor):
                    leaf.constant = None  # a number that PyTorch would move to a card of its own
        out = func(*args, **kwargs)
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor) and leaf.device.type == CARD.type:
                self._count(leaf.untyped_storage())
        return out

    def _count(self, storage) -> None:
        key = storage._cdata
        if key not in self._known:
            size = -(-storage.nbytes() // _ALIGNED) * _ALIGNED
            self._known[key] = weakref.ref(storage, partial(self._gone, key, size))
            self.held += size
            self.peak = max(self.peak, self.held)

    def _gone(self, key: int, size: int, _) -> None:
        del self._known[key]
        self.held -= size


class _FusedAttention(TorchFunctionMode):
    """Attention makes its result and no weights, as a GPU's fused kernels do."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.nn.functional.scaled_dot_product_attention:
            return _Fused.apply(*args[:3])
        return func(*args, **(kwargs or {}))


class _Fused(torch.autograd.Function):
    """What a fused attention makes, and keeps for its backward pass."""

    @staticmethod
    def forward(ctx, q, k, v):
        out = q.new_empty(q.shape[0], q.shape[2], q.shape[1], v.shape[-1]).transpose(1, 2)
        ctx.save_for_backward(q, k, v, out)
        return out


def _apply(self: nn.Module, fn: Callable, recurse: bool = True) -> nn.Module:
    """nn.Module._apply, which cannot move tensors without values."""
    for module in self.modules() if recurse else [self]:
        for name, value in module._parameters.items():
            if value is not None:
                with torch.no_grad():
                    module._parameters[name] = nn.Parameter(fn(value), value.requires_grad)
        for name, value in module._buffers.items():
            module._buffers[name] = None if value is None else fn(value)
    return self


def _read_as(value, read):
    return lambda tensor: value if isinstance(tensor, FakeTensor) else read(tensor)
