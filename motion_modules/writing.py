"""One way to write a file: whole or not at all, whoever else writes beside us and whenever we are killed.

What is written gets a temporary name nobody else has, in the same folder; it is flushed to the disk and then renamed.
What a dead process left under such a name goes at a later write.
"""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from .adapter import AdapterError

PART = ".few_shot_motion-{}.part"  # the temporary names; the dot keeps them out of lists of models
LEFT_OVER = 3600.0  # seconds without a change after which such a file is nobody's
Write = Callable[[Path], object]  # given a path, writes the content there
_DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def write_whole(file: Path, write: Write) -> Path:
    """Put what write(part) writes at `file`, in the place of whatever is there.

    Raises AdapterError where it cannot be written; what was there before is there still.
    """
    return _written(file, write, lambda part: part.replace(file))


def write_numbered(names: Iterable[Path], write: Write) -> Path:
    """Put what write(part) writes at the first of these names that is free, and return it: two who ask for the same
    name at the same time get two.

    Raises AdapterError where it cannot be written.
    """
    names = iter(names)
    first = next(names)

    def claim(part: Path) -> Path:
        for name in chain([first], names):
            with contextlib.suppress(FileExistsError):
                _take(part, name)
                return name
        raise OSError(f"no name like {first.name} is free")

    return _written(first, write, claim)


def tensors_to(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Write:
    """A writer of safetensors for the two above. It opens no file of its own: the library's makes one beside, under a
    name that tells nobody whose it is when its process is killed.
    """

    def write(part: Path) -> None:
        whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        ordered = sorted(whole, key=lambda name: (-whole[name].element_size(), name))  # keeps every tensor aligned
        header: dict[str, object] = {"__metadata__": dict(metadata)}
        end = 0
        for name in ordered:
            start, end = end, end + whole[name].numel() * whole[name].element_size()
            header[name] = {"dtype": _DTYPES[whole[name].dtype], "shape": list(whole[name].shape),
                            "data_offsets": [start, end]}  # fmt: skip
        text = json.dumps(header, ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        with part.open("wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            for name in ordered:
                out.write(whole[name].flatten().view(torch.uint8).numpy().data)

    return write


def _take(part: Path, name: Path) -> None:
    """Give `part` that name. Raises FileExistsError where something has it."""
    try:
        os.link(part, name)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is claimed first
        os.close(os.open(name, os.O_CREAT | os.O_EXCL))
        part.replace(name)


def _written(file: Path, write: Write, name_it: Callable[[Path], Path]) -> Path:
    part = file.with_name(PART.format(f"{os.getpid()}-{uuid.uuid4().hex[:12]}"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _clear(file.parent)
        part.touch(exist_ok=False)
        mode = part.stat().st_mode & 0o777  # as the user's umask has it; some writers make files for themselves alone
        write(part)
        part.chmod(mode)
        _flush(part, os.O_RDWR)
        named = name_it(part)
        with contextlib.suppress(OSError):  # not every system has folders that can be flushed
            _flush(file.parent, os.O_RDONLY)
        return named
    except (OSError, RuntimeError) as error:
        refuse_to_write(file, error)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def refuse_to_write(file: Path, error: Exception) -> NoReturn:
    """Raises AdapterError: what the system says of a file that cannot be written."""
    raise AdapterError(
        f"{file.name} could not be written to {file.parent} ({reason(error)}): free some space or choose a folder you "
        "may write to."
    ) from error


def reason(error: Exception) -> str:
    """What went wrong, in a few words on one line."""
    return str(error).partition("\n")[0] or type(error).__name__


def _flush(path: Path, how: int) -> None:
    handle = os.open(path, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _clear(folder: Path) -> None:
    """Remove what dead processes left; what cannot be removed stays."""
    for part in folder.glob(PART.format("*")):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > LEFT_OVER:
                part.unlink()
