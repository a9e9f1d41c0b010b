"""What every kind of input has in common: how a wrong value is named, and tensors of numbers."""

from typing import NoReturn

import torch
from torch import Tensor

_SHOWN = 40  # characters of a value in a sentence, and digits


def named(value) -> str:
    """A value in a sentence: what it is where that is short, else its type."""
    if value is None:
        return "nothing"
    is_short = isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 10**_SHOWN)
    if is_short or (isinstance(value, str) and len(value) <= _SHOWN):
        return repr(value)
    return f"of the type {type(value).__name__}"


def refuse(value, what: str, kind: str) -> NoReturn:
    """Raises ValueError: what comes in is of another kind."""
    raise ValueError(f"{what} is {named(value)} and no {kind}: connect a node that makes one.")


def is_plain(value) -> bool:
    """Whether a value is a tensor with its numbers in memory, one beside the other."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not (value.is_nested or value.is_meta or value.is_quantized or value.is_complex())
    )


def check_filled(value: Tensor, what: str) -> None:
    """Raises ValueError for a tensor without a single number."""
    if not value.numel():
        raise ValueError(
            f"{what} is empty, its shape is {tuple(value.shape)}: connect something with at least one frame in it."
        )


def check_numbers(value: Tensor, what: str) -> tuple[float, float]:
    """The least and the greatest of a tensor's numbers, in one pass and with no copy; a GPU is waited for once.

    Raises ValueError where it is empty, or one of them is no number.
    """
    check_filled(value, what)
    low, high = torch.stack([*value.detach().aminmax()]).tolist()
    if not (low > -torch.inf and high < torch.inf):
        raise ValueError(f"{what} holds values that are no numbers (NaN or infinite): check the nodes that made it.")
    return low, high
