"""The note of a workflow, in English and Chinese: what to change, which file goes where, what to expect."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .chinese_notes import CHINESE
from .layout import size_of

_PER_LINE = 60  # letters in a line of the note's width; a Chinese one counts twice
_LINE, _EDGES = 16, 40  # px; the page draws 14 a line and less, blank ones counted


@dataclass(frozen=True)
class Note:
    """`lines`: what to change; `files` says folders and the files in them, once the workflow is whole; `expect`: of a
    run.
    """

    lines: tuple[str, ...]
    files: Callable[[], list[str]]
    expect: str

    @property
    def text(self) -> str:
        """As Markdown: English, the files, then the same words in Chinese."""
        files = "\n".join(["```", *self.files(), "```"])
        chinese = _numbered(CHINESE[line] for line in self.lines)
        return "\n\n".join((_numbered(self.lines), files, self.expect, "---", chinese, CHINESE[self.expect]))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px, by a count of its lines."""
        widths = [sum(2 if letter > "⺀" else 1 for letter in line) for line in self.text.splitlines()]
        return size_of("MarkdownNote")[0], _EDGES + _LINE * sum(
            max(1, math.ceil(width / _PER_LINE)) for width in widths
        )

    def browser_form(self, order: int, box: tuple[int, int, int, int]) -> dict[str, Any]:
        """The node that shows it; `box`: x, y, width, height."""
        return {
            "id": order + 1, "type": "MarkdownNote", "pos": list(box[:2]), "size": list(box[2:]), "flags": {},
            "order": order, "mode": 0, "inputs": [], "outputs": [], "title": "What to change · 要改什么",
            "properties": {}, "widgets_values": [self.text],
        }  # fmt: skip


def _numbered(lines: Iterable[str]) -> str:
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))
