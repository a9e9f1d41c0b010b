"""The shipped workflows as files, and what a reader sees of their nodes."""

import json
from pathlib import Path

from dev import layout, workflows

ROOT = Path(__file__).parents[1]
NOTES = {"Note", "MarkdownNote"}


def api_form(name: str) -> dict:
    return json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text(encoding="utf-8"))


def browser_form(name: str) -> dict:
    return json.loads((ROOT / "workflows" / f"{workflows.template(name)}.json").read_text(encoding="utf-8"))


def role(node: dict) -> str:
    """What a node is here, without the name of its type."""
    return node["title"].removesuffix(f" ({layout.shown_name(node['type'])})")


def real_nodes(form: dict) -> list[dict]:
    return [node for node in form["nodes"] if node["type"] not in NOTES]
