"""The answers as a table per node, and where it stands in docs/reliability.md."""

from collections import Counter

from ..markdown import table
from ..reliability import PAGE
from .verdict import BAD, GOOD

_BEGIN, _END = "<!-- figures of python3 dev fuzz -->\n", "<!-- end of the fuzzer's figures -->\n"


def counted(found: Counter[tuple[str, str]]) -> str:
    """A row per node, a column per kind of answer."""
    columns = [*GOOD, *BAD]
    rows = [[node, *(str(found[node, how]) for how in columns)] for node in sorted({node for node, _ in found})]
    total = ["all", *(str(sum(found[node, how] for node in {node for node, _ in found})) for how in columns)]
    return table(["node", *columns], [*rows, total])


def write(text: str, options: str) -> None:
    """Put the table between the page's two marks."""
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(_BEGIN)
    tail = rest.partition(_END)[2]
    PAGE.write_text(f"{head}{_BEGIN}\n`python3 dev fuzz {options}`:\n\n{text}\n{_END}{tail}", encoding="utf-8")
