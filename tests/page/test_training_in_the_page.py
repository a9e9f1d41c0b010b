"""A training as its user sees it in the page: from the first second to the end, with a Cancel and a resume between.

Pictures of the page at every moment are left in the test's own temporary folder.
"""

import re

import pytest
import serving

from dev import browser, workflows

WITHIN = 1800  # s
SAMPLE_EVERY, FRAMES = 8, 8
MANY, MORE = 100_000, 16  # steps that nobody waits for, and those after a Cancel
KEPT = re.compile(r"Kept after (\d+) steps: (\S+_steps\.safetensors) to use")


@pytest.fixture(params=browser.RENDERERS)
def page(request, site):
    with browser.opened(site.client.url, request.param, (1600, 1500)) as opened:
        yield opened


def training(name: str, steps: int, **inputs) -> dict:
    """The template with a name of its own, in the browser's form."""
    graph = workflows.graph("train_motion_lamp", small=True)
    for node in graph.nodes:
        if node.title == "Train":
            node.inputs.update({"steps": steps, "sample_every": SAMPLE_EVERY, "frames": FRAMES, "name": name, **inputs})
        if node.title == "Save adapter":
            node.inputs["filename_prefix"] = name
    return graph.browser_form()


def losses(folder) -> list[str]:
    rows = (folder / "losses.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [row.split(",")[1] for row in rows]


def test_a_training_is_seen_cancelled_and_gone_on_with(page, request, page_base, tmp_path):
    name = f"seen_{request.node.callspec.id.replace(' ', '_')}"
    kept = page_base / "output" / "motion_adapters"

    def look(moment: str) -> str:
        text = page.texts("Train")
        page.tab.screenshot(path=tmp_path / f"{moment}.png")
        return text

    page.load(training(name, MANY))
    assert page.start(WITHIN) == ""
    look("0_start")
    page.tab.wait_for_function("() => window.fsmPreviews.length > 20", timeout=WITHIN * 1000)
    look("1_first_steps")
    serving.wait_for(lambda: list(kept.glob(f"{name}/step_*.webp")))
    look("2_first_sample")
    page.tab.get_by_role("button", name="Cancel current run").first.click()
    assert page.end(WITHIN) == "interrupted"
    said = KEPT.search(look("3_cancelled"))
    assert said, "the page says what Cancel has kept"
    assert (kept / said[2]).is_file()
    before = losses(kept / name)
    assert len(before) == int(said[1])
    steps = len(before) + MORE
    page.load(training(name, steps, resume=True))
    assert page.start(WITHIN) == ""
    page.tab.wait_for_function("() => window.fsmPreviews.length > 20", timeout=WITHIN * 1000)
    look("4_resumed")
    assert page.end(WITHIN) == ""
    assert "loss 0." in look("5_end")
    after = losses(kept / name)
    assert len(after) == steps and after[: len(before)] == before, "gone on with, not begun anew"
    page.fit()
    page.tab.screenshot(path=tmp_path / "6_whole.png")
