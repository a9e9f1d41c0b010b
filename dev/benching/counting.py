"""What a call would do to a GPU, counted on the meta device: kernels, bytes and FLOPs, exact and the same on every
machine.
"""

import math
from collections import Counter
from dataclasses import dataclass, field

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

# these return new tensors by their schema and launch nothing: they say how a storage is read, or reserve one
_FREE = ("empty", "new_empty", "empty_like", "empty_strided", "_unsafe_view", "_reshape_alias", "detach", "lift_fresh")


@dataclass
class Count:
    """Kernels, bytes and FLOPs of one call; `by`: kernels and bytes by kind of kernel."""

    kernels: int = 0
    traffic: int = 0  # bytes read and written, every operand once
    flops: int = 0  # of matrix products, convolutions and attention; a multiplication and an addition are two
    by: Counter = field(default_factory=Counter, repr=False)
    bytes_by: Counter = field(default_factory=Counter, repr=False)

    def add(self, name: str, tensors: list[torch.Tensor]) -> None:
        """One kernel that reads and writes these."""
        moved = sum(map(_held, tensors))
        self.kernels += 1
        self.traffic += moved
        self.by[name] += 1
        self.bytes_by[name] += moved


def _held(tensor: torch.Tensor) -> int:
    """Bytes of memory a tensor shows, each of them once: expanded and overlapping views show some many times."""
    shown = math.prod(size for size, step in zip(tensor.shape, tensor.stride(), strict=True) if step)
    return min(shown * tensor.element_size(), tensor.untyped_storage().nbytes())


class Counting(TorchDispatchMode):
    """A context in which whatever is computed is counted: `with Counting() as count: …`.

    Each operation that PyTorch dispatches counts as one kernel, but those that only look at a tensor in another way.
    A fused attention is one kernel, as on a GPU; a convolution that copies its input first is two.
    """

    def __init__(self):
        super().__init__()
        self.count, self.attention = Count(), _Attention(self)

    def __enter__(self) -> Count:  # pyright: ignore
        super().__enter__()
        self.attention.__enter__()
        return self.count

    def __exit__(self, *error):
        self.attention.__exit__(*error)
        super().__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """An operation is carried out, and counted."""
        out, name = func(*args, **(kwargs or {})), func.overloadpacket.__name__
        if name == "convolution" and not _lies_in_order(args[0]):
            self.count.add("copy for a convolution", [args[0], args[0]])
        if not (_looks_only(func) or name in _FREE):
            self.count.add(name, [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor)])
        if flops := flop_registry.get(func.overloadpacket):
            self.count.flops += flops(*args, **(kwargs or {}), out_val=out)
        return out


def _lies_in_order(x: torch.Tensor) -> bool:
    """Can a convolution read a tensor as it lies in memory?"""
    orders = {4: [torch.channels_last], 5: [torch.channels_last_3d]}.get(x.ndim, [])
    return any(x.is_contiguous(memory_format=order) for order in (torch.contiguous_format, *orders))


def _looks_only(func) -> bool:
    """Does an operation return its argument in another shape, and write nothing?"""
    returned = [value.alias_info for value in func._schema.returns]
    return bool(returned) and all(alias is not None and not alias.is_write for alias in returned)


class _Attention(TorchFunctionMode):
    """A fused attention is not seen by a dispatch mode in one piece."""

    def __init__(self, counting: Counting):
        super().__init__()
        self.counting = counting

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not torch.nn.functional.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        q, k, v = args[:3]
        # as the fused kernels give it: heads beside each other, so that `b l (n d)` is a view of it
        out = q.new_empty(q.shape[0], q.shape[2], q.shape[1], v.shape[-1]).transpose(1, 2)
        self.counting.count.add("attention", [q, k, v, out])
        self.counting.count.flops += 2 * q.shape[:-1].numel() * k.shape[-2] * (q.shape[-1] + v.shape[-1])
        return out
