"""What an adapter changes in the image model's own projections, while they are used."""

from torch import Tensor


class WeightChange:
    """A weight wrapper of ComfyUI's patchers, W -> W + strength * delta."""

    def __init__(self, delta: Tensor, strength: float):
        self.change = delta if strength == 1 else strength * delta

    def __call__(self, weight: Tensor) -> Tensor:
        """A projection's weight as it came, in the dtype it is used in -> with the change added."""
        return weight + self.change.to(weight)

    def move_to(self, device) -> int:
        """Called where the projection is loaded or unloaded; returns the bytes that moved along."""
        self.change = self.change.to(device)
        return self.change.nbytes


def change_weight(patched, projection: str, delta: Tensor, strength: float) -> None:
    """W + strength * delta at a projection of a cloned MODEL, `diffusion_model.….attn1.to_q`.

    Not as a weight patch, as a LoRA is one: patches go into every file and every merge that is made of a model's
    weights, and without the motion layers, which cannot go there, the tuned queries would be half an adapter. Layers
    of another pack that make their weights in a way of their own (quantised ones) know patches only.
    """
    weight = f"{projection}.weight"
    if type(patched.get_model_object(projection)).__module__ == "comfy.ops":
        patched.add_weight_wrapper(weight, WeightChange(delta, strength))
    else:
        patched.add_patches({weight: ("diff", (delta,))}, strength)
