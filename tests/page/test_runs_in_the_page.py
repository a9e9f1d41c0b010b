"""Templates for the miniature, run by the page's own button: they end well, nothing grows out of its place, and what
nodes report can be read.
"""

import pytest
from page_faults import faults

from dev import browser, workflows

WITHIN = 1800  # s
SAID = {  # template -> node -> what is read on it
    "text_to_video_zero": {},
    "predict_video_ti2v_zero": {"Sampler": "calls of the model", "Motion adapter": "Motion prior of the miniature"},
    "train_motion_lamp": {"Train": "loss 0.", "Save adapter": "saved as motion_0"},
    "animate_image_lamp": {"Sampler": "Seed 0 is not used", "Motion adapter": "LAMP motion adapter"},
    "text_to_video_lamp": {},
    "text_to_video_recurrent": {"Motion adapter": "Recurrent"},
    "animate_over_background": {"Motion adapter": "masks: x0"},
    "measure_clip": {"CLIP": "alignment", "Flicker": "error", "First frame": "luminance_jump",
                     "CLIP report": "prompts: 8 different ones", "Flicker report": "Warping error",
                     "First-frame report": "First-frame jump"},
}  # fmt: skip


@pytest.fixture(scope="module", params=browser.RENDERERS)
def page(request, site):
    site.client.post_json("free", {"free_memory": True, "unload_models": True})  # what is cached says nothing again
    with browser.opened(site.client.url, request.param) as opened:
        yield opened


@pytest.mark.parametrize("name", SAID)
def test_a_template_runs_and_says_what_it_found(page, name):
    page.load(workflows.graph(name, small=True).browser_form(), f"{name}.json")
    assert page.run(WITHIN) == ""
    assert faults(page) == []
    for title, words in SAID[name].items():
        assert words in page.texts(title), title
    if name == "animate_image_lamp":
        assert page.previews() >= 4, "a preview that moves"
