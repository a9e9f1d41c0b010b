"""What a training run will take, before it starts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_GIB = 2**30
_ROOM = 1.25  # what a run may take beyond its estimate: kernels' own buffers, other programs
# bytes of gradients and of kernels' own buffers, for each number given to the widest block, while it is gone back
# through: what an H200's peaks were above the rest of the estimate
_BACKWARD = 20


@dataclass(frozen=True)
class Estimate:
    """Bytes: the frozen model, the trained layers with gradients and AdamW's two moments, and what is kept for the
    backward pass.
    """

    frozen: int
    trained: int
    activations: int

    @property
    def total(self) -> int:
        """Bytes, all of it at once."""
        return self.frozen + self.trained + self.activations

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {getattr(self, name) / _GIB:.2f}" for name in ("frozen", "trained", "activations"))
        return f"{self.total / _GIB:.2f} GiB ({parts})"


@dataclass(frozen=True)
class Part:
    """What checkpointing computes anew as one: a ResBlock (depth 0) or a transformer of `depth` blocks; or a lone
    convolution (depth None), which it keeps.

    given, made: channels that go in and come out; share: of the latent's positions; numbers: how many weights.
    """

    given: int
    made: int
    share: float
    numbers: int
    depth: int | None

    def kept(self, itemsize: int) -> float:
        """Numbers of `itemsize` bytes that its backward pass needs of its forward pass, per position of the latent.

        Counted on UNets of SD 1.x's and SDXL's topology and width, LAMP's layers in them. In half precision they are
        more: norms are computed in fp32, and what goes in and comes out is kept as such.
        """
        half = itemsize == 2
        if self.depth is None:
            return (4 if half else 4.8) * self.made * self.share
        if self.depth:
            return (6 + 31.6 * self.depth if half else 2 + 28 * self.depth) * self.made * self.share
        given, made, skip = (5.0, 12.5, 3.2) if half else (3.0, 10.3, 3.2)
        skip = skip * self.made if self.given != self.made else 0
        return (given * self.given + made * self.made + skip) * self.share


def estimate(frozen: int, trained_parameters: int, latents: tuple[int, int, int], parts: Sequence[Part], itemsize: int,
             checkpointing: bool, cast: int = 0) -> Estimate:  # fmt: skip
    """latents: frames in a batch, height and width; parts: the whole UNet; itemsize: bytes of a number in the forward
    pass; cast: bytes of the frozen weights in the dtype they are computed in, where that is not theirs.

    With checkpointing there is kept what goes into each part, all of the largest one while it is computed anew, and the
    weights that are cast there. On the way back the widest part's gradients come on top.
    """
    frames, height, width = latents
    each = frames * height * width * itemsize  # bytes of a channel
    copies = cast + (itemsize * trained_parameters if itemsize < 4 else 0)
    lone = [part for part in parts if part.depth is None]
    blocks = [part for part in parts if part.depth is not None]
    kept = {part: part.kept(itemsize) for part in parts}
    maps, copied = sum(kept[part] for part in parts), 1.0
    if checkpointing:
        largest = max(blocks, key=lambda block: kept[block])
        maps = sum(kept[part] for part in lone) + sum(part.given * part.share for part in blocks) + kept[largest]
        copied = (sum(part.numbers for part in lone) + largest.numbers) / sum(part.numbers for part in parts)
    back = going_back(latents, parts)
    return Estimate(frozen, trained_parameters * 16, int(each * maps + copied * copies) + back)


def going_back(latents: tuple[int, int, int], parts: Sequence[Part]) -> int:
    """Bytes in flight in the backward pass, at most."""
    return int(_BACKWARD * math.prod(latents) * max(part.given * part.share for part in parts))


def has_room(needed: Estimate, free: int) -> bool:
    """Does a run fit so well that it need not save memory?"""
    return needed.total * _ROOM <= free


def check_memory(needed: Estimate, free: int, device: str) -> None:
    """Raise ValueError where a run cannot fit."""
    if needed.total > free:
        raise ValueError(
            f"Training needs about {needed}, {device} has {free / _GIB:.2f} GiB free: use fewer frames, a smaller "
            "size, a smaller batch, a low rank, "
            "or turn gradient checkpointing on."
        )
