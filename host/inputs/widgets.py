"""Numbers, switches, texts and choices, held to what a node's schema says of them whatever way they came: core holds
only what is typed into a widget to its limits, and nothing that comes through a link.
"""

from numbers import Integral, Real

from comfy_api.latest import io

from .values import named

_LISTED = 20  # choices that are listed in a sentence


def whole_number(value, asked, what: str) -> int:
    """An INT within its limits. Raises ValueError for another value."""
    is_whole = isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not is_whole:
        raise ValueError(f"{what} is {named(value)} and no whole number: connect an INT.")
    return _within(int(value), asked, what)


def number(value, asked, what: str) -> float:
    """A FLOAT within its limits. Raises ValueError for another value, NaN and infinite too."""
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:  # NaN is not itself
        raise ValueError(f"{what} is {named(value)} and no number: connect a FLOAT.")
    return float(_within(value, asked, what))


def _within(value, asked, what: str):
    low, high = asked.min, asked.max
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"{what} is {named(value)}, it goes from {low} to {high}: choose a number between them.")
    return value


def switch(value, asked, what: str) -> bool:
    """A BOOLEAN. Raises ValueError for another value."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} is {named(value)} and neither on nor off: connect a BOOLEAN.")
    return value


def text(value, asked, what: str) -> str:
    """A STRING that can be written down. Raises ValueError for another value."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is {named(value)} and no text: connect a STRING.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{what} holds half a character, which no file can keep: type the text anew.")
    return value


def choice(value, asked, what: str) -> str:
    """One of a list's choices. Raises ValueError for another word, which names them."""
    if not isinstance(value, str) or value not in asked.options:
        offered = ", ".join(map(str, asked.options[:_LISTED])) or "none, for there are none here"
        raise ValueError(f"{what} is {named(value)}, which is none of its choices: choose {offered}.")
    return value


WIDGETS = {
    io.Int.io_type: whole_number,
    io.Float.io_type: number,
    io.Boolean.io_type: switch,
    io.String.io_type: text,
    io.Combo.io_type: choice,
}
