"""Workflows that version 0.1.0 shipped, as they were saved then: they still load and run, and train as they did."""

import json
from pathlib import Path

import clips
import pytest
from few_shot_motion.motion_modules.released import load_adapter

from dev import prompt as workflows

DATA = Path(__file__).parents[1] / "data" / "0.1.0"
NAMES = sorted(path.stem for path in DATA.glob("*.json"))
CHECKPOINT, MOTION, FRAMES = "miniature.safetensors", "moves right", 6


@pytest.fixture(scope="module")
def client(server):
    folder = server.base / "input"
    clips.write_training_set(folder / "old clips", MOTION, count=2, frames=FRAMES, masks=folder / "old masks")
    return server.client


def declared(info: dict) -> dict[str, tuple]:
    """Input name -> (type, options), in the order of the node."""
    return {
        name: (kind, options[0] if options else {})
        for section in ("required", "optional")
        for name, (kind, *options) in info["input"].get(section, {}).items()
    }


def is_widget(kind, options: dict) -> bool:
    known = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
    return (isinstance(kind, list) or kind in known) and not options.get("forceInput")


@pytest.mark.parametrize("name", NAMES)
def test_widgets_stand_where_they_stood(client, name):
    """A browser fills widgets by position: the values of the API form land on the inputs of their names."""
    old = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    prompt = json.loads((DATA / "api" / f"{name}.json").read_text(encoding="utf-8"))
    inputs = declared(client.object_info()["FSM_TrainMotionLoRA"])
    train = next(node for node in old["nodes"] if node["type"] == "FSM_TrainMotionLoRA")
    meant = next(node["inputs"] for node in prompt.values() if node["class_type"] == "FSM_TrainMotionLoRA")
    values, found = list(train["widgets_values"]), {}
    for key, (kind, options) in inputs.items():
        if is_widget(kind, options) and values:
            found[key] = values.pop(0)
            if options.get("control_after_generate"):
                values.pop(0)
    assert not values and found == {key: value for key, value in meant.items() if not isinstance(value, list)}
    for key, value in found.items():
        kind, options = inputs[key]
        choices = kind if isinstance(kind, list) else options.get("options")
        assert choices is None or value in choices
        assert options.get("min", 0) <= value <= options.get("max", value) if isinstance(value, int | float) else True
    for socket in train["inputs"]:  # what was connected finds its socket, of the same type
        assert socket["name"] in inputs


@pytest.mark.parametrize("name", ["train_motion_lamp", "train_motion_masks"])
@pytest.mark.parametrize("new_widgets", [{}, {"recipe": "fast", "fps": 8.0, "sample_every": 250}], ids=["api", "page"])
def test_they_train(client, server, name, new_widgets):
    """As the API is given them, and as the page sends them with the new widgets at their defaults."""
    prompt = json.loads((DATA / "api" / f"{name}.json").read_text(encoding="utf-8"))
    folders = {"Clips": "old clips", "Masks": "old masks"}
    for node in prompt.values():
        title = node["_meta"]["title"]
        if title in folders:
            node["inputs"]["folder"] = folders[title]
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
    small = {"frames": FRAMES, "steps": 2, "width": 0, "height": 0, "rank": 4, "name": f"old_{name}"}
    workflows.set_inputs(prompt, "Train", **small)
    next(node for node in prompt.values() if node["_meta"]["title"] == "Train")["inputs"].update(new_widgets)
    workflows.set_inputs(prompt, "Save adapter", filename_prefix=f"old_{name}")
    client.run(prompt)
    saved = max((server.base / "output" / "motion_adapters").glob(f"old_{name}_0*.safetensors"))
    training = json.loads(load_adapter(saved, None).metadata["training"])
    meant = next(node["inputs"] for node in prompt.values() if node["class_type"] == "FSM_TrainMotionLoRA")
    assert {key: value for key, value in training.items() if key in meant and key != "fps"} == {
        key: meant[key] for key in training if key in meant and key != "fps"
    }
