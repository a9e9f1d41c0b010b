"""The ComfyUIs the pack is tried on, each with the packages that it asks for in an environment of its own."""

import re
from dataclasses import dataclass
from pathlib import Path

from .. import archives, environment, interpreter

FOLDER = interpreter.STATE / "compat"
LEFT_OUT = {"comfyui-workflow-templates", "comfyui-embedded-docs"}  # pictures and texts for the browser, no code
COMPANIONS = ("comfyui-frontend-package", "comfy-kitchen", "comfy-aimdo")  # core's, with releases of their own
NEWEST_COMPANIONS = ("comfyui-frontend-package==1.58.1", "comfy-kitchen==0.2.40", "comfy-aimdo==0.6.0")


@dataclass(frozen=True)
class Version:
    """One release of ComfyUI; `instead`: pins that replace its own."""

    name: str
    archive: archives.Archive
    instead: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its environment is."""
        return FOLDER / re.sub(r"[^\w.]+", "-", self.name)


REFUSED = Version("0.18.2", archives.OTHER_COMFYUIS["0.18.2"])
OLDEST = Version("0.26.0", archives.OTHER_COMFYUIS["0.26.0"])
NEWEST = Version("0.30.0", archives.COMFYUI)
SUPPORTED = (
    OLDEST,
    Version("0.27.0", archives.OTHER_COMFYUIS["0.27.0"]),
    NEWEST,
    Version("0.30.0, newest companions", archives.COMFYUI, NEWEST_COMPANIONS),
)


def prepare(version: Version) -> tuple[Path, Path]:
    """Fetch and install what is missing; returns ComfyUI's folder and the Python to start it with."""
    comfyui = archives.fetch(version.archive)
    python = interpreter.overlay(version.folder)
    needed = version.folder / "requirements.txt"
    asked = (comfyui / "requirements.txt").read_text(encoding="utf-8")
    needed.write_text(requirements(asked, version.instead), encoding="utf-8")
    what = f"the requirements of ComfyUI {version.name}"
    environment.install(what, requirements=needed, environment=version.folder)
    return comfyui, python


def requirements(asked: str, instead: tuple[str, ...] = ()) -> str:
    """ComfyUI's requirements.txt without what the browser alone needs, and with some of its pins replaced."""
    dropped = LEFT_OUT | {_package(pin) for pin in instead}
    lines = [line for line in asked.splitlines() if line.strip() and _package(line) not in dropped]
    return "\n".join([*lines, *instead]) + "\n"


def _package(line: str) -> str:
    """The name in a line of a requirements file, as the index spells it."""
    return re.split(r"[^\w.-]", line.strip(), maxsplit=1)[0].lower().replace("_", "-")


def installed(python: Path) -> dict[str, str]:
    """The companions' versions as this environment has them."""
    asks = f"import importlib.metadata as m; print(*(m.version(p) for p in {COMPANIONS}))"
    return dict(zip(COMPANIONS, interpreter.answer(python, "-c", asks).split(), strict=True))
