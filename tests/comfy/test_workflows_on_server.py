"""The shipped workflows against a real server: node types, inputs, widget values and their order are those of
/object_info.
"""

import json
from pathlib import Path

import pytest

from dev import layout, node_kinds, workflows
from dev.client import PromptFailed, PromptRefused

FOLDER = Path(__file__).parents[2] / "workflows"
NAMES = workflows.names()
NOTES = {"Note", "MarkdownNote"}  # the browser's own
FILES = {
    "ckpt_name",
    "adapter",
    "lora_name",
    "image",
    "folder",
    "file",
    "bg_removal_name",
    "control_net_name",
    "clip_file",
    "i3d",
    "model_name",
}  # fmt: skip - combos of what is on a user's disk
AFTER_RUN = {"fixed", "increment", "decrement", "randomize"}


@pytest.fixture(scope="module")
def types(server):
    return server.client.object_info()


def declared(info: dict) -> dict[str, tuple]:
    """Input name -> (type, options), in the order of the node."""
    inputs = {}
    for section in ("required", "optional"):
        for name, (kind, *options) in info["input"].get(section, {}).items():
            inputs[name] = (kind, options[0] if options else {})
    return inputs


def is_widget(kind, options: dict) -> bool:
    known = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3"}
    return (isinstance(kind, list) or kind in known) and not options.get("forceInput")


def fits(value, name: str, kind, options: dict) -> bool:
    if isinstance(kind, list) or kind == "COMBO":
        return isinstance(value, str) and (
            name in FILES or value in (kind if isinstance(kind, list) else options["options"])
        )
    if kind == "COMFY_DYNAMICCOMBO_V3":  # an option with inputs of its own would have its widgets behind this one
        return any(option["key"] == value and not any(option["inputs"].values()) for option in options["options"])
    if kind in ("INT", "FLOAT"):
        right = (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and (kind == "FLOAT" or isinstance(value, int))
        )
        return right and options.get("min", value) <= value <= options.get("max", value)
    return isinstance(value, {"STRING": str, "BOOLEAN": bool}[kind])


@pytest.mark.parametrize("name", NAMES)
def test_api_form_fits_the_nodes(types, name):
    prompt = json.loads((FOLDER / "api" / f"{name}.json").read_text(encoding="utf-8"))
    for node in prompt.values():
        assert node["class_type"] in types
        info = types[node["class_type"]]
        inputs = declared(info)
        assert set(info["input"].get("required", {})) <= node["inputs"].keys() <= set(inputs), node["class_type"]
        for key, value in node["inputs"].items():
            kind, options = inputs[key]
            if isinstance(value, list):
                given = types[prompt[value[0]]["class_type"]]["output"][value[1]]
                wanted = (kind if isinstance(kind, str) else "COMBO").split(",")
                alike = node_kinds.ALIKE in (given, *wanted)
                assert alike or given in wanted or wanted == ["*"], (node["class_type"], key)
            else:
                assert is_widget(kind, options) and fits(value, key, kind, options), (node["class_type"], key, value)


@pytest.mark.parametrize("name", NAMES)
def test_browser_form_fits_the_nodes(types, name):
    workflow = json.loads((FOLDER / f"{workflows.template(name)}.json").read_text(encoding="utf-8"))
    for node in workflow["nodes"]:
        if node["type"] in NOTES:
            continue
        info = types[node["type"]]
        assert layout.shown_name(node["type"]) == (info["display_name"] or node["type"])
        inputs = declared(info)
        values = list(node["widgets_values"])
        for key, (kind, options) in inputs.items():
            if not is_widget(kind, options):
                continue
            assert values and fits(values.pop(0), key, kind, options), (node["title"], key)
            if options.get("control_after_generate"):
                assert values.pop(0) in AFTER_RUN
            if options.get("image_upload") or options.get("video_upload"):
                assert values.pop(0) == "image"
        assert values == [], node["title"]
        sockets = [key for key, (kind, options) in inputs.items() if not is_widget(kind, options)]
        turned = [socket["name"] for socket in node["inputs"] if "widget" in socket]
        assert [socket["name"] for socket in node["inputs"]] == [*sockets, *turned]
        assert all(is_widget(*inputs[key]) for key in turned)
        assert [(output["name"], output["type"]) for output in node["outputs"]] == list(
            zip(info["output_name"], info["output"], strict=True)
        )


@pytest.mark.parametrize("name", NAMES)
def test_server_misses_nothing_but_files(server, name):
    prompt = json.loads((FOLDER / "api" / f"{name}.json").read_text(encoding="utf-8"))
    if all(node["class_type"].startswith("FSM_") for node in prompt.values() if FILES & set(node["inputs"])):
        # our own nodes say so when they run
        with pytest.raises(PromptFailed, match="There is no (folder|file) .*: put .* there and refresh"):
            server.client.run(prompt)
        return
    with pytest.raises(PromptRefused) as refused:  # the shipped names are not on the test server's disk
        server.client.queue(prompt)
    for key, node in refused.value.answer["node_errors"].items():
        for error in node["errors"]:
            assert error["type"] in ("value_not_in_list", "custom_validation_failed"), error
            assert any(prompt[key]["inputs"].get(file) is not None and file in error["details"] for file in FILES), (
                error
            )
