"""The tables of docs/performance.md that a GPU filled: from gpu.jsonl, what dev/benching/gpu.py printed there."""

import json
from collections.abc import Iterator
from pathlib import Path

from .cards import LENT

PLAIN = "plain"  # the image model alone
RESULTS = Path(__file__).with_name("gpu.jsonl")
Found = list[dict]
Table = tuple[list[str], list[list[str]]]


def tables(counts: Found) -> dict[str, Table]:
    """Name in the page -> head and rows; counts: of the same calls on the meta device."""
    found = measured()
    return {
        "gpu_calls": (["model", "motion", "fp16, ms", "times", "bf16, ms", "kernels", "their own time, ms", "times",
                       "estimate, ms", "peak, GB"],
                      list(_calls([row for row in found if row["part"] in ("calls", "peers")], counts))),
        "gpu_sdxl": (["motion", "a call, ms", "times"], list(_large([row for row in found if row["part"] == "SDXL"]))),
        "gpu_sampling": (["motion", "seconds", "times", "peak, GB"],
                         list(_sampling([row for row in found if row["part"] == "sampling"]))),
        "gpu_training": (["adapter", "checkpointing", "a step, seconds", "peak, GB"],
                         [[row["motion"], "on" if row["checkpointing"] else "off", f"{row['seconds']:.3f}",
                           _gb(row)] for row in found if row["part"] == "training"]),
    }  # fmt: skip


def measured() -> Found:
    """What was timed on the card, a dict for each line."""
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]


def _calls(found: Found, counts: Found) -> Iterator[list[str]]:
    """One clip and two in a cell, as `a / b`."""
    for family, motion in dict.fromkeys((row["family"], row["motion"]) for row in found):
        both, plain = (_of(found, family, name, "fp16") for name in (motion, PLAIN))
        bf16 = _of(found, family, motion, "bf16")
        timed = "kernels" in both[0]
        known = [row for row in counts if (row["family"], row["motion"]) == (family, motion)]
        guessed = [LENT.seconds(row["kernels"], row["bytes"], row["flops"]) for row in known]
        yield [family, motion, _ms(both, "seconds"), _times(both, plain, "seconds"),
               _ms(bf16, "seconds") if bf16 else "–",
               " / ".join(f"{row['kernels']:,}" for row in both) if timed else "–",
               _ms(both, "kernel_seconds") if timed else "–", _times(both, plain, "kernel_seconds") if timed else "–",
               " / ".join(f"{1e3 * seconds:.0f}" for seconds in guessed) or "–",
               " / ".join(map(_gb, both)) if timed else "–"]  # fmt: skip


def _of(found: Found, family: str, motion: str, precision: str) -> Found:
    wanted = (family, motion, precision)
    return [row for row in found if (row["family"], row["motion"], row["precision"]) == wanted]


def _ms(rows: Found, key: str) -> str:
    return " / ".join(f"{1e3 * row[key]:.0f}" for row in rows)


def _times(rows: Found, plain: Found, key: str) -> str:
    return " / ".join(f"{row[key] / own[key]:.2f}" for row, own in zip(rows, plain, strict=True))


def _large(found: Found) -> Iterator[list[str]]:
    for row in found:
        yield [row["motion"], f"{1e3 * row['seconds']:.0f}", f"{row['seconds'] / found[0]['seconds']:.2f}"]


def _sampling(found: Found) -> Iterator[list[str]]:
    for row in found:
        yield [row["motion"], f"{row['seconds']:.1f}", f"{row['seconds'] / found[0]['seconds']:.2f}", _gb(row)]


def _gb(row: dict) -> str:
    return f"{row['peak'] / 1e9:.1f}"
