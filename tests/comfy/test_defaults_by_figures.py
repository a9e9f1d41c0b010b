"""The defaults that docs/findings.md lists are those of the nodes."""

from pathlib import Path

import pytest
from few_shot_motion.nodes import NODES

PAGE = (Path(__file__).parents[2] / "docs" / "findings.md").read_text(encoding="utf-8")
WORDS = {"on": True, "off": False}


def rows() -> list[tuple[str, ...]]:
    """Node, input and default of the list."""
    part = PAGE.split("## Defaults that follow from a figure\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")][1:]
    return [tuple(cell.strip().strip("`") for cell in line[:3]) for line in lines]


def test_the_list_is_there():
    assert len(rows()) >= 7


@pytest.mark.parametrize("node, given, default", rows())
def test_a_default_is_what_the_list_says(node, given, default):
    (schema,) = (each for each in (one.define_schema() for one in NODES) if each.display_name == node)
    (found,) = (each for each in schema.inputs if each.id == given)
    assert str(found.default) == str(WORDS.get(default, default))
