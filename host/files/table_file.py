"""Tables in output/metrics: `<name>.json` holds every entry, `<name>.csv` is made of it, a line an entry, and so the
two cannot part for longer than it takes to write a file.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import folder_paths

from ...motion_modules.adapter import AdapterError
from ...motion_modules.writing import write_whole
from . import folders
from .lock import locked

_MOST = 256 * 2**20  # bytes of a table; what is larger was made by something else


def add(name: str, entry: Mapping[str, Any]) -> None:
    """One entry more: its `numbers` (name -> number or None), `how` (sentences), `videos` and whatever else it says.

    Raises AdapterError where the name leads out of the folder, the table has other columns, is none of ours, was
    changed by another program, is in use, or cannot be written.
    """
    folder = Path(folder_paths.get_output_directory()) / "metrics"
    file = folders.file_in(folder, name, ".json", "a table")
    lines = file.with_suffix(".csv")
    with locked(file):
        entries = _entries(file)
        _check_lines(lines, entries)
        if entries and (columns := _columns(entries[0])) != _columns(entry):
            raise AdapterError(
                f"The table {name} has other columns ({', '.join(columns)}): give these numbers a table of their own."
            )
        entries.append(entry)
        text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
        for place, content in ((file, text), (lines, _csv(entries))):
            write_whole(place, lambda part, content=content: part.write_text(content, encoding="utf-8", newline=""))


def _entries(file: Path) -> list[Mapping[str, Any]]:
    """What is kept so far, nothing where there is no such file."""
    if not file.exists():
        return []
    try:
        if file.stat().st_size > _MOST:
            raise ValueError(f"it has {file.stat().st_size} bytes")
        entries = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(entries, list) or not entries:
            raise ValueError("it is no list of entries")
        _csv(entries)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise AdapterError(
            f"{file.name} in output/metrics is no table of this node ({why}): give these numbers another name."
        ) from error
    return entries


def _check_lines(file: Path, entries: list[Mapping[str, Any]]) -> None:
    """Raise AdapterError where the lines are not those of the entries, or of the first of them: a process that died
    between the two files leaves that.
    """
    if not file.exists():
        return
    try:
        large = file.stat().st_size > _MOST
        found = "" if large else file.read_bytes().decode("utf-8")
    except (OSError, ValueError):
        large, found = True, ""
    if large or not entries or not _csv(entries).startswith(found):
        raise AdapterError(
            f"{file.name} in output/metrics was made or changed by another program, a spreadsheet for one: give these "
            f"numbers another name, or take {file.name} away, it is made anew from the .json beside it."
        )


def _columns(entry: Mapping[str, Any]) -> list[str]:
    return [*entry["numbers"], "videos", "how"]


def _csv(entries: list[Mapping[str, Any]]) -> str:
    """A line an entry, numbers in full precision; what is not defined is nan."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_columns(entries[0]))
    for entry in entries:
        numbers = [float("nan") if value is None else value for value in entry["numbers"].values()]
        lines.writerow([*(repr(0 + value) for value in numbers), entry["videos"], "; ".join(entry["how"])])
    return text.getvalue()
