"""What an adapter changes in the image model's own projections, while they are used."""

from comfy.patcher_extension import CallbacksMP
from torch import Tensor

from ...motion_modules.call import KEY


class WeightChange:
    """A weight wrapper of ComfyUI's patchers, W -> W + strength * delta."""

    def __init__(self, delta: Tensor, strength: float):
        self.change = delta if strength == 1 else strength * delta

    def __call__(self, weight: Tensor) -> Tensor:
        """A projection's weight as it came, in the dtype it is used in -> with the change added."""
        if self.change.device != weight.device:  # it was put away, and a clone of that model is used
            self.move_to(weight.device)
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
        if not patched.get_callbacks(CallbacksMP.ON_DETACH, KEY):
            patched.add_callback_with_key(CallbacksMP.ON_DETACH, KEY, _put_away)
    else:
        patched.add_patches({weight: ("diff", (delta,))}, strength)


def _put_away(patched, unpatch_all: bool) -> None:
    """An ON_DETACH callback: the changes leave the device with the MODEL, or when another takes its place. ComfyUI
    itself takes them along only where a model was loaded in part.
    """
    for functions in patched.weight_wrapper_patches.values():
        for change in functions:
            if isinstance(change, WeightChange):
                change.move_to(patched.offload_device)
