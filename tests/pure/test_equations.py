"""docs/equations.md leads where it says: every name it gives is defined in the file beside it, and every room of
mathematics is there.
"""

import ast
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "equations.md"
CELLS = [
    line.split("|")[3]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and "](" in line
]
PLACES = [
    (name, path)
    for cell in CELLS
    for names, path in re.findall(r"((?:`\w+`(?:, )?)+) in \[[\w/.]+\]\(\.\./([\w/.]+)\)", cell)
    for name in re.findall(r"\w+", names)
]


def defined(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return found | {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


@pytest.mark.parametrize("name, path", PLACES)
def test_a_name_is_where_the_page_says(name, path):
    assert name in defined(PAGE.parents[1] / path)


def test_every_line_of_the_page_is_read():
    assert len(PLACES) >= len(CELLS) > 30
    assert {Path(path).parts[0] for _, path in PLACES} == {"motion_modules", "samplers", "training", "metrics"}
