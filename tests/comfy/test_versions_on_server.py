"""The oldest supported ComfyUI and the one of these tests make the same clips, bit for bit, and so do neighbours.

`python3 dev compat` runs every version; here the two ends of the range are held.
"""

import json
from pathlib import Path

import pytest

from dev import base
from dev.compat import neighbours, pictures, versions
from dev.interpreter import STATE, python_of
from dev.server import running

WORKFLOWS = Path(__file__).parents[2] / "workflows" / "api"
LAMP = ("train_motion_lamp", "animate_image_lamp")

POLITE = """
import comfy.samplers

inner = comfy.samplers.sampling_function

def outer(*args, **kwargs):
    return inner(*args, **kwargs)

comfy.samplers.sampling_function = outer

class Node:
    RETURN_TYPES, FUNCTION, CATEGORY = ("INT",), "run", "stub"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT", {"default": 1})}}

    def run(self, number):
        return (number,)

NODE_CLASS_MAPPINGS = {"StubOfTheFirst": Node}
"""
MEDDLING = """
import comfy.samplers

inner = comfy.samplers.sampling_function

def outer(*args, **kwargs):
    return inner(*args, **kwargs) * 1.01

comfy.samplers.sampling_function = outer
NODE_CLASS_MAPPINGS = {}
"""


@pytest.fixture(scope="module")
def expected(server):
    """What this session's ComfyUI makes with the pack alone."""
    return pictures.made(server.client, server.base, LAMP)


@pytest.fixture(scope="module")
def oldest(tmp_path_factory):
    comfyui, python = STATE / versions.OLDEST.archive.name, python_of(versions.OLDEST.folder)
    if not (comfyui / "main.py").exists() or not python.exists():
        pytest.skip(f"ComfyUI {versions.OLDEST.name} is not in .dev: run python3 dev test once")
    folder = tmp_path_factory.mktemp("oldest")
    base.prepare(folder)
    with running(comfyui, folder, python=python) as server:
        yield server


def started(comfyui: Path, folder: Path, packs: dict[str, str]):
    """A server with stub packs beside ours; name -> source."""
    base.prepare(folder / "base")
    for name, source in packs.items():
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(source)
        base.link(folder / name, folder / "base" / "custom_nodes" / name)
    return running(comfyui, folder / "base")


def test_the_oldest_version_makes_the_same_clips(oldest, expected):
    assert oldest.client.get_json("system_stats")["system"]["comfyui_version"] == versions.OLDEST.name
    found = pictures.made(oldest.client, oldest.base, LAMP)
    assert found == expected
    assert found[pictures.AFTERWARDS] == found[pictures.IMAGE]


def inputs_of(info: dict) -> list[str]:
    """A node's inputs in its own order, which is that of a workflow's values."""
    return [name for group in ("required", "optional") for name in info["input"].get(group, {})]


def test_the_oldest_version_opens_every_workflow(oldest, server):
    there, here = oldest.client.object_info(), server.client.object_info()
    for file in WORKFLOWS.glob("*.json"):
        for node in json.loads(file.read_text(encoding="utf-8")).values():
            kind = node["class_type"]
            assert kind in there, file.name
            assert there[kind]["input"].get("required", {}).keys() <= node["inputs"].keys(), (file.name, kind)
            known = inputs_of(there[kind])
            assert inputs_of(here[kind])[: len(known)] == known, kind  # later ones have more only behind


def test_neighbours_that_change_nothing_change_nothing(request, server, expected, tmp_path):
    comfyui = request.config.getoption("--comfyui").resolve()
    with started(comfyui, tmp_path, {"first stub": POLITE, "stub.two": POLITE.replace("First", "Second")}) as beside:
        found = pictures.made(beside.client, beside.base, LAMP)
        nodes = beside.client.object_info()
    rows = neighbours.clip_rows(expected, found)
    assert [row[-1] for row in rows] == ["yes"] * 4
    alone = server.client.object_info()
    theirs = {name: node for name, node in nodes.items() if not name.startswith(neighbours.OURS)}
    stubs, ours = neighbours.node_rows(alone, theirs, nodes)
    assert "StubOfTheFirst" in nodes and "StubOfTheSecond" in nodes
    assert stubs[2:] == [stubs[1], "yes"] and int(ours[1]) >= 20


def test_a_neighbour_that_changes_what_is_sampled_is_found_out(request, server, tmp_path):
    expected = pictures.made(server.client, server.base, ())
    with started(request.config.getoption("--comfyui").resolve(), tmp_path, {"stub": MEDDLING}) as beside:
        found = pictures.made(beside.client, beside.base, ())
    assert [row[-1] for row in neighbours.clip_rows(expected, found)] == ["no", "no"]


def test_nodes_that_are_gone_or_changed_are_counted():
    core, other = {"FSM_A": {"a": 1}, "KSampler": {}}, {"KSampler": {}, "Other": {"b": 1}, "Third": {}}
    together = {"FSM_A": {"a": 2}, "KSampler": {}, "Other": {"b": 2}, "Third": {}}
    assert neighbours.node_rows(core, other, together) == [
        ["nodes of the others", "2", "1", "no"],
        ["nodes of ours", "1", "0", "no"],
    ]
