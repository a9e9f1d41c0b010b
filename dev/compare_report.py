"""What `python3 dev compare` leaves behind: every video's numbers as CSV and JSON, means per adapter, rank
correlations, contact sheets.
"""

import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from . import contact_sheet
from .markdown import table
from .second_opinion import MEASURES as EXACT

METRICS = ("alignment", "clip_temp", "consistency", "error", "motion", "visible", "luminance_jump", "colour_jump")
_LEAST = 5  # videos, for a correlation
Rows = list[dict[str, Any]]


def write(folder: Path, rows: Rows) -> None:
    """table.csv, table.json and summary.md, each whole or not at all."""
    columns = list(dict.fromkeys(key for row in rows for key in row if key != "reports"))
    lines = io.StringIO()
    writer = csv.DictWriter(lines, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    for name, text in (
        ("table.csv", lines.getvalue()),
        ("table.json", json.dumps(rows, indent=1) + "\n"),
        ("summary.md", summary(rows)),
    ):
        part = folder / f"{name}.part"
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(folder / name)


def summary(rows: Rows) -> str:
    """Means per adapter, and how far the metrics order the videos as the world's exact measures do."""
    there = [name for name in (*METRICS, *EXACT) if any(row.get(name) is not None for row in rows)]
    lines = []
    for adapter in dict.fromkeys(row["adapter"] for row in rows):
        own = [row for row in rows if row["adapter"] == adapter]
        lines.append([adapter, str(len(own)), *(_mean(row.get(name) for row in own) for name in there)])
    text = f"Means over each adapter's videos\n\n{table(['adapter', 'videos', *there], lines)}"
    found = correlations(rows)
    if found:
        lines = [[metric, *(f"{found[metric, exact]:+.2f}" for exact in EXACT)] for metric in METRICS]
        head = "Rank correlation (Spearman) of what papers print with what the world knows, over all videos"
        text += f"\n{head}\n\n{table(['', *EXACT], lines)}"
    return text


def correlations(rows: Rows) -> dict[tuple[str, str], float]:
    """(metric, exact measure) -> Spearman's rank correlation over the videos that have both; NaN where one of them
    never changes.
    """
    from scipy import stats

    judged = [row for row in rows if all(row.get(name) is not None for name in EXACT)]
    if len(judged) < _LEAST:
        return {}
    found = {}
    for metric in METRICS:
        for exact in EXACT:
            pairs = [(row[metric], row[exact]) for row in judged if row.get(metric) is not None]
            a, b = zip(*pairs, strict=True) if pairs else ((), ())
            found[metric, exact] = (
                float(stats.spearmanr(a, b).statistic) if len(set(a)) > 1 and len(set(b)) > 1 else math.nan
            )
    return found


def sheets(folder: Path, clips: list[tuple[str, str, np.ndarray]]) -> None:
    """One picture per prompt: a row per adapter, from (prompt, adapter, clip)."""
    for number, prompt in enumerate(dict.fromkeys(prompt for prompt, _, _ in clips), start=1):
        group = {adapter.removesuffix(".safetensors"): clip for there, adapter, clip in clips if there == prompt}
        contact_sheet.sheet([group]).save(folder / f"prompt_{number}.png")


def _mean(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.4g}" if known else ""
