"""The speed of cards people have."""

from dataclasses import dataclass

USED = 0.5  # of a card's matrix speed: what large products reach on it
LAUNCH = 5e-6  # seconds a kernel takes at least


@dataclass(frozen=True)
class Card:
    """A GPU by its maker's data sheet: bytes per second of its memory, FLOPs per second of half-precision products with
    sums in single precision.
    """

    name: str
    memory: float
    products: float

    def seconds(self, kernels: int, traffic: int, flops: int) -> float:
        """Of one call, an estimate: its products at a share of the card's speed, everything it reads and writes at its
        memory's, and no kernel under its launch.
        """
        return max(kernels * LAUNCH, flops / (USED * self.products) + traffic / self.memory)


CARDS = (Card("RTX 3060", 360e9, 25.5e12), Card("RTX 4090", 1008e9, 165e12))
LENT = Card("NVIDIA H200", 4800e9, 989e12)  # what dev/benching/gpu.py ran on
