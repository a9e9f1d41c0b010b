"""Motion LoRAs in a MODEL: patches on its motion module, which ComfyUI puts on and takes off as it does with every
LoRA.
"""

from comfy.weight_adapter.lora import LoRAAdapter

from ...motion_modules.adapter import AdapterError, MotionAdapter
from ...motion_modules.animatediff import TemporalTransformers
from ...motion_modules.animatediff_lora import pairs
from ...motion_modules.call import KEY


def apply_motion_lora(model, adapter: MotionAdapter, strength: float):
    """A clone of the model whose newest AnimateDiff module is changed by a LoRA; several add up.

    Raises AdapterError where the model has no such module or another one.
    """
    patched = model.clone()
    motions = list(patched.get_additional_models_with_key(KEY))
    places = [i for i, motion in enumerate(motions) if isinstance(motion.model, TemporalTransformers)]
    if not places:
        raise AdapterError("A motion LoRA changes an AnimateDiff motion module, and this model has none: load the "
                           "motion module first, "
                           "v2 for AnimateDiff's own LoRAs, and the LoRA behind it.")  # fmt: skip
    motion = motions[places[-1]]
    changes = pairs(adapter, {name: value.shape for name, value in motion.model.state_dict().items()})
    if strength:
        motion.add_patches(
            {name: LoRAAdapter(set(), (*matrices, None, None, None, None)) for name, matrices in changes.items()},
            strength,
        )
        patched.set_additional_models(KEY, motions)
    return patched
