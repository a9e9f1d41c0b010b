"""The shipped workflows, each described once and written twice: as a template for the browser, and in the form
ComfyUI's API takes.
"""

import json
from typing import Any

from ..interpreter import ROOT
from . import editing, lamp, masks, metrics, recurrent, text_to_video_zero, ti2v_zero

FOLDER = ROOT / "workflows"
WORKFLOWS = (*lamp.WORKFLOWS, *recurrent.WORKFLOWS, *ti2v_zero.WORKFLOWS, *text_to_video_zero.WORKFLOWS,
             *masks.WORKFLOWS, *editing.WORKFLOWS,
             *metrics.WORKFLOWS)  # fmt: skip


def files() -> dict[str, str]:
    """Path under `workflows/` -> content."""
    made = {}
    for workflow in WORKFLOWS:
        graph = workflow()
        made[f"{graph.name}.json"] = _text(graph.browser_form())
        made[f"api/{graph.name}.json"] = _text(graph.api_form())
    return made


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def main() -> None:
    """Write every workflow anew."""
    for name, text in files().items():
        file = FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
