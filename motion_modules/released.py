"""Layouts of the papers' own releases: read, never written.

LAMP (RQ-Wu/LAMP): a diffusers UNet folder, or its one weights file, with the whole frozen SD 1.4 inside (4.4 GB). Its
66 inflated convolutions are called `X.conv2d` (the image model's), `X.conv1d` and `X.conv_gate`. Tune-A-Video
(showlab/Tune-A-Video) and recurrent causal attention (RyanLi0802/CS236-Final-Project): such a folder again, its
convolutions under the image model's own names. AnimateDiff: animatediff_file.py, animatediff_lora.py.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from . import animatediff_file, animatediff_lora
from .adapter import TITLES, AdapterError, BaseQuery, MotionAdapter
from .adapter_file import check_values, read_own
from .diffusers_names import to_comfy
from .kin import check_kin
from .recurrent import FIRST_AND_MEMORY
from .weights import read_weights

_ADDED = (".conv1d.", ".conv_gate.", ".attn_temp.", ".norm_temp.", ".memory_update_layer.")
_QUERIES = {"lamp": (".attn1.to_q.weight",), "tune-a-video": (".attn1.to_q.weight", ".attn2.to_q.weight"),
            "recurrent": (".attn1.to_q.weight", ".attn2.to_q.weight")}  # fmt: skip


def load_adapter(file: Path, base_query: BaseQuery) -> MotionAdapter:
    """An adapter from any layout this pack reads: a file, or a folder as diffusers saves it.

    base_query(name, shape) -> the weight of a query projection of the model it is for: a release stores its tuned
    queries whole. Raises AdapterError, one sentence, where the file cannot be used.
    """
    weights = read_weights(file)
    adapter = read_own(file.name, weights) or _read_other(file.name, weights.tensors)
    return check_values(file.name, adapter.relative_to(base_query))


def _read_other(file: str, tensors: dict[str, Tensor]) -> MotionAdapter:
    check_kin(file, tensors)
    if method := _method_of(tensors):
        return from_release(method, tensors)
    if adapter := animatediff_lora.read(file, tensors) or animatediff_file.read(file, tensors):
        return adapter
    some = ", ".join(list(tensors)[:3])
    raise AdapterError(f"{file} is no motion adapter this pack knows: it holds {len(tensors)} tensors such as {some}. "
                       "It reads its own adapters, the released UNets of LAMP, Tune-A-Video and recurrent causal "
                       "attention, and AnimateDiff's motion modules and motion LoRAs.")  # fmt: skip


def _method_of(tensors: Mapping[str, Tensor]) -> str:
    """Whose UNet this is, by the layers it has; "" for nobody's."""
    if "conv_in.conv1d.weight" in tensors:
        return "lamp"
    if not any(
        ".attn_temp." in name and name.startswith(("down_blocks.", "up_blocks.", "mid_block.")) for name in tensors
    ):
        return ""
    return "recurrent" if any(".memory_update_layer." in name for name in tensors) else "tune-a-video"


def from_release(method: str, tensors: Mapping[str, Tensor]) -> MotionAdapter:
    """The trained part of a released UNet, its tuned queries whole; its frozen image model is left where it is.

    A recurrent UNet does not tell whether its frames also look at the frame before. The release's code does, so that is
    taken.
    """
    names = to_comfy(tensors)
    added = {new: tensors[name] for name, new in names.items() if any(part in name for part in _ADDED)}
    queries = {new: tensors[name] for name, new in names.items() if name.endswith(_QUERIES[method])}
    text = {tensor.shape[-1] for name, tensor in tensors.items() if name.endswith(".attn2.to_k.weight")}
    metadata = {
        "base": "Stable Diffusion 2.x" if text == {1024} else "Stable Diffusion 1.4",
        "source": f"the released UNet layout of {TITLES[method]}",
    }
    recurrence = "official" if method == "recurrent" else ""
    return MotionAdapter(method, added, metadata=metadata, recurrence=recurrence, queries=queries)


def first_and_memory(adapter: MotionAdapter) -> MotionAdapter:
    """A recurrent release whose frames look at the first frame and the memory alone; any other adapter as it is."""
    return replace(adapter, recurrence=FIRST_AND_MEMORY) if adapter.recurrence == "official" else adapter
