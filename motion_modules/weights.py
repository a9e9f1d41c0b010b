"""Weights on disk: one way to read them, whatever they are for. Every fault is one sentence that names the file, and
what is read is plain tensors: code in a pickle is refused.
"""

import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .adapter import AdapterError
from .diffusers_folder import FOLDER, parts_of, weights_in

SAFETENSORS = (".safetensors", ".sft")
_Unreadable = torch.serialization.pickle.UnpicklingError  # pyright: ignore[reportPrivateImportUsage]
# what torch.load raises, with weights_only, for a file that is damaged or holds more than weights
DAMAGED = (
    _Unreadable,
    RuntimeError,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    MemoryError,
    OverflowError,
)
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml")
_CODE = re.compile(r"GLOBAL (\S+)|class (\S+)")


class Weights(NamedTuple):
    """A file's content."""

    tensors: dict[str, Tensor]
    metadata: Mapping[str, str]


def read_weights(file: Path) -> Weights:
    """All tensors of a file, of an index of parts, or of a folder as diffusers saves it.

    Raises AdapterError, one sentence, where it is damaged, no file of weights, or holds more than weights.
    """
    if file.is_dir():
        found = weights_in(file)
        if found is None:
            raise AdapterError(f"The folder {file.name} holds no {FOLDER}: choose a UNet folder as diffusers saves it.")
        return read_weights(found)
    check_head(file)
    if file.suffix == ".json":
        return _read_parts(file)
    if file.suffix.lower() in SAFETENSORS:
        return _read_safetensors(file)
    return Weights(_read_pickle(file), {})


def check_head(file: Path) -> None:
    """Raise AdapterError for a file that is none of weights at all, by its first bytes."""
    try:
        with file.open("rb") as content:
            head = content.read(512)
    except (OSError, ValueError) as error:
        raise AdapterError(f"{file.name} cannot be read ({_why(error)}): check that it is there and yours.") from error
    if not head:
        raise AdapterError(f"{file.name} is empty: download or save it again.")
    if head.startswith(b"version https://git-lfs"):
        raise AdapterError(
            f"{file.name} is a pointer of Git LFS and not the file it points to: download the file itself, with "
            "git lfs pull in its repository or from the page of its own."
        )
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        raise AdapterError(
            f"{file.name} is a web page and no weights: download the file itself; a page comes in its place where a "
            "link is not the file's own or asks for a login."
        )


def refuse(file: Path, error: Exception) -> NoReturn:
    """Raise the sentence for what torch raised on a pickle; never its advice to read it as code."""
    code = _CODE.search(str(error)) if isinstance(error, _Unreadable) else None
    if code:
        raise AdapterError(
            f"{file.name} was refused: it holds more than weights ({code[1] or code[2]}), and what is more can be "
            "code; use a .safetensors file of the same weights."
        ) from error
    raise AdapterError(
        f"{file.name} was refused: it is damaged or no file of weights; download or save it again."
    ) from error


def check_numbers(file: str, tensors: Mapping[str, Tensor]) -> None:
    """Raise AdapterError where values cannot be weights: kept as whole numbers, or NaN or infinite."""
    for name, value in tensors.items():
        if not value.is_floating_point():
            raise AdapterError(
                f"{file} keeps {name} as {str(value.dtype).removeprefix('torch.')}, which are no weights: save it as "
                "fp16, bf16 or fp32."
            )
        if value.numel() and not all(map(math.isfinite, _extremes(value))):
            raise AdapterError(
                f"{file} holds values that are no numbers (NaN or infinite), in {name} for one: save, train or "
                "download it again."
            )


def _extremes(value: Tensor) -> tuple[float, float]:
    low, high = (value if value.element_size() > 1 else value.float()).aminmax()  # either is NaN where one value is
    return float(low), float(high)


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error).partition("\n")[0]


def open_safetensors(file: Path):
    """The library's handle on a file. Raises AdapterError where it is no whole one."""
    check_head(file)
    try:
        return safe_open(file, framework="pt")
    except (SafetensorError, OSError, ValueError) as error:
        raise AdapterError(
            f"{file.name} cannot be read as safetensors ({_why(error)}): it is damaged or something else, download or "
            "save it again."
        ) from error


def _read_safetensors(file: Path) -> Weights:
    with open_safetensors(file) as content:
        try:
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - not a dict
        except (SafetensorError, AttributeError, *DAMAGED) as error:  # a kind of number torch has not
            raise AdapterError(
                f"{file.name} holds tensors that this version of torch has no kind for ({_why(error)}): save them as "
                "fp16, bf16 or fp32."
            ) from error
        return Weights(tensors, content.metadata() or {})


def _read_pickle(file: Path) -> dict[str, Tensor]:
    try:
        if zipfile.is_zipfile(file):
            _check_sizes(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except AdapterError:
        raise
    except (zipfile.BadZipFile, *DAMAGED) as error:
        refuse(file, error)
    tensors = _tensors(content)
    for name, value in tensors.items():
        _check_memory(file, name, value)
    if not tensors:
        raise AdapterError(f"{file.name} holds no state dict of tensors: choose the weights file itself.")
    return tensors


def _check_sizes(file: Path) -> None:
    """Before anything is unpacked: torch never compresses, so what a file claims to hold is at most what it is."""
    with zipfile.ZipFile(file) as packed:
        claimed = sum(entry.file_size for entry in packed.infolist())
    if claimed > file.stat().st_size:
        raise AdapterError(
            f"{file.name} was refused: its {file.stat().st_size} bytes claim to hold {claimed}; download it again."
        )


def _check_memory(file: Path, name: str, value: Tensor) -> None:
    """A view may claim any size; what is not in the file would be made when it is used."""
    plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise AdapterError(
            f"{file.name} was refused: its {name} claims {value.numel()} values that are not in the file; download or "
            "save it again."
        )


def _tensors(content: Any) -> dict[str, Tensor]:
    """The tensors of a state dict, unwrapped; where there is none, those one level deeper."""
    for wrapping in ("state_dict", "module"):
        content = content.get(wrapping, content) if isinstance(content, dict) else content
    found = _own(content)
    for inner in content.values() if isinstance(content, dict) and not found else ():
        found |= _own(inner)
    return found


def _own(content: Any) -> dict[str, Tensor]:
    items = content.items() if isinstance(content, dict) else ()
    return {name: value.detach() for name, value in items if isinstance(name, str) and isinstance(value, Tensor)}


def _read_parts(index: Path) -> Weights:
    tensors: dict[str, Tensor] = {}
    for part in parts_of(index):
        tensors |= read_weights(part).tensors
    return Weights(tensors, {})
