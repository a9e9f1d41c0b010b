"""Every help page in the page's narrow panel, English and Chinese: nothing to be scrolled sideways, pictures load."""

import re
from pathlib import Path

import pytest

from dev import browser

DOCS = Path(__file__).parents[2] / "web" / "docs"
NODES = sorted(path.stem for path in DOCS.glob("*.md"))
PANEL = 272  # px


@pytest.fixture(scope="module", params=["en", "zh"])
def page(request, site):
    with browser.opened(site.client.url, language=request.param) as opened:
        yield request.param, opened


@pytest.mark.parametrize("node", NODES)
def test_a_help_page_fits_its_panel(page, node):
    language, opened = page
    shown = opened.help_of(node, PANEL)
    heading = (DOCS / f"{node}.md" if language == "en" else DOCS / node / "zh.md").read_text("utf-8").splitlines()[0]
    assert shown["text"].startswith(heading.removeprefix("# ")), "the page of this node, in this language"
    assert shown["wide"] <= PANEL, "nothing is scrolled sideways"
    assert shown["pictures"] >= 1 and shown["broken"] == 0
    assert (re.search("[\u4e00-\u9fff]", shown["text"]) is not None) == (language == "zh")
