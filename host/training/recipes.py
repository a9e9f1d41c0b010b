"""Recipes: named sets of a training's settings, and how they meet what a user has set himself."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...motion_modules.recurrent import FORMS
from ...training.mask_loss import MaskSettings
from ...training.schedule import RATES
from ..inputs.frames import LEAST_SIDE
from .settings import LATER, Settings

CUSTOM = "custom"
CONSTANT, RISE_AND_FALL = RATES
# widgets of 0.1.0 that Train Motion LoRA hides today; a value here is one that nobody has set
DEFAULTS: dict[str, Any] = {
    "batch_size": 1, "query_rate": 0.1, "frame_step": 1, "flip": False, "group_norm": "joint", "precision": "auto",
    "gradient_checkpointing": True, "save_every": 0, "weighting": "balanced", "lr_schedule": CONSTANT,
    "recurrence": next(iter(FORMS)), "motion_convolutions": False, **asdict(MaskSettings()),
}  # fmt: skip
OPEN: dict[str, Any] = {"frames": 0, "steps": 0, "learning_rate": 0.0, "rank": -1}  # "as the recipe has it"
THE_RECIPES = "the recipe's"  # in Motion Training Settings
_LEFT_OPEN = {"batch_size": 0, "query_rate": -1.0, "shift": -1, "focus": -1.0}  # there
_SWITCHES = ("flip", "motion_convolutions", "both_ends")
_PAPER = {"learning_rate": 3e-5, "rank": 0, "query_rate": 1.0, "weighting": "uniform", "group_norm": "joint"}
_FAST = {"frames": 16, "steps": 2000, "learning_rate": 1e-4, "rank": 32, **LATER}
RECIPES: dict[str, dict[str, Any]] = {
    "fast": _FAST,
    "balanced": {"frames": 16, "steps": 6000, "learning_rate": 1e-4, "rank": 64, "lr_schedule": RISE_AND_FALL},
    "paper: LAMP": {**_PAPER, "method": "LAMP", "frames": 16, "steps": 30000, "flip": True},
    "paper: recurrent": {**_PAPER, "method": "Recurrent", "frames": 16, "steps": 16000, "lr_schedule": RISE_AND_FALL,
                         "recurrence": "paper"},
    "paper: Tune-A-Video": {**_PAPER, "method": "Tune-A-Video", "frames": 24, "steps": 500},
    CUSTOM: {},
}  # fmt: skip
_LEAST = {  # or 0
    "frames": 2, "learning_rate": 1e-7, "query_rate": 0.0, "focus": 0.0, "width": LEAST_SIDE, "height": LEAST_SIDE,
}  # fmt: skip


class Chosen(dict[str, Any]):
    """What Motion Training Settings sets, by name; nothing else makes one, so what is in it was checked there."""


def resolve(recipe: str, widgets: Mapping[str, Any], chosen: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """All settings of a training, and which of them are not the recipe's, in words.

    `widgets`: Train Motion LoRA's own; `chosen`: what Motion Training Settings sets, which counts most. A widget counts
    before the recipe where it was set: where it is neither OPEN nor of DEFAULTS. Raises ValueError for a number that
    is neither one to train with nor leaves it to the recipe.
    """
    recipes = RECIPES[recipe]
    neutral = {**DEFAULTS, **OPEN}
    own = {key: value for key, value in widgets.items() if key not in neutral or value != neutral[key]}
    if "method" in recipes:
        own.pop("method", None)
    own |= chosen
    base = {**DEFAULTS, **_FAST, **recipes}
    settings = {**base, **own}
    for key, least in _LEAST.items():
        if settings.get(key) and settings[key] < least:
            raise ValueError(f"{key} is {settings[key]}, {least} is the least: choose more, or 0 to leave it open.")
    return settings, [f"{key} {settings[key]}" for key in sorted(base) if settings[key] != base[key]]


def chosen(values: Mapping[str, Any]) -> Chosen:
    """What Motion Training Settings' widgets and inputs set, without those that leave it to the recipe."""
    switch = {"on": True, "off": False}
    found = Chosen()
    for key, value in values.items():
        is_word = isinstance(value, (str, int, float))  # and no picture
        if value is not None and not (is_word and value in (THE_RECIPES, _LEFT_OPEN.get(key))):
            found[key] = switch.get(value, value) if key in _SWITCHES else value
    return found


def described(recipe: str, settings: Settings, said: list[str]) -> str:
    """What a run trains with, in one line for the node."""
    size = "whole matrices" if settings.rank == 0 else f"rank {settings.rank}"
    line = (
        f"Recipe {recipe}: {settings.method}, {settings.frames} frames, {settings.steps} steps at "
        f"{settings.learning_rate:g} ({settings.lr_schedule}), {size}, queries at {settings.query_rate:g}, "
        f"{settings.weighting} loss, norms {settings.group_norm}{', mirrored' if settings.flip else ''}"
    )
    line += "".join(
        f", {key.replace('_', ' ')} {getattr(settings, key)}"
        for key in ("convolution", "first_frame", "shift", "focus")
        if getattr(settings, key) != LATER[key]
    )
    return f"{line}; set by hand: {', '.join(said)}." if said and recipe != CUSTOM else f"{line}."
