"""One writer at a time, whichever process or server it is in: a lock file beside what is written, held by the system's
own lock, which ends with its holder however that ends.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import comfy.model_management

from ...motion_modules.adapter import AdapterError
from ...motion_modules.writing import refuse_to_write

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

_NAME = ".few_shot_motion.lock"
_POLL = 0.05  # seconds between two tries


@contextlib.contextmanager
def locked(file: Path, seconds: float = 30.0) -> Iterator[None]:
    """Hold the lock of `file`, and of all beside it, inside.

    Raises AdapterError where another holds it for so many seconds, or no lock file can be made there, and
    InterruptProcessingException where the user cancels while waiting.
    """
    place = file.with_name(_NAME)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = _take(place, time.monotonic() + seconds)
    except OSError as error:
        refuse_to_write(file, error)
    if handle is None:
        raise AdapterError(
            f"{file.name} in {file.parent} has been in use by another process for {seconds:g} s: try again, or give "
            "another name."
        )
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps the file while it is open
            place.unlink()
        os.close(handle)


def _take(place: Path, until: float) -> int | None:
    """The handle of the lock file, locked; None where it was too late."""
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT)
        if _lock(handle) and _still_there(handle, place):
            return handle
        os.close(handle)
        if time.monotonic() > until:
            return None
        comfy.model_management.throw_exception_if_processing_interrupted()
        time.sleep(_POLL)


def _lock(handle: int) -> bool:
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _still_there(handle: int, place: Path) -> bool:
    """Whether what is locked is what stands there: the holder before may have taken the file away meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), place.stat())
    except FileNotFoundError:
        return False
