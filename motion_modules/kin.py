"""Files that people take for motion adapters and that are something else: told by a name in them, and what to do."""

import re
from collections.abc import Mapping

from torch import Tensor

from .adapter import AdapterError

_MODULE = "choose an AnimateDiff motion module, v3_sd15_mm say"
_KIN = (  # a pattern in one of the names; what it is; what to do
    (r"controlnet_cond_embedding\.", "a SparseCtrl encoder", _MODULE),
    (r"\b(qkv|q|kv)_merge\.|encoder_down_(conv|attention)_blocks\.", "a camera encoder of CameraCtrl", _MODULE),
    (r"\b(fps|motion)_embedding\.", "FancyVideo's UNet", _MODULE),
    (r"\bimg_encoder\.", "AnimateLCM's image-to-video module", "choose AnimateLCM's text-to-video module"),
    (r"\btemporal_attentions\.", "a HotshotXL module", _MODULE),
    (r"(temp_attentions|temp_convs|transformer_in)[._](?=.*lora)|lora.*(temp_attentions|temp_convs|transformer_in)",
     "a LoRA of ModelScope's UNet", "choose a motion LoRA of AnimateDiff"),
)  # fmt: skip
_MODELSCOPE = re.compile(r"\.temopral_conv\.|\.temp_convs\.")  # the first is how it is spelt there


def check_kin(file: str, tensors: Mapping[str, Tensor]) -> None:
    """Raise AdapterError where the tensors are of a network that shares AnimateDiff's names, or of ModelScope's."""
    for pattern, kin, advice in _KIN:
        if any(re.search(pattern, name) for name in tensors):
            raise AdapterError(f"{file} is {kin}, which this pack does not read: {advice}.")
    if any(_MODELSCOPE.search(name) for name in tensors):
        raise AdapterError(
            f"{file} is the whole UNet of ModelScope's text-to-video model and no adapter of an image model: put it "
            "into models/diffusion_models and load it with Load ModelScope T2V."
        )
    first = tensors.get("conv_in.weight")
    if first is not None and first.ndim > 1 and first.shape[1] == 9 and any("motion_modules." in n for n in tensors):
        raise AdapterError(f"{file} is a PIA module, which this pack does not read: {_MODULE}.")
