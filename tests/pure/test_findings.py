"""docs/findings.md: a verdict for every claim, its figures on the page it names, and every test and study it names is
there.
"""

import re
from pathlib import Path

import pytest
from test_statements import words_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
VERDICTS = ("holds", "in part", "not here", "no")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


CLAIMS, PARTINGS = rows("Claims"), rows("Where a paper and its released code part")
DEFAULTS = rows("Defaults that follow from a figure")  # that they are so: tests/comfy/test_defaults_by_figures.py
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
}


def test_there_are_as_many_as_the_page_is_for():
    assert len(CLAIMS) >= 25 and all(len(row) == 5 for row in CLAIMS + DEFAULTS + PARTINGS)
    assert len({tuple(row[:2]) for row in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("row", CLAIMS, ids=lambda row: row[1])
def test_a_claim_has_a_verdict(row):
    assert re.match(rf"({'|'.join(VERDICTS)})\b", row[2])


@pytest.mark.parametrize("row", CLAIMS + DEFAULTS, ids=lambda row: row[1])
def test_figures_are_where_a_row_says(row):
    *_, figure, how = row
    pages = [ROOT / "docs" / page for page in re.findall(r"\]\((.+?\.md)\)", how)]
    assert pages or re.search(r"`test_\w+`", how)
    if pages:
        there = " ".join(words_of(page) for page in pages)
        for number in re.findall(r"\d+\.\d+", figure):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", there), number


@pytest.mark.parametrize("row", CLAIMS + DEFAULTS + PARTINGS, ids=lambda row: row[1][:40])
def test_what_shows_it_is_there(row):
    named = re.findall(r"`(.+?)`", row[-1])
    assert named
    for word in named:
        if word.startswith("test_"):
            assert word in TESTS
        elif word.startswith("python3 dev study"):
            assert (ROOT / "dev" / "studies" / f"{word.split()[-1]}.py").exists()
        else:
            assert word.startswith(".venv/bin/python") and (ROOT / word.split()[-1]).exists()
