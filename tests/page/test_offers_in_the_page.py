"""What the page offers beside the graph: missing models to fetch, blueprints in the node search, App mode."""

from itertools import pairwise

import pytest

from dev import blueprints, browser, workflows

TRAINED = "motion_00001_.safetensors"
WITH_APP = {"text_to_video_zero": "move_x", "image_to_video_ti2v_zero": "preset", "animate_image_lamp": "adapter"}


@pytest.fixture(scope="module")
def page(site):
    with browser.opened(site.client.url) as opened:
        yield opened


@pytest.mark.parametrize("name", workflows.names())
def test_every_missing_public_file_can_be_fetched(page, name):
    """Here none is on the disk but those of the miniature; of unknown origin is only what users train themselves."""
    graph = workflows.graph(name)
    page.load(graph.browser_form(), f"{name}.json")
    page.tab.get_by_text("View details").first.click()
    page.settle(500)
    shown = page.tab.evaluate("() => document.body.innerText")
    for model in (model for node in graph.nodes for model in node.models()):
        listed = shown[shown.index(model["name"]) :].split("\n\n")[0] if model["name"] in shown else ""
        assert model["directory"] in listed and "Download" in listed, model["name"]
    lines = [line.strip() for line in shown.splitlines() if line and not line.isdigit()]  # how many nodes want it
    unknown = [before for before, line in pairwise(lines) if line == "Unknown"]
    assert set(unknown) <= {TRAINED}


def test_blueprints_are_found_and_hold_their_nodes(page):
    for blueprint in (made() for made in blueprints.BLUEPRINTS):
        assert blueprint.title in page.search(blueprint.title.split(",")[0].split(" (")[0])


@pytest.mark.parametrize("name", WITH_APP)
def test_app_mode_shows_what_matters(page, name):
    page.load(workflows.graph(name, small=True).browser_form(), f"{name}.json")
    toggle = "() => app.extensionManager.command.execute('Comfy.ToggleLinear')"
    page.tab.evaluate(toggle)
    page.settle(1200)
    shown = page.tab.evaluate("() => document.body.innerText")
    page.tab.evaluate(toggle)
    page.settle(700)
    assert "text" in shown and WITH_APP[name] in shown
