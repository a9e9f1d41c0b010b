"""Around every node: what comes in is checked against the node's own schema before its first line runs, and what goes
out once behind the last. Nothing is checked while it samples.

`nodes/__init__.py` puts it around all nodes it lists, so that none can do without.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from comfy_api.latest import io

from ...motion_modules.adapter import MotionAdapter
from ...motion_modules.mask_predictor import MaskPredictor
from ..sockets import Adapter, Predictor, TrainingSettings
from ..training.recipes import Chosen
from . import frames, models
from .values import is_plain, refuse
from .widgets import WIDGETS, text


def _is_predictor(value) -> bool:
    """None too: a training without masks gives that, and the node says what to do."""
    return value is None or isinstance(value, MaskPredictor)


CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "IMAGE": frames.pictures, "MASK": frames.masks, "LATENT": frames.latents, "CONDITIONING": models.conditioning,
    **{kind: models.as_is(is_one, kind) for kind, is_one in models.KINDS.items()},
    Adapter.io_type: models.as_is(lambda value: isinstance(value, MotionAdapter), "motion adapter"),
    Predictor.io_type: models.as_is(_is_predictor, "mask predictor"),
    TrainingSettings.io_type: models.as_is(lambda value: isinstance(value, Chosen), "Motion Training Settings"),
}  # fmt: skip


def checked(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """The same class, whose execute takes nothing but what its schema asks for, and gives nothing but numbers.

    Raises ValueError, one sentence, for anything else.
    """
    run = node.execute.__func__
    names = list(inspect.signature(run).parameters)[1:]
    files = set(inspect.signature(node.fingerprint_inputs).parameters)  # choices whose reader says where it looked

    @functools.wraps(run)
    def execute(cls, *values, **inputs) -> io.NodeOutput:
        taken = checked_inputs(cls.define_schema(), {**dict(zip(names, values, strict=False)), **inputs}, files)
        return _given(run(cls, **taken))

    node.execute = classmethod(execute)
    return node


def checked_inputs(schema: io.Schema, given: Mapping[str, Any], files: set[str]) -> dict[str, Any]:
    """A node's inputs, each checked by itself and all beside the MODEL; what is optional and nothing is left out.

    `files`: inputs whose choices are files, which are read by who says more of them. Raises ValueError, one sentence.
    """
    taken = dict(given)
    for asked in schema.inputs:
        if asked.id not in given:
            continue
        values = given[asked.id] if schema.is_input_list else [given[asked.id]]
        if asked.optional and (not values or list(values) == [None]):
            del taken[asked.id]
            continue
        if not values:
            raise ValueError(f"Nothing comes in at {asked.id}: connect a list with something in it.")
        found = [_one(asked, value, _what(asked, i, len(values)), files) for i, value in enumerate(values, start=1)]
        taken[asked.id] = found if schema.is_input_list else found[0]
    if "model" in taken:
        for asked in schema.inputs:
            if asked.id in taken:
                values = taken[asked.id] if schema.is_input_list else [taken[asked.id]]
                model = taken["model"][0] if schema.is_input_list else taken["model"]
                for i, value in enumerate(values, start=1):
                    _fits(model, value, kinds_of(asked), _what(asked, i, len(values)))
    return taken


def _what(asked, number: int, count: int) -> str:
    """What an input is called in a sentence."""
    name = asked.id if asked.get_io_type() in WIDGETS else f"What comes in at {asked.id}"
    return name if count == 1 else f"Number {number} of {name[0].lower()}{name[1:]}"


def kinds_of(asked) -> list[str]:
    """Socket types that an input takes, as ComfyUI calls them."""
    if isinstance(asked, io.MatchType.Input):
        return [kind.io_type for kind in asked.template.allowed_types]
    return asked.get_io_type().split(",")


def _one(asked, value, what: str, files: set[str]):
    kinds = kinds_of(asked)
    if kinds[0] in WIDGETS:
        check = text if kinds[0] == io.Combo.io_type and asked.id in files else WIDGETS[kinds[0]]
        return check(value, asked, what)
    if len(kinds) == 1:
        return CHECKS[kinds[0]](value, what)
    for kind, is_one in _LOOKS.items():
        if kind in kinds and is_one(value):
            return CHECKS[kind](value, what)
    return refuse(value, what, " or ".join(kinds))


_LOOKS = {
    "IMAGE": lambda value: isinstance(value, torch.Tensor),
    "LATENT": lambda value: isinstance(value, dict),
    "VIDEO": models.KINDS["VIDEO"],
    "SAMPLER": models.KINDS["SAMPLER"],
    Adapter.io_type: lambda value: isinstance(value, MotionAdapter),
    Predictor.io_type: _is_predictor,
}


def _fits(model, value, kinds: list[str], what: str) -> None:
    """Whether what was made for a MODEL was made for this one."""
    if kinds == ["VAE"]:
        models.check_vae(value, model, what)
    elif kinds == ["CONDITIONING"]:
        models.check_words(value, model, what)
    elif "LATENT" in kinds and isinstance(value, dict):
        frames.check_channels(value["samples"], model.get_model_object("latent_format").latent_channels, what)


def _given(output: io.NodeOutput) -> io.NodeOutput:
    """Raises ValueError where pictures, masks or latents a node made are no numbers, as of numbers that were."""
    for value in output.args:
        made = value.get("samples") if isinstance(value, dict) else value
        if is_plain(made) and made.numel() and not all(end.isfinite() for end in made.aminmax()):
            raise ValueError(
                "What this node made holds values that are no numbers (NaN or infinite), though what it was given does "
                "not: take less extreme values, a cfg nearer to 1 say, or let the model compute in fp32."
            )
    return output
