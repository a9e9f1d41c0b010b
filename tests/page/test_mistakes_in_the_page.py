"""What users get wrong ends in a sentence on the page that says what to do."""

from collections.abc import Callable

import pytest
import torch
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformers, animatediff_sites
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.motion_modules.sites import Site
from safetensors import safe_open
from safetensors.torch import save_file

from dev import base, browser, workflows

WITHIN = 1800  # s
RECURRENT, PRIOR, LAMP = (f"miniature_{name}.safetensors" for name in ("recurrent", "motion", "moves_right"))


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
    wide = MotionModule([Site("input_blocks.1.0.in_layers.2", 320, is_block=False)])
    save_adapter(MotionAdapter("lamp", dict(wide.state_dict()), metadata={"base": "SDXL"}), other / "sdxl.safetensors")
    save_adapter(_module_of_16_frames(), other / "module.safetensors")
    with browser.opened(site.client.url) as opened:
        yield opened


def _module_of_16_frames() -> MotionAdapter:
    """What an AnimateDiff module is to the miniature: it tells 16 frames apart."""
    prefix = "model.diffusion_model."
    with safe_open(base.WEIGHTS, "pt") as file:
        shapes = {name.removeprefix(prefix): torch.Size(file.get_slice(name).get_shape())
                  for name in file.keys() if name.startswith(prefix)}  # fmt: skip
    module = TemporalTransformers(animatediff_sites(shapes), 16)
    return MotionAdapter("animatediff", dict(module.state_dict()), metadata={"base": "Miniature"})


def changed(name: str, **values: dict) -> dict:
    """A template for the miniature with other values, `title=dict(widget=value)`; spaces in titles are underscores."""
    settings = workflows.settings_of(name)
    for title, given in values.items():
        title = title.replace("_", " ")
        settings = {**settings, title: {**settings.get(title, {}), **given}}
    return workflows.graph(name, settings=settings).browser_form()


def with_another_vae(name: str) -> dict:
    """The template with a VAE of three channels in place of the checkpoint's: core's pixel space."""
    form = changed(name)
    number = form["last_node_id"] = form["last_node_id"] + 1
    outputs = [{"name": "VAE", "type": "VAE", "links": [link[0] for link in form["links"] if link[5] == "VAE"]}]
    form["nodes"].append({"id": number, "type": "VAELoader", "pos": [0, -200], "size": [300, 60], "order": 0, "mode": 0,
                          "inputs": [], "outputs": outputs, "widgets_values": ["pixel_space"]})  # fmt: skip
    form["links"] = [[link[0], number, 0, *link[3:]] if link[5] == "VAE" else link for link in form["links"]]
    for node in form["nodes"]:
        if node["type"] == "CheckpointLoaderSimple":
            node["outputs"][2]["links"] = None
    return form


