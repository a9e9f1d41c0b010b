"""`python3 dev test`: what the tiers want fetched, and how they run."""

import os
from pathlib import Path

from . import archives, environment, interpreter
from .compat import versions

TIERS = ("pure", "comfy", "golden", "page")
SIDE_BY_SIDE = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]  # two files at a time, the quick ones last


def run(arguments: list[str], comfyui: Path) -> None:
    """Go on as pytest: `arguments` are a tier or none, then pytest's own. Without any of those, two processes share the
    files, with a thread each, for the threads of two wait for one another busily.
    """
    folders = ["tests"]
    if arguments and arguments[0] in TIERS:
        folders, arguments = [f"tests/{arguments[0]}"], arguments[1:]
    if folders in (["tests"], ["tests/page"]):
        environment.install("what drives the page", *environment.PAGE)
        archives.fetch(archives.FRONT_END)
    if folders != ["tests/pure"]:
        archives.fetch(archives.DIFFUSERS)
        versions.prepare(versions.OLDEST)
    os.chdir(interpreter.ROOT)  # where pyproject.toml's paths begin
    if not arguments:
        arguments = SIDE_BY_SIDE
        os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    here = f"--comfyui={comfyui}"  # one word: pytest would take a lone path for a folder of tests
    interpreter.become(interpreter.PYTHON, "-m", "pytest", *folders, here, *arguments)
