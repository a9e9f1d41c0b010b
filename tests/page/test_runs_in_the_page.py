"""Templates for the miniature, run by the page's own button: they end well, nothing grows out of its place, and what
nodes report can be read.
"""

import modelscope_files
import pytest
from page_faults import faults
from safetensors.torch import save_file

from dev import browser, workflows

WITHIN = 1800  # s
SAID = {  # template -> node -> what is read on it
    "text_to_video_zero": {},
    "predict_video_ti2v_zero": {"Sampler": "calls of the model", "Motion adapter": "Motion prior of the miniature"},
    "train_motion_lamp": {"Train": "loss 0.", "Save adapter": "saved as motion_0"},
    "animate_image_lamp": {"Sampler": "Seed 0 is not used", "Motion adapter": "LAMP motion adapter"},
    "text_to_video_lamp": {},
    "text_to_video_recurrent": {"Motion adapter": "Recurrent"},
    "animate_part_lamp": {"Sampler": "Seed 0 is not used", "Motion adapter": "LAMP motion adapter"},
    "text_to_video_zero_as_released": {},
    "animate_over_background": {"Motion adapter": "masks: x0"},
    "measure_clip": {"CLIP": "alignment", "Flicker": "error", "First frame": "luminance_jump",
                     "CLIP report": "prompts: 8 different ones", "Flicker report": "Warping error",
                     "First-frame report": "First-frame jump"},
}  # fmt: skip

TABLES = {  # the same, where numbers are the whole purpose; by one renderer, for they take a minute
    "measure_fvd": {"Distance": "fvd", "Report": "network: I3D"},
    "compare_adapters": {"Numbers' report": "alignment", "Flicker's report": "Warping error",
                         "Jump's report": "First-frame jump", "Other numbers' report": "alignment",
                         "Other flicker's report": "Warping error", "Other jump's report": "First-frame jump"},
}  # fmt: skip


@pytest.fixture(scope="module", params=browser.RENDERERS)
def page(request, site):
    site.client.post_json("free", {"free_memory": True, "unload_models": True})  # what is cached says nothing again
    with browser.opened(site.client.url, request.param) as opened:
        yield opened


@pytest.mark.parametrize("name", SAID)
def test_a_template_runs_and_says_what_it_found(page, name):
    check(page, name, SAID[name])
    if name == "animate_image_lamp":
        assert page.previews() >= 4, "a preview that moves"


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_numbers_can_be_read(page, name):
    check(page, name, TABLES[name])


def check(page, name: str, said: dict[str, str]) -> None:
    """Run the template for the miniature; nothing is out of its place, and what each node says is in the page."""
    page.load(workflows.graph(name, small=True).browser_form(), f"{name}.json")
    assert page.run(WITHIN) == ""
    assert faults(page) == []
    for title, words in said.items():
        assert words in page.texts(title), title


def test_a_modelscope_unet_says_what_it_is(site, page):
    """A small random one: the node in no template, for the page fetches nothing so large."""
    folder = site.base / "models" / "diffusion_models"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(modelscope_files.original_file(), folder / "small_modelscope.safetensors")
    page.tab.evaluate(_MODELSCOPE)
    assert page.run(WITHIN) == ""
    assert "million parameters" in page.texts("Load ModelScope T2V")


_MODELSCOPE = """() => {
    app.graph.clear();
    const made = ['FSM_LoadModelScope', 'PreviewAny'].map(kind => LiteGraph.createNode(kind));
    made.forEach((node, i) => { node.pos = [i * 500, 100]; app.graph.add(node); });
    made[0].widgets.find(widget => widget.name === 'unet').value = 'small_modelscope.safetensors';
    made[0].connect(0, made[1], 0);
}"""
