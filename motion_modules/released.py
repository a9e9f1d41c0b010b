"""Layouts of the papers' own releases: read, never written.

LAMP (RQ-Wu/LAMP): a diffusers UNet folder, or its one weights file, with the whole frozen SD 1.4 inside (4.4 GB). Its
66 inflated convolutions are called `X.conv2d` (the image model's), `X.conv1d` and `X.conv_gate`. Tune-A-Video
(showlab/Tune-A-Video) and recurrent causal attention (RyanLi0802/CS236-Final-Project): such a folder again, its
convolutions under the image model's own names. AnimateDiff: animatediff_file.py, animatediff_lora.py.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from . import animatediff_file, animatediff_lora
from .adapter import AdapterError, MotionAdapter, open_safetensors, read_own
from .diffusers_names import to_comfy
from .methods import METHODS
from .recurrent import FIRST_AND_MEMORY

_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin",
            "unet/diffusion_pytorch_model.safetensors",
            "unet/diffusion_pytorch_model.bin")  # fmt: skip
# what torch.load raises, with weights_only, for a file that is damaged or holds more than weights
DAMAGED = (
    torch.serialization.pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
)  # pyright: ignore
_ADDED = (".conv1d.", ".conv_gate.", ".attn_temp.", ".norm_temp.", ".memory_update_layer.")
_QUERIES = {"lamp": (".attn1.to_q.weight",), "tune-a-video": (".attn1.to_q.weight", ".attn2.to_q.weight"),
            "recurrent": (".attn1.to_q.weight", ".attn2.to_q.weight")}  # fmt: skip


def load_adapter(file: Path, base_query) -> MotionAdapter:
    """An adapter from any layout this pack reads.

    base_query(name) -> the weight of a query projection of the model it is for: a release stores its tuned queries
    whole. Raises AdapterError, one sentence, where the file cannot be used.
    """
    if file.is_dir():
        file = next((file / name for name in _WEIGHTS if (file / name).exists()), file)
        if file.is_dir():
            raise AdapterError(
                f"The folder {file.name} holds none of {', '.join(_WEIGHTS)}: choose a UNet folder as diffusers saves "
                "it."
            )
    if file.suffix in (".safetensors", ".sft"):
        if adapter := read_own(file):
            return adapter
        with open_safetensors(file) as content:
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    else:
        tensors = _read_pickle(file)
    if method := _method_of(tensors):
        return from_release(method, tensors, base_query)
    if adapter := animatediff_lora.read(file.name, tensors) or animatediff_file.read(file.name, tensors):
        return adapter
    some = ", ".join(list(tensors)[:3])
    raise AdapterError(f"{file.name} is no motion adapter this pack knows: it holds {len(tensors)} tensors such as "
                       f"{some}. "
                       "It reads its own adapters, the released UNets of LAMP, Tune-A-Video and recurrent causal "
                       "attention, and AnimateDiff's motion "
                       "modules and motion LoRAs.")  # fmt: skip


def _read_pickle(file: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        reason = str(error).partition("\n")[0]
        raise AdapterError(
            f"{file.name} was refused: it is damaged or holds more than weights ({reason}); convert it to .safetensors."
        ) from error
    for wrapping in ("state_dict", "module"):
        content = content.get(wrapping, content) if isinstance(content, dict) else content
    tensors = (
        {name: value for name, value in content.items() if isinstance(value, Tensor)}
        if isinstance(content, dict)
        else {}
    )
    if not tensors:
        raise AdapterError(f"{file.name} holds no state dict of tensors: choose the weights file itself.")
    return tensors


def _method_of(tensors: Mapping[str, Tensor]) -> str:
    """Whose UNet this is, by the layers it has; "" for nobody's."""
    if "conv_in.conv1d.weight" in tensors:
        return "lamp"
    if not any(
        ".attn_temp." in name and name.startswith(("down_blocks.", "up_blocks.", "mid_block.")) for name in tensors
    ):
        return ""
    return "recurrent" if any(".memory_update_layer." in name for name in tensors) else "tune-a-video"


def from_release(method: str, tensors: Mapping[str, Tensor], base_query) -> MotionAdapter:
    """The trained part of a released UNet; its frozen image model is left where it is.

    A recurrent UNet does not tell whether its frames also look at the frame before. The release's code does, so that is
    taken.
    """
    names = to_comfy(tensors)
    added = {
        names[name]: tensor
        for name, tensor in tensors.items()
        if name in names and any(part in name for part in _ADDED)
    }
    for name, new in names.items():
        if name.endswith(_QUERIES[method]):
            added[new.replace(".to_q.weight", ".to_q.delta.weight")] = tensors[name].float() - base_query(
                new, tensors[name].shape
            )
    text = {tensor.shape[1] for name, tensor in tensors.items() if name.endswith(".attn2.to_k.weight")}
    metadata = {
        "base": "Stable Diffusion 2.x" if text == {1024} else "Stable Diffusion 1.4",
        "source": f"the released UNet layout of {METHODS[method].title}",
    }
    return MotionAdapter(method, added, metadata=metadata, recurrence="official" if method == "recurrent" else "")


def first_and_memory(adapter: MotionAdapter) -> MotionAdapter:
    """A recurrent release whose frames look at the first frame and the memory alone; any other adapter as it is."""
    return replace(adapter, recurrence=FIRST_AND_MEMORY) if adapter.recurrence == "official" else adapter
