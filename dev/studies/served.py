"""A server with the miniature for a study of the shipped workflows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import folder_paths

from .. import base, demo, server


@contextmanager
def served(name: str) -> Iterator[demo.Demo]:
    """A ComfyUI with a base directory of the study's own, so that what it has made is there when it goes on."""
    folder = base.BASE.with_name(f"{base.BASE.name}-{name}")
    checkpoint = base.prepare(folder)
    with server.running(Path(folder_paths.__file__).parent, folder, threads=1) as running:
        yield demo.Demo(running.client, folder / "input", checkpoint, demo.MINIATURE)
