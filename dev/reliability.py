"""docs/reliability.md: what is promised when things go wrong; `dev faults`, `dev soak`, `dev modes` put figures in."""

from collections import Counter

from .interpreter import ROOT
from .markdown import put, table

PAGE = ROOT / "docs" / "reliability.md"
BAD = ("raw", "torn", "lost", "apart", "left over", "in spite")  # what a name of a count that must be 0 has in it


def figures(results: dict[str, Counter], options: str) -> str:
    """All counts as tables."""
    files = results["damaged files"]
    kinds = dict.fromkeys(name for name, _ in files)
    rows = [[kind, *(str(files[kind, how]) for how in ("read", "sentence", "raw"))] for kind in kinds]
    total = ["all", *(str(sum(files[kind, how] for kind in kinds)) for how in ("read", "sentence", "raw"))]
    text = f"`python3 dev faults {options}`:\n\n"
    text += table(["damaged files", "read", "refused in a sentence", "anything else"], [*rows, total])
    others = [[name, ", ".join(f"{what}: {count}" for what, count in found.items())] for name, found in results.items()
              if name != "damaged files"]  # fmt: skip
    return f"{text}\n{table(['what was done', 'what was found'], others)}"


def failures(results: dict[str, Counter]) -> list[str]:
    """Counts that must be 0 and are not."""
    return [
        f"{name}: {count} {what if isinstance(what, str) else ' '.join(what)}"
        for name, found in results.items()
        for what, count in found.items()
        if count and any(bad in str(what) for bad in BAD)
    ]


def write(text: str, command: str = "faults") -> None:
    """Put a command's figures between the page's two marks for them."""
    put(PAGE, text, command)
