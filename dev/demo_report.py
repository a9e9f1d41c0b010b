"""What the demo reports: its table, and what it ran on."""

from typing import Any

from . import markdown
from .client import Client

MEASURES = ("displacement_ratio", "direction_cosine", "path_error", "colour_kept", "shape_iou", "found")
ROWS = ("with_adapter", "without_adapter")


def table(motions: dict[str, Any]) -> str:
    """The means over the unseen scenes in Markdown; 1 is perfect everywhere but in path_error, whose unit is a cell of
    8 px.
    """
    rows = [
        [motion, row.replace("_", " "), *(f"{found[row][key]:.2f}" for key in MEASURES)]
        for motion, found in motions.items()
        for row in ROWS
    ]
    return markdown.table(["motion", "", *MEASURES], rows)


def versions(client: Client) -> dict[str, str]:
    """Of ComfyUI, torch and Python, as the server itself tells them."""
    system = client.get_json("system_stats")["system"]
    return {
        "comfyui": system["comfyui_version"],
        "torch": system["pytorch_version"],
        "python": system["python_version"].split()[0],
    }
