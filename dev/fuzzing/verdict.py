"""What an answer of the server is: one of our sentences, core's own word on a widget, or anything else."""

import ast
import re
from functools import cache
from typing import Any

from ..interpreter import ROOT

ROOMS = ("motion_modules", "samplers", "training", "host", "nodes", "metrics")
_LEAST = 15  # characters of a sentence that are the same whatever its values
RAN, SENTENCE, CORE, CANCELLED = "ran", "sentence", "core's own", "cancelled"
RAW, HANG, SILENT, TAKEN, OUTSIDE = "raw", "hang", "silent NaN", "NaN taken", "outside"
GOOD, BAD = (RAN, SENTENCE, CORE, CANCELLED), (RAW, HANG, SILENT, TAKEN, OUTSIDE)
_VALIDATION = {"required_input_missing", "bad_linked_input", "return_type_mismatch", "invalid_input_type",
               "value_smaller_than_min", "value_bigger_than_max", "value_not_in_list"}  # fmt: skip


@cache
def sentences() -> dict[str, tuple[re.Pattern[str], str]]:
    """Every sentence that is raised, by where it stands: with anything in the place of its values, and as read."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for raised in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(raised, ast.Raise) and isinstance(raised.exc, ast.Call) and raised.exc.args:
                    parts = _parts(raised.exc.args[0])
                    if sum(map(len, filter(None, parts))) >= _LEAST:
                        pattern = "".join(".+" if part is None else re.escape(part) for part in parts)
                        read = "".join("…" if part is None else part for part in parts)
                        found[f"{path.relative_to(ROOT).as_posix()}:{raised.lineno}"] = re.compile(pattern), read
    return found


def _parts(text: ast.expr) -> list[str | None]:
    """What a string in the source is made of; None where a value stands."""
    values = text.values if isinstance(text, ast.JoinedStr) else [text]
    return [part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else None for part in values]


def of_refusal(answer: dict[str, Any]) -> tuple[str, str]:
    """What the server says before it queues a prompt."""
    errors = [error for there in answer.get("node_errors", {}).values() for error in there["errors"]]
    kinds = {error["type"] for error in errors}
    text = "; ".join(f"{error['message']}: {error['details']}" for error in errors) or str(answer.get("error"))
    return (CORE if kinds and kinds <= _VALIDATION else RAW), text


def of_failure(details: dict[str, Any]) -> tuple[str, str]:
    """What a node raised: a sentence is one that stands in our sources, in one line, of the types we raise."""
    text, kind = details["exception_message"].strip(), details["exception_type"].rpartition(".")[2]
    said = kind in ("ValueError", "AdapterError") and any(
        pattern.fullmatch(text) for pattern, _ in sentences().values()
    )
    return (SENTENCE if said and "\n" not in text else RAW), f"{details['node_type']}: {kind}: {text}"
