"""What the shipped workflows tell their user: a note each, public files with their address, a form to try."""

import re

import pytest
from workflow_forms import NOTES, ROOT, browser_form, real_nodes, role

from dev import blueprints, chinese_notes, model_files, workflows

NAMES = workflows.names()
FORMS = [(name, small) for name in NAMES for small in (False, True)]
CHINESE = re.compile("[\u4e00-\u9fff]")
ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth")


@pytest.mark.parametrize("name, small", FORMS)
def test_a_note_says_what_to_change(name, small):
    form = workflows.graph(name, small).browser_form()
    (note,) = [node for node in form["nodes"] if node["type"] in NOTES]
    text = note["widgets_values"][0]
    lines = [line for line in text.splitlines() if line[:2] in ("1.", "2.", "3.")]
    assert [line[:3] for line in lines] == ["1. ", "2. ", "3. "] * 2, "in English and in Chinese"
    assert [bool(CHINESE.search(line)) for line in lines] == [False] * 3 + [True] * 3
    roles = {role(node) for node in real_nodes(form)}
    for english, chinese in zip(lines[:3], lines[3:], strict=True):
        assert set(english.split("**")[1::2]) <= roles
        assert set(chinese.split("**")[1::2]) - {"Train"} <= set(english.split("**")[1::2]), "nothing else is changed"
    assert text.count("```") == 2, "which file goes where"


def test_every_chinese_line_is_of_a_note():
    said = {line for name, small in FORMS for note in workflows.graph(name, small).notes
            for line in (*note.lines, note.expect)}  # fmt: skip
    assert set(chinese_notes.CHINESE) == said


@pytest.mark.parametrize("name", NAMES)
def test_public_files_carry_their_address(name):
    """Every model file that a template names is one the browser can fetch, or one the user has trained."""
    for node in real_nodes(browser_form(name)):
        named = {value for value in node["widgets_values"] if isinstance(value, str) and value.endswith(ENDINGS)}
        models = {model["name"]: model for model in node["properties"].get("models", [])}
        assert named - {"motion_00001_.safetensors"} == set(models), node["title"]
        for file, model in models.items():
            assert (model["directory"], model["url"]) == model_files.FILES[file]
            assert model["url"].startswith("https://huggingface.co/") and model["url"].endswith(f"/{file}")


def test_the_page_of_model_files_is_as_described():
    assert (ROOT / "docs" / "model_files.md").read_text(encoding="utf-8") == model_files.page()


def test_blueprints_are_as_described():
    there = {file.name: file.read_text(encoding="utf-8") for file in (ROOT / "subgraphs").iterdir()}
    assert there == blueprints.files()


def test_the_miniature_runs_what_is_published():
    """Its forms differ in values; in nodes only where it has no such model, and their notes say so."""
    for name in NAMES:
        theirs, ours = ({role(node) for node in real_nodes(workflows.graph(name, small).browser_form())}
                        for small in (False, True))  # fmt: skip
        assert bool(theirs - ours) == (name in ("edit_video_lamp", "masks_from_background_removal", "measure_clip"))
