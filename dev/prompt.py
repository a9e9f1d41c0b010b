"""Substituting values in the shipped workflows, API form.

Nodes are named by their title, as a reader of the workflow sees them.
"""

import json
from typing import Any

from .client import Prompt
from .fuzzing.prompts import first_value, inputs_of
from .interpreter import ROOT
from .trouble import Trouble


def load(name: str) -> Prompt:
    """A shipped workflow, fresh to be changed."""
    return json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text(encoding="utf-8"))


def titled(prompt: Prompt, title: str) -> str:
    """The id of the one node of this title."""
    titles = {key: node["_meta"]["title"] for key, node in prompt.items() if "_meta" in node}
    found = [key for key, there in titles.items() if there == title]
    if len(found) != 1:
        raise Trouble(
            f"The workflow has {len(found)} nodes titled {title!r}; its titles are {', '.join(sorted(titles.values()))}"
        )
    return found[0]


def set_inputs(prompt: Prompt, title: str, **inputs: Any) -> None:
    """Give inputs of a node new values. Raises Trouble for one it does not have: a renamed input is to be noticed."""
    there = prompt[titled(prompt, title)]["inputs"]
    unknown = sorted(inputs.keys() - there.keys())
    if unknown:
        raise Trouble(
            f"Node {title!r} of the workflow has no input {', '.join(unknown)}; its inputs are "
            f"{', '.join(sorted(there))}"
        )
    there.update(inputs)


def value(prompt: Prompt, title: str, name: str) -> Any:
    """What an input of the node with this title is set to, a link as [node, output]."""
    return prompt[titled(prompt, title)]["inputs"][name]


def bypass(prompt: Prompt, title: str, name: str) -> None:
    """Take a node out: whoever took its first output takes what it got as input `name`."""
    key = titled(prompt, title)
    source = prompt.pop(key)["inputs"][name]
    for node in prompt.values():
        for there, value in node["inputs"].items():
            if value == [key, 0]:
                node["inputs"][there] = source


def add_training_settings(prompt: Prompt, title: str, kind: dict[str, Any], **values: Any) -> None:
    """Give the training of this title a Motion Training Settings with these values, the others as `kind`, what the
    server says of the node, has them. Raises Trouble for an input it does not have."""
    inputs = list(inputs_of(kind))
    if unknown := sorted(values.keys() - {name for name, *_ in inputs}):
        raise Trouble(f"Motion Training Settings has no input {', '.join(unknown)}")
    defaults = {name: first_value(of, options) for name, of, options, is_optional in inputs if not is_optional}
    prompt["settings"] = {"class_type": "FSM_MotionTrainingSettings", "inputs": defaults | values}
    prompt[titled(prompt, title)]["inputs"]["settings"] = ["settings", 0]


def add_frame_saver(prompt: Prompt, title: str, prefix: str) -> str:
    """Save the frames that the video saver of this title gets also as PNGs, which lose nothing; returns the new node's
    id.
    """
    node = prompt[titled(prompt, title)]
    while "images" not in node["inputs"]:  # SaveVideo gets its frames through CreateVideo
        node = prompt[node["inputs"]["video"][0]]
    prompt["frames"] = {
        "class_type": "SaveImage",
        "inputs": {"images": node["inputs"]["images"], "filename_prefix": prefix},
    }
    return "frames"
