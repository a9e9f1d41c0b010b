"""Disks that are full, become full, or may not be written to: a file system of its own where this process may mount
one, which root may.
"""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[str]:
    """`folder` with so much room: a file system of its own for root, a limit on the size of files else."""
    if can_mount() and mount("-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder):
        try:
            yield "a file system of its own"
        finally:
            subprocess.run(["umount", folder], check=True)
    else:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (megabytes * 2**20, before[1]))
        try:
            yield "a limit on the size of files"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def can_mount() -> bool:
    """Whether this process may make file systems."""
    return os.geteuid() == 0


def mount(*words: str | Path) -> bool:
    """Whether `mount` did it."""
    return subprocess.run(["mount", *words], capture_output=True).returncode == 0


class Disk:
    """A folder that is a small file system of its own, to be filled or closed and opened again. For root."""

    def __init__(self, folder: Path):
        self.folder, self.filler = folder, folder / "filler"

    def full(self) -> None:
        """No room from now on."""
        with contextlib.suppress(OSError), self.filler.open("wb", buffering=0) as out:
            while out.write(b"\0" * 4096):
                pass

    def closed(self) -> None:
        """Nobody may write from now on."""
        mount("-o", "remount,ro", self.folder)

    def again(self) -> None:
        """As at first."""
        mount("-o", "remount,rw", self.folder)
        self.filler.unlink(missing_ok=True)
