"""Tables as the pages show them, and the pages' parts that commands write."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, a line for each row, with a line end behind the last."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *rows))


def put(page: Path, text: str, command: str) -> None:
    """Put a command's figures between a page's two marks for them."""
    begin, end = f"<!-- figures of python3 dev {command} -->\n", "<!-- end of the figures -->\n"
    head, found, rest = page.read_text(encoding="utf-8").partition(begin)
    assert found, f"{page.name} has no {begin}"
    page.write_text(f"{head}{begin}\n{text}\n{end}{rest.partition(end)[2]}", encoding="utf-8")
