"""What users read beside the nodes: help pages and translations name the nodes' own inputs, and quote errors that
exist.
"""

import ast
import html
import json
import re
from pathlib import Path

import pytest

from dev.fuzzing.verdict import ROOMS, sentences

ROOT = Path(__file__).parents[2]
SOURCES = [
    ast.parse(path.read_text(encoding="utf-8")) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))
]


def schemas() -> dict[str, dict]:
    """Node id -> input ids, number of outputs and display name, read from the sources."""
    found = {}
    for tree in SOURCES:
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "Schema":
                given = {keyword.arg: keyword.value for keyword in call.keywords}
                inputs = [item.args[0].value for item in given["inputs"].elts]
                found[given["node_id"].value] = {
                    "inputs": inputs,
                    "outputs": len(given["outputs"].elts),
                    "name": given["display_name"].value,
                }
    return found


SCHEMAS = schemas()
LANGUAGES = sorted(path.name for path in (ROOT / "locales").iterdir())


def page(node: str, chinese: bool = False) -> str:
    """A help page as it is read: where a long word may be broken is not seen."""
    file = ROOT / "web" / "docs" / (f"{node}/zh.md" if chinese else f"{node}.md")
    return html.unescape(file.read_text(encoding="utf-8").replace("<wbr>", ""))


def table(text: str, heading: str) -> list[str]:
    """First column of the table under `| heading |`."""
    rows = text.split(f"| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip() for row in rows]


def test_sources_are_read():
    assert len(SCHEMAS) >= 8 and len(sentences()) >= 20


def test_every_sentence_stands_once_in_the_code():
    """What is said twice is checked twice, and mended once."""
    places: dict[str, list[str]] = {}
    for place, (_, text) in sentences().items():
        places.setdefault(text, []).append(place)
    assert [found for found in places.values() if len(found) > 1] == []


@pytest.mark.parametrize("node", SCHEMAS)
def test_help_page_is_of_this_node(node):
    text = page(node)
    assert text.startswith(f"# {SCHEMAS[node]['name']}\n")
    assert table(text, "input") == SCHEMAS[node]["inputs"]
    assert len(table(text, "output")) == SCHEMAS[node]["outputs"]
    assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == ["1", "2", "3"]


@pytest.mark.parametrize("node", SCHEMAS)
def test_chinese_help_page_is_of_this_node(node):
    text, texts = page(node, chinese=True), json.loads((ROOT / "locales/zh/nodeDefs.json").read_text(encoding="utf-8"))
    assert text.startswith(f"# {texts[node]['display_name']}\n")
    assert table(text, "输入") == SCHEMAS[node]["inputs"]
    assert len(table(text, "输出")) == SCHEMAS[node]["outputs"]
    assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == ["1", "2", "3"]


@pytest.mark.parametrize("chinese", [False, True])
@pytest.mark.parametrize("node", SCHEMAS)
def test_a_recipe_comes_first_and_a_picture_behind_it(node, chinese):
    text = page(node, chinese)
    (picture,) = re.findall(r"^!\[.+\]\((pictures/.+\.jpg)\)$", text, re.MULTILINE)
    assert (ROOT / "web" / "docs" / picture).exists()
    assert text.index("\n## ") < text.index("\n1. ") < text.index(picture) < text.index("\n| ")


@pytest.mark.parametrize("node", SCHEMAS)
def test_quoted_errors_exist(node):
    quoted = [line[2:] for line in page(node).splitlines() if line.startswith("> ")]
    assert [line for line in quoted if not any(pattern.fullmatch(line) for pattern, _ in sentences().values())] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translation_is_complete(language):
    texts = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    assert set(texts) == set(SCHEMAS)
    for node, schema in SCHEMAS.items():
        assert texts[node]["display_name"] and texts[node]["description"]
        assert list(texts[node]["inputs"]) == schema["inputs"]
        assert list(texts[node]["outputs"]) == [str(i) for i in range(schema["outputs"])]
        for entry in (*texts[node]["inputs"].values(), *texts[node]["outputs"].values()):
            assert set(entry) == {"name", "tooltip"} and all(entry.values())
