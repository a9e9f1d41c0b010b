"""From a bare Python to everything the other commands need.

Each part is made once and recognised by a stamp of its pins.
"""

import hashlib
from pathlib import Path

from . import archives, interpreter
from .trouble import Trouble

TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")  # one matching set; ComfyUI names no versions
TESTS = ("pytest==9.2.0", "pytest-xdist==3.8.0")  # the second runs files side by side
PAGE = ("playwright==1.65.2",)  # drives the system's Chromium
CHECKS = ("ruff==0.17.5", "basedpyright==1.40.2")


def prepare(checkout: Path | None) -> Path:
    """Environment and ComfyUI, either fetched or the user's own checkout; returns ComfyUI's folder."""
    interpreter.make()
    comfyui = archives.fetch(archives.COMFYUI) if checkout is None else checkout.resolve()
    requirements = comfyui / "requirements.txt"
    if not (comfyui / "main.py").exists() or not requirements.exists():
        raise Trouble(
            f"{comfyui} is no ComfyUI checkout (no main.py and requirements.txt there); name another with --comfyui DIR"
        )
    install("ComfyUI's requirements", *TORCH, *TESTS, requirements=requirements)
    return comfyui


def install(what: str, *packages: str, requirements: Path | None = None, environment: Path = interpreter.VENV) -> None:
    """Install into an environment, once per set of pins."""
    listed = requirements.read_text(encoding="utf-8") if requirements else ""
    key = hashlib.sha256("\n".join([*packages, listed]).encode()).hexdigest()
    stamp = environment / "few-shot-motion" / key
    if stamp.exists():
        return
    print(f"Installing {what} (a few minutes, the first time only)", flush=True)
    files = ("-r", requirements) if requirements else ()
    interpreter.pip(what, "install", *packages, *files, python=interpreter.python_of(environment))
    stamp.parent.mkdir(exist_ok=True)
    stamp.touch()
