"""Which file of a folder is read, as diffusers saves a network: whole or in parts with an index, plain or a variant."""

import json
import re
from pathlib import Path

from .adapter import AdapterError

_NAME = re.compile(r"diffusion_pytorch_model(\.\w+)?(-\d+-of-\d+)?\.(safetensors|bin)")
_INDEX = re.compile(r"diffusion_pytorch_model(\.\w+)?\.(safetensors|bin)\.index(\.\w+)?\.json")
FOLDER = "diffusion_pytorch_model.safetensors or .bin, a variant of it (.fp16, .non_ema) or its parts with their index"


def is_part(name: str) -> bool:
    """Whether a file of that name is one part of several, and nothing without its index."""
    match = _NAME.fullmatch(name)
    return bool(match and match[2])


def weights_in(folder: Path) -> Path | None:
    """The weights file, or the index of its parts, of a folder as diffusers saves it: the folder's own before its
    unet's, the plain one before variants, safetensors before pickles. None where there is none.
    """
    for place in (folder, folder / "unet"):
        found = []
        for file in _inside(place):
            if match := _NAME.fullmatch(file.name):
                found += [] if match[2] else [(match[1] or "", match[3] == "bin", 0, file)]
            elif match := _INDEX.fullmatch(file.name):
                found.append((match[1] or match[3] or "", match[2] == "bin", 1, file))
        if found:
            return min(found)[-1]
    return None


def files_of(file: Path) -> list[Path]:
    """All files that reading `file` reads: one, or the parts and their index."""
    found = (weights_in(file) or file) if file.is_dir() else file
    if found.suffix != ".json":
        return [found]
    try:
        return [found, *parts_of(found)]
    except AdapterError:
        return [found]


def parts_of(index: Path) -> list[Path]:
    """The files an index names, all of its own folder. Raises AdapterError where it is none, or one is missing."""
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        wrong = not names or any(not _NAME.fullmatch(name) for name in names)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        names, wrong = set(), True
    if wrong:
        raise AdapterError(f"{index.name} is no index of parts as diffusers saves it: download the folder again.")
    found = [index.with_name(name) for name in sorted(names)]
    if missing := [part.name for part in found if not part.exists()]:
        raise AdapterError(
            f"{index.name} names {len(names)} parts, {len(missing)} of them are not in {index.parent.name}, "
            f"{missing[0]} first: download the folder again."
        )
    return found


def _inside(folder: Path) -> list[Path]:
    """What is in a folder; nothing where there is none or it may not be looked into."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []
