"""Files of weights on ComfyUI's side: what is in them, and which file it was."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import folder_paths
import torch
from torch import Tensor

from ...motion_modules.adapter import AdapterError
from ...motion_modules.diffusers_folder import files_of
from ...motion_modules.weights import read_weights


def model_file(name: str, *folders: str, what: str = "it") -> Path:
    """A file in one of ComfyUI's folders of models. Raises ValueError where there is none of that name; `what` would be
    put there.
    """
    found = next((path for folder in folders if (path := folder_paths.get_full_path(folder, name))), None)
    if found is None:
        raise ValueError(
            f"There is no file {name!r} in models/{' or models/'.join(folders)}: put {what} there and refresh, or "
            "choose another."
        )
    return Path(found)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a weights file. Raises AdapterError where it is damaged, or holds more than weights."""
    return read_weights(file).tensors


def check_shapes(file: str, tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raise AdapterError where a tensor has not the shape that the rest of its network asks for."""
    for name, shape in wanted.items():
        if tuple(tensors[name].shape) != tuple(shape):
            raise AdapterError(
                f"{file} does not hold one whole network: its {name} is {tuple(tensors[name].shape)}, the rest of it "
                f"asks for {tuple(shape)}; download it again."
            )


def stamp(file: Path | None) -> str:
    """Changes when the file does, or any file that is read of a folder: for ComfyUI's cache."""
    if not file or not file.exists():
        return "none"
    stats = [(each, each.stat()) for each in files_of(file) if each.exists()]
    return " ".join([str(file), *(f"{each.name} {stat.st_mtime_ns} {stat.st_size}" for each, stat in stats)])


def fingerprint(file: Path) -> str:
    """The first 16 digits of a file's SHA-256."""
    with file.open("rb") as content:
        return (
            hashlib.file_digest(content, "sha256").hexdigest()[:16]
            if hasattr(hashlib, "file_digest")
            else _digest(content)
        )


def _digest(content) -> str:  # Python 3.10
    digest = hashlib.sha256()
    while block := content.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()[:16]


def weights_fingerprint(network: torch.nn.Module) -> str:
    """The first 16 digits of the SHA-256 of a loaded network's weights, in the order of their names: for those whose
    file core does not tell.
    """
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