MISTAKES: dict[str, tuple[Callable[[], dict], str]] = {
    "a file that is no adapter": (
        lambda: changed("animate_image_lamp", Motion_adapter={"adapter": "no_adapter.safetensors"}),
        "no_adapter.safetensors is no motion adapter this pack knows"),
    "an adapter nobody has trained yet": (
        lambda: changed("animate_image_lamp", Motion_adapter={"adapter": "rain_00001_.safetensors"}),
        "put the file there and refresh, or choose another"),
    "another family": (
        lambda: changed("animate_image_lamp", Motion_adapter={"adapter": "sdxl.safetensors"}),
        "Load the checkpoint family it was trained on, or train an adapter for this one"),
    "an adapter that is none of the model's": (
        lambda: changed("animate_over_background", Motion_adapter={"adapter": PRIOR}),
        "There is no mask predictor in what is connected: train the adapter with masks"),
    "an empty folder": (
        lambda: changed("train_motion_lamp", Clips={"folder": "empty"}), "holds no videos: put clips there"),
    "no video": (lambda: changed("measure_clip", Videos={"folder": "texts"}), "text.mp4"),
    "clips of other sizes": (
        lambda: changed("infill_video_ti2v_zero", Scale_last_picture={"width": 64, "height": 64}),
        "scale them to one size"),
    "too long for the module": (
        lambda: changed("text_to_video_recurrent", Motion_adapter={"adapter": "module.safetensors"},
                        Length_and_size={"batch_size": 17}),
        "put Context Windows (Manual) behind the motion"),
    "fewer masks than clips": (lambda: changed("train_motion_masks", Masks={"folder": "two"}),
                               "There are 8 clips and 2 masks: give one batch of masks per clip"),
    "no motion": (lambda: changed("image_to_video_ti2v_zero", Motion_adapter={"strength": 0.0}),
                  "Give it motion with Load Motion Adapter"),
    "another VAE": (lambda: with_another_vae("image_to_video_ti2v_zero"), "connect the VAE of this model"),
    "a first frame of another VAE": (
        lambda: with_another_vae("animate_image_lamp"), "with the VAE of this model"),
    "a clip shorter than what is known of it": (
        lambda: changed("predict_video_ti2v_zero", Sampler={"length": 5}),
        "7 frames are given for a clip of 5: set length to more than that"),
    "a motion mask with nothing painted": (
        lambda: changed("animate_part_lamp", First_frame={"image": "example.png"}),
        "The motion mask is black, so nothing would move: paint white what is to, or leave it out."),
    "a second pass over nothing": (
        lambda: changed("animate_image_lamp", Sampler={"denoise": 0.5}),
        "denoise is 0.5 and there is no clip to refine: connect one at clip, or set denoise to 1."),
    "a first frame of another size than the clip": (
        lambda: changed("animate_then_refine_lamp", Sampler={"steps": 2, "length": 4},
                        Scale_first_frame={"width": 128, "height": 128}),
        "has latents of 24x24, the first frame of 16x16: scale both to one size."),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_a_sentence(page, mistake):
    form, sentence = MISTAKES[mistake]
    page.load(form(), "mistake.json")
    raised = page.run(WITHIN)
    assert sentence in raised
    assert sentence in page.error(sentence), "and can be read on the page"


def test_a_list_without_an_adapter_says_what_to_do(page, site):
    """What a new node's widget shows where everybody begins, and what a run with it says."""
    package = site.base / "custom_nodes" / "few-shot-motion-miniature" / "models"
    hidden = {file: package / f"{file.name}.away" for file in (package / "motion_adapters").glob("*.safetensors")}
    hidden |= {file: file.with_suffix(".away") for file in (site.base / "models").glob("motion_adapters/*.safetensors")}
    hidden |= {file: file.with_suffix(".away") for file in (site.base / "output").glob("motion_adapters/*.safetensors")}
    for file, away in hidden.items():
        file.rename(away)
    try:
        page.tab.evaluate("() => app.refreshComboInNodes()")
        page.settle(700)
        page.load(changed("animate_image_lamp"), "first.json")
        value = page.tab.evaluate("() => LiteGraph.createNode('FSM_LoadMotionAdapter').widgets[0].value")
        page.load(changed("animate_image_lamp", Motion_adapter={"adapter": value}), "first.json")
        sentence = "put one into models/motion_adapters, then press R"
        assert sentence in page.run(WITHIN)
        assert sentence in page.error(sentence)
    finally:
        for file, away in hidden.items():
            away.rename(file)
        page.tab.evaluate("() => app.refreshComboInNodes()")


TOLD = {  # what works, but hardly as it is meant: template -> the node that says it, the sentences
    "clips without captions, and too few": (
        lambda: changed("train_motion_lamp", Clips={"folder": "two"}, Train={"steps": 2}), "Train",
        ["2 of 2 captions are empty", "2 clips will be learnt by heart"]),
    "no motion in the model": (
        lambda: changed("animate_image_lamp", Motion_adapter={"strength": 0.0}, Sampler={"steps": 2, "length": 4}),
        "Sampler", ["There is no motion of this pack in the model"]),
    "an adapter that wants no first frame": (
        lambda: changed("animate_image_lamp", Motion_adapter={"adapter": RECURRENT},
                        Sampler={"steps": 2, "length": 4}),
        "Sampler", ["learnt without a first frame"]),
    "an adapter that wants a first frame, where there is none": (
        lambda: changed("text_to_video_recurrent", Motion_adapter={"adapter": LAMP}, Steps={"steps": 2},
                        Length_and_size={"batch_size": 4}),
        "Sampler", ["learnt to go on from a clean first frame"]),
    "the same in repeat-and-slide": (
        lambda: changed("image_to_video_ti2v_zero", Motion_adapter={"adapter": LAMP}, Sampler={"length": 5}),
        "Sampler", ["learnt to go on from a clean first frame"]),
    "a length beside a clip to refine": (
        lambda: changed("animate_then_refine_lamp", Sampler={"steps": 2, "length": 4}, Refine={"steps": 2}),
        "Refine", ["Length 16 is not used: the clip to refine has 4 frames."]),
}  # fmt: skip


@pytest.mark.parametrize("odd", TOLD)
def test_what_will_not_come_out_as_meant_is_told_on_the_node_and_in_the_log(page, site, odd):
    form, node, sentences = TOLD[odd]
    said_before = site.log_text()
    page.load(form(), "odd.json")
    assert page.run(WITHIN) == ""
    told, logged = page.texts(node), site.log_text().removeprefix(said_before)
    for sentence in sentences:
        assert sentence in told and sentence in logged
