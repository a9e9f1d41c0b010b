"""The shipped workflows, each described once and written in three forms: a template for the browser, what ComfyUI's
API takes, and a template for `python3 dev serve` that the miniature runs.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import blueprints, model_files
from ..interpreter import ROOT
from ..workflow_graph import Graph
from . import directing, editing, lamp, masks, metrics, recurrent, text_to_video_zero, ti2v_zero
from .miniature import settings_of

FOLDER = ROOT / "workflows"
WORKFLOWS: tuple[Callable[[Graph], Graph], ...] = (
    *text_to_video_zero.WORKFLOWS, *ti2v_zero.WORKFLOWS, *lamp.WORKFLOWS, *recurrent.WORKFLOWS, *editing.WORKFLOWS,
    *masks.WORKFLOWS, *metrics.WORKFLOWS, *directing.WORKFLOWS,
)  # fmt: skip
SMALL = "few-shot-miniature"  # the heading under which the page lists the miniature's templates


def names() -> list[str]:
    """In the order in which the page is to list them."""
    return [workflow.__name__ for workflow in WORKFLOWS]


def template(name: str) -> str:
    """A template's file name without its ending: the page shows it as its title, and sorts by it."""
    return f"{names().index(name) + 1:02}_{name}"


def graph(name: str, small: bool = False, settings: Mapping[str, Mapping[str, Any]] | None = None) -> Graph:
    """A workflow, as published or as the miniature runs it, with other settings where they are given."""
    workflow = WORKFLOWS[names().index(name)]
    return workflow(Graph(name, settings or (settings_of(name) if small else None)))


def files() -> dict[str, str]:
    """Path under `workflows/` -> content."""
    made = {}
    for name in names():
        made[f"{template(name)}.json"] = _text(graph(name).browser_form())
        made[f"api/{name}.json"] = _text(graph(name).api_form())
    return made


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def main() -> None:
    """Write every workflow and every blueprint anew."""
    _write(files(), FOLDER)
    _write(blueprints.files(), blueprints.FOLDER)
    _write({"model_files.md": model_files.page()}, ROOT / "docs")


def offer_small(custom_nodes: Path) -> None:
    """A package of templates for the miniature, under a heading of its own in Browse Templates; it has no nodes."""
    package = custom_nodes / SMALL
    shutil.rmtree(package, ignore_errors=True)
    _write({"__init__.py": "NODE_CLASS_MAPPINGS = {}\n"}, package)
    _write(
        {f"{template(name)}.json": _text(graph(name, True).browser_form()) for name in names()}, package / "workflows"
    )
    for picture in FOLDER.glob("*.jpg"):
        shutil.copy2(picture, package / "workflows" / picture.name)


def _write(content: dict[str, str], folder: Path) -> None:
    for name, text in content.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
