"""One case: a node, one of its inputs, and one thing wrong with it, all drawn by a seed."""

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..client import Prompt
from . import prompts
from .prompts import SUBJECT, bend, connect, inputs_of, is_widget, prompt

MOST = 64  # of a number that costs time
COSTLY = ("FSM_FrechetVideoDistance",)  # drawn a third as often
_NAMES = ("", " ", ".", "..", "../fuzz_out", "a/../../fuzz_out", "{outside}/fuzz_out", "a\0b", "x" * 300, "ü/é", "con",
          "a\nb", "~", "a\\b", "x/", "%date:yyyy%", "*", "fuzz?", "'; --", "a" * 60 + "/" + "b" * 60)  # fmt: skip


class Case(NamedTuple):
    """A prompt to run, what is bent in it, and whether that is no number."""

    node: str
    what: str
    prompt: Prompt
    not_finite: bool


def drawn(seed: int, infos: Mapping[str, Any], outside: str, bends: Mapping[str, Any], garbage: Mapping[str, Any],
          not_finite: tuple[str, ...]) -> Case:  # fmt: skip
    """The case of a seed, over what /object_info says of our nodes."""
    draw = random.Random(seed)
    names = sorted(infos)
    often = [*names, *[name for name in names if name not in COSTLY] * 2]
    node_id = often[seed % len(often)]
    made = prompt(node_id, infos[node_id])
    asked = [there for there in inputs_of(infos[node_id])]
    name, kind, options, _ = draw.choice(asked)
    inputs = made[SUBJECT]["inputs"]
    if is_widget(kind, options) and draw.random() < 0.5:
        inputs[name] = value = _typed(kind, options, outside, draw)
        return Case(node_id, f"{name} = {str(value)[:60]!r}", made, str(value) in ("nan", "inf", "-inf"))
    if is_widget(kind, options):
        how = {"value": _typed(kind, options, outside, draw)} if draw.random() < 0.4 else _any(garbage, draw)
        if "value" in how and how["value"] != how["value"]:
            how = {"garbage": "NaN"}
    else:
        if name not in inputs:
            connect(made, inputs, node_id, name, kind)
        how = _bent(kind, options, bends, infos[node_id]["is_input_list"], draw) or _any(garbage, draw)
        for key in {value[0] for value in inputs.values() if isinstance(value, list)} - {SUBJECT}:
            made.update(_around(key))
    source = {} if "garbage" in how or "value" in how or name not in inputs else {"value": inputs[name]}
    if source and not isinstance(inputs[name], list):
        source = {}
    made["bent"] = bend(how, **source)
    inputs[name] = ["bent", 0]
    word = how.get("bend") or how.get("garbage") or ""
    is_nan = word in not_finite or str(how.get("value")) in ("nan", "inf", "-inf")
    return Case(node_id, f"{name} <- {str(how)[:90]}", made, is_nan)


def _around(key: str) -> Prompt:
    """A node of the surroundings and what it needs."""
    around = prompts.surroundings()
    found, waiting = {}, [key] if key in around else []
    while waiting:
        key = waiting.pop()
        found[key] = around[key]
        waiting += [value[0] for value in around[key]["inputs"].values() if isinstance(value, list)]
    return found


def _any(garbage: Mapping[str, Any], draw: random.Random) -> dict[str, Any]:
    return {"garbage": draw.choice(list(garbage))}


def _bent(kind: str, options: Mapping[str, Any], bends: Mapping[str, Any], is_list: bool,
          draw: random.Random) -> dict[str, Any] | None:  # fmt: skip
    """A bend that fits the type that comes in; now and then a list of another length, or nothing."""
    if is_list and draw.random() < 0.15:
        return {"list": draw.choice(["none", "twice", "thrice", "garbage last"])}
    types = options["template"]["allowed_types"] if kind == "COMFY_MATCHTYPE_V3" else kind
    kinds = [one for one in types.split(",") if bends.get(one)]
    if not kinds or draw.random() < 0.25:
        return None
    chosen = draw.choice(kinds)
    how = {"kind": chosen, "bend": draw.choice(list(bends[chosen]))}
    return {**how, "from": "latents"} if chosen == "LATENT" and len(kinds) > 1 else how


def _typed(kind: str, options: Mapping[str, Any], outside: str, draw: random.Random) -> Any:
    """A value such as a widget could hold, within its limits or not."""
    if kind == "COMBO":
        return draw.choice([*options["options"], "none of them", ""])
    if kind == "BOOLEAN":
        return draw.choice([True, False])
    if kind == "STRING":
        return draw.choice(_NAMES).replace("{outside}", outside)
    low, high = options["min"], options["max"]
    step = 1 if kind == "INT" else 0.001
    inside = draw.randint(int(low), int(min(high, MOST))) if kind == "INT" else draw.uniform(low, min(high, MOST))
    least = low if low > -MOST else draw.uniform(-MOST, MOST)
    beyond = [low - step, high + step, -1, 10**30, -(10**30), float("nan"), float("inf")]
    return draw.choice([inside, inside, inside, least, *beyond])
