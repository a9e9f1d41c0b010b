"""docs/performance.md's parts that commands beside `dev bench` write: between marks, in the page and in the words that
`dev bench` makes it of.
"""

from . import markdown
from .interpreter import ROOT

PAGES = ROOT / "docs" / "performance.md", ROOT / "dev" / "benching" / "performance.md"


def write(text: str, command: str) -> None:
    """Put a command's figures between their marks."""
    for page in PAGES:
        markdown.put(page, text, command)
