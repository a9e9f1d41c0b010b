"""What the demo reports: its table, and what it ran on."""

from collections.abc import Sequence
from typing import Any

from . import markdown
from .client import Client

ROWS = ("with_adapter", "without_adapter")


def table(motions: dict[str, Any], measures: Sequence[str]) -> str:
    """The means over the unseen first frames in Markdown. 1 is perfect, but 0 in path_error, in cells of 8 px, in
    period_error, in background_change, in levels of 255, and in flow_error, in px a frame as flow_length.
    """
    rows = [
        [motion, row.replace("_", " "), *(f"{found[row][key]:.2f}" for key in measures)]
        for motion, found in motions.items()
        for row in ROWS
    ]
    return markdown.table(["motion", "", *measures], rows)


def versions(client: Client) -> dict[str, str]:
    """Of ComfyUI, torch and Python, as the server itself tells them."""
    system = client.get_json("system_stats")["system"]
    return {
        "comfyui": system["comfyui_version"],
        "torch": system["pytorch_version"],
        "python": system["python_version"].split()[0],
    }
