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
) -> Estimate:
    """latents: frames in a batch, height and width; channels: the UNet's narrowest width; itemsize: bytes of a number
    in the forward pass.

    For its backward pass a UNet of SD 1.x's topology keeps about 530 maps of that width at the latent's size, LAMP's
    layers included; with checkpointing about 55, and one block's worth on top while that is computed again (counted
    here as much again). tests/comfy/test_training_memory.py counts them.
    """
    batch, height, width = latents
    maps = 110 if checkpointing else 530
    return Estimate(frozen, trained_parameters * 16, batch * height * width * channels * itemsize * maps)


def check_memory(needed: Estimate, free: int, device: str) -> None:
    """Raise ValueError where a run cannot fit."""
    if needed.total > free:
        raise ValueError(
            f"Training needs about {needed}, {device} has {free / _GIB:.2f} GiB free: use fewer frames, a smaller "
            "size, a smaller batch, a low rank, "
            "or turn gradient checkpointing on."
        )
