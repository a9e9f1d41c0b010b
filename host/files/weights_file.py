"""Files of networks that only measure: what is in them, and which file it was."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...motion_modules.released import DAMAGED


def read_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a weights file. Raises ValueError where it is damaged, or holds more than weights."""
    try:
        if file.suffix in (".safetensors", ".sft"):
            return load_file(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, *DAMAGED) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{file.name} was refused: it is damaged or holds more than weights ({reason}); use a .safetensors file, "
            "or a state dict."
        ) from error
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{file.name} holds no state dict of tensors: choose the weights file itself.")
    return content


def stamp(file: Path | None) -> str:
    """Changes when the file does: for ComfyUI's cache."""
    stat = file.stat() if file and file.exists() else None
    return f"{file} {stat.st_mtime_ns} {stat.st_size}" if stat else "none"


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
