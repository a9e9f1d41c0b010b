"""Nodes that emit what core cannot, and look at what comes out: written into the server's custom_nodes by the command
beside values.py, never shipped.
"""

import json

import torch

from .values import BASE, BENDS, GARBAGE


def _made(how: dict, values: list):
    if "base" in how:
        return [BASE[name]() for name in how["base"]]
    if "garbage" in how:
        return [GARBAGE[how["garbage"]]()]
    if "list" in how:
        made = {"none": [], "twice": [*values, *values], "thrice": values * 3,
                "garbage last": [*values, GARBAGE["a word"]()]}  # fmt: skip
        return made[how["list"]]
    if "value" in how:
        return [how["value"]]
    values = [BASE[how["from"]]()] if "from" in how else values
    bend = BENDS[how["kind"]][how["bend"]]
    return [*values[:-1], bend(values[-1] if values else None)]  # some make theirs of nothing


class Bend:
    """Whatever comes in with one thing wrong in the last of it, or something of its own."""

    INPUT_IS_LIST = True
    OUTPUT_IS_LIST = (True,)
    RETURN_TYPES = ("*",)
    FUNCTION = "run"
    CATEGORY = "fuzz"

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        """Core's own call."""
        return {"required": {"how": ("STRING", {"default": ""})}, "optional": {"value": ("*",)}}

    def run(self, how, value=()):
        """Core's own call."""
        return (_made(json.loads(how[0]), list(value)),)


def _is_wrong(value) -> bool:
    """Whether a tensor anywhere in a value holds what is no number."""
    if isinstance(value, torch.Tensor):
        return value.is_floating_point() and not bool(value.isfinite().all())
    if isinstance(value, dict):
        return any(map(_is_wrong, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_wrong, value))
    if hasattr(value, "get_components"):
        return _is_wrong(value.get_components().images)
    return False


class Look:
    """Says whether what comes in is numbers."""

    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    RETURN_TYPES = ()
    FUNCTION = "run"
    CATEGORY = "fuzz"

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        """Core's own call."""
        return {"required": {}, "optional": {f"value{i}": ("*",) for i in range(8)}}

    def run(self, **values):
        """Core's own call."""
        return {"ui": {"wrong": [any(map(_is_wrong, values.values()))]}}


NODE_CLASS_MAPPINGS = {"FSMFuzzBend": Bend, "FSMFuzzLook": Look}
