"""The speed of cards people have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A GPU by its maker's data sheet: bytes per second of its memory, FLOPs per second of half-precision products with
    sums in single precision.
    """

    name: str
    memory: float
    products: float


CARDS = (Card("RTX 3060", 360e9, 25.5e12), Card("RTX 4090", 1008e9, 165e12))
