"""Every template dropped on the page: nothing unknown, nothing overlaps, everything within its group."""

import pytest
from page_faults import faults

from dev import browser, workflows

FRONT_ENDS = {"shipped": "site", "newest": "newest_site"}


@pytest.fixture(scope="module", params=FRONT_ENDS)
def address(request):
    return request.getfixturevalue(FRONT_ENDS[request.param]).client.url


@pytest.fixture(scope="module", params=browser.RENDERERS)
def page(request, address):
    with browser.opened(address, request.param) as opened:
        yield opened


@pytest.mark.parametrize("name", workflows.names())
def test_everything_is_known_and_in_its_place(page, name):
    page.load(workflows.FOLDER / f"{workflows.template(name)}.json")
    assert faults(page) == []
