"""What users get wrong ends in a sentence on the page that says what to do."""

import pytest
import torch
from safetensors.torch import save_file

from dev import browser, workflows

WITHIN = 1800  # s


@pytest.fixture(scope="module")
def page(site):
    """The page, over an input folder with things that are not what they should be."""
    folder = site.base / "input"
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "texts").mkdir(exist_ok=True)
    (folder / "texts" / "text.mp4").write_text("this is no video", encoding="utf-8")
    two = folder / "two"
    two.mkdir(exist_ok=True)
    for clip in sorted((folder / "my_clips").glob("*.mp4"))[:2]:
        (two / clip.name).write_bytes(clip.read_bytes())  # without captions
    other = site.base / "models" / "motion_adapters"
    other.mkdir(parents=True, exist_ok=True)
    save_file({"nothing": torch.zeros(2)}, other / "no_adapter.safetensors")
    with browser.opened(site.client.url) as opened:
        yield opened


def changed(name: str, **values: dict) -> dict:
    """A template for the miniature with other values, `title=dict(widget=value)`; spaces in titles are underscores."""
    settings = workflows.settings_of(name)
    for title, given in values.items():
        title = title.replace("_", " ")
        settings = {**settings, title: {**settings.get(title, {}), **given}}
    return workflows.graph(name, settings=settings).browser_form()


MISTAKES = {
    "a file that is no adapter": (changed("animate_image_lamp", Motion_adapter={"adapter": "no_adapter.safetensors"}),
                                  "no_adapter.safetensors"),
    "an adapter that is none of the model's": (
        changed("animate_over_background", Motion_adapter={"adapter": "miniature_motion.safetensors"}),
        "There is no mask predictor in what is connected: train the adapter with masks"),
    "an empty folder": (changed("train_motion_lamp", Clips={"folder": "empty"}), "empty"),
    "no video": (changed("measure_clip", Videos={"folder": "texts"}), "text.mp4"),
    "fewer masks than clips": (changed("train_motion_masks", Masks={"folder": "two"}),
                               "There are 8 clips and 2 masks: give one batch of masks per clip"),
    "no motion": (changed("image_to_video_ti2v_zero", Motion_adapter={"strength": 0.0}),
                  "This model makes each frame for itself"),
    "a clip shorter than what is known of it": (changed("predict_video_ti2v_zero", Sampler={"length": 5}),
                                                "7 frames are given for a clip of 5: set length to more than that"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_a_sentence(page, mistake):
    form, sentence = MISTAKES[mistake]
    page.load(form, "mistake.json")
    raised = page.run(WITHIN)
    assert sentence in raised
    assert sentence in page.error(), "and can be read on the page"


def test_clips_without_captions_and_too_few_of_them_are_told_on_the_node(page):
    page.load(changed("train_motion_lamp", Clips={"folder": "two"}, Train={"steps": 2}), "captions.json")
    assert page.run(WITHIN) == ""
    told = page.texts("Train")
    assert "2 of 2 captions are empty" in told and "2 clips will be learnt by heart" in told


def test_a_sampler_without_motion_says_so_on_the_node(page):
    page.load(changed("animate_image_lamp", Motion_adapter={"strength": 0.0}), "still.json")
    assert page.run(WITHIN) == ""
    assert "There is no motion of this pack in the model" in page.texts("Sampler")
