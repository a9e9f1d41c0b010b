"""The tables of docs/performance.md, from what `python3 dev bench` has counted and timed."""

from collections.abc import Iterator
from pathlib import Path

from .. import markdown
from . import gpu_page
from .cards import CARDS
from .cases import CASES, FILES, GOALS

WORDS = Path(__file__).with_name("performance.md")


def page(known: dict) -> str:
    """The whole page; a table without figures yet is its head alone."""
    cases = known.get("cases", {})
    tables = {
        "counts": (["model", "motion", "kernels", "", "memory traffic", "", "FLOPs", ""],
                   list(_counts(known.get("counts", [])))),
        "times": (["case: frames x latent", "seconds", "times the image model", "peak memory", "image model's peak"],
                  list(_times(cases))),
        "files": (["adapter", "file", "save", "load"], list(_files(cases))),
        "steps": (["case", "forward", "backward", "the rest: AdamW, gradients' norm"], list(_steps(cases))),
        "goals": (["what", "goal", "figure", ""], list(_goals(cases))),
        "waits": (["model", "motion", "what", "calls", *(f"{card.name}, image model alone" for card in CARDS),
                   *(f"{card.name}" for card in CARDS)], list(_waits(known.get("waits", [])))),
        "recurrent": (["self-attention", "sparse-causal", "fixed", "times"], known.get("recurrent", [])),
        **gpu_page.tables(known.get("counts", [])),
    }  # fmt: skip
    text = WORDS.read_text(encoding="utf-8")
    for name, (head, rows) in tables.items():
        text = text.replace(f"{{{name}}}\n", markdown.table(head, rows))
    return text


def _times(cases: dict) -> Iterator[list[str]]:
    for case in CASES:
        found = cases.get(case.name)
        if found and not case.motion.startswith(FILES):
            yield [case.name, f"{found['seconds']:.2f}", f"{found['ratio']:.2f}", _gb(found, "peak"),
                   _gb(found, "plain_peak")]  # fmt: skip


def _steps(cases: dict) -> Iterator[list[str]]:
    """Where a training step's time goes, in calls of the image model."""
    for case in CASES:
        if "forward" in (found := cases.get(case.name, {})):
            parts = found["forward"], found["backward"], found["seconds"] - found["forward"] - found["backward"]
            yield [case.name, *(f"{seconds / found['plain']:.2f}" for seconds in parts)]


def _gb(found: dict, key: str) -> str:
    return f"{found[key] / 1e9:.2f} GB" if key in found else "–"


def _files(cases: dict) -> Iterator[list[str]]:
    for case in CASES:
        if case.motion.startswith(FILES) and (found := cases.get(case.name)):
            yield [case.motion.removeprefix(FILES), f"{found['bytes'] / 1e6:.0f} MB", f"{found['save']:.2f} s",
                   f"{found['load']:.2f} s"]  # fmt: skip


def _goals(cases: dict) -> Iterator[list[str]]:
    for goal in GOALS:
        try:
            found = goal.figure(cases)
        except KeyError:
            continue
        yield [goal.words, f"{goal.most:.2f}{goal.unit}", f"{found:.2f}{goal.unit}",
               "met" if round(found, 2) <= round(goal.most, 2) else "missed"]  # fmt: skip


def _counts(counts: list[dict]) -> Iterator[list[str]]:
    """A row for each motion, of one clip and two."""
    pairs = {}
    for found in counts:
        pairs.setdefault((found["family"], found["motion"]), []).append(found)
    for (family, motion), both in pairs.items():
        yield [family, motion,
               _pair(both, "kernels", "{:,}"), _pair(both, "more_kernels", "{:.2f}"),
               _pair(both, "bytes", "{:.1f}", 2**30) + " GiB", _pair(both, "more_bytes", "{:.2f}"),
               _pair(both, "flops", "{:.1f}", 1e12) + " T", _pair(both, "more_flops", "{:.2f}")]  # fmt: skip


def _pair(both: list[dict], key: str, form: str, unit: float = 1) -> str:
    return " / ".join(form.format(found[key] if unit == 1 else found[key] / unit) for found in both)


def _waits(waits: list[dict]) -> Iterator[list[str]]:
    for found in waits:
        height, width = found["size"]
        yield [found["family"], found["motion"], f"{found['way']}, {height} x {width} px", f"{found['calls']:g}",
               *(f"{seconds:.1f} s" for seconds in found["plain"]),
               *(f"{seconds:.1f} s" for seconds in found["seconds"])]  # fmt: skip
