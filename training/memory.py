"""What a training run will take, before it starts."""

from dataclasses import dataclass

_GIB = 2**30


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


def estimate(
    frozen: int,
    trained_parameters: int,
    latents: tuple[int, int, int],
    channels: int,
    itemsize: int,
    checkpointing: bool,
    cast: int = 0,
) -> Estimate:
    """latents: frames in a batch, height and width; channels: the UNet's narrowest width; itemsize: bytes of a number
    in the forward pass; cast: bytes of the frozen weights in the dtype they are computed in, where that is not theirs.

    Counted by saved-tensor hooks on a UNet of SD 1.x's topology and width, LAMP's layers in it, at two sizes: for its
    backward pass it keeps 467 to 477 maps of its narrowest width at the latent's size, and the weights it has cast.
    With checkpointing it keeps 50 of them, and while a block is computed again 32 more and that block's weights.
    """
    batch, height, width = latents
    copies = cast + (itemsize * trained_parameters if itemsize < 4 else 0)
    maps, share = (50 + 32, 0.1) if checkpointing else (470, 1.0)
    activations = batch * height * width * channels * itemsize * maps + int(share * copies)
    return Estimate(frozen, trained_parameters * 16, activations)


def check_memory(needed: Estimate, free: int, device: str) -> None:
    """Raise ValueError where a run cannot fit."""
    if needed.total > free:
        raise ValueError(
            f"Training needs about {needed}, {device} has {free / _GIB:.2f} GiB free: use fewer frames, a smaller "
            "size, a smaller batch, a low rank, "
            "or turn gradient checkpointing on."
        )
