"""The workflows with masks on one running ComfyUI: learn from a folder of masks, lay the moving subject over another
background.
"""

import io

import clips
import numpy as np
import pytest
import world
from few_shot_motion.motion_modules.released import load_adapter
from PIL import Image

from dev import prompt as workflows
from dev.client import PromptFailed
from dev.frames import fetched

CHECKPOINT, MOTION, FRAMES = "miniature.safetensors", "moves right", 6


def upload(client, name: str, picture: np.ndarray) -> None:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    client.upload(name, content.getvalue())


@pytest.fixture(scope="module")
def client(server):
    folder = server.base / "input"
    clips.write_training_set(folder / "masked clips", MOTION, count=2, frames=FRAMES, masks=folder / "masks of clips")
    clips.write_training_set(folder / "one clip", MOTION, count=1, frames=FRAMES, masks=folder / "one mask")
    upload(server.client, "box.png", world.draw(world.Scene("red", "box", "grass"), world.State(4.0, 8.0)))
    upload(server.client, "beach.png", world.draw(world.Scene("red", "box", "sand"), world.State(-9.0, -9.0)))
    return server.client


def training(masks: str = "masks of clips", **inputs) -> dict:
    prompt = workflows.load("train_motion_masks")
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
    workflows.set_inputs(prompt, "Clips", folder="masked clips")
    workflows.set_inputs(prompt, "Masks", folder=masks)
    settings = {
        "frames": FRAMES,
        "steps": 2,
        "width": 0,
        "height": 0,
        "rank": 4,
        "gradient_checkpointing": False,
        "split": True,
    }
    workflows.set_inputs(prompt, "Train", **settings, **inputs)
    workflows.set_inputs(prompt, "Save adapter", filename_prefix="masked")
    return prompt


def frames_of(client, files: list[dict]) -> np.ndarray:
    return fetched(client, files)


def test_a_subject_moves_over_another_background(client, server):
    client.run(training())
    name = max(name for name in client.choices("FSM_LoadMotionAdapter", "adapter") if name.startswith("masked"))
    adapter = load_adapter(server.base / "output" / "motion_adapters" / name, None)
    assert adapter.split and adapter.metadata["mask_input"] == "x0" and adapter.mask_tensors

    prompt = workflows.load("animate_over_background")
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
    workflows.set_inputs(prompt, "Motion adapter", adapter=name)
    for title, image in (("First frame", "box.png"), ("Background", "beach.png")):
        workflows.set_inputs(prompt, title, image=image)
    for title in ("Scale", "Scale background"):
        workflows.set_inputs(prompt, title, width=128, height=128)
    workflows.set_inputs(prompt, "As many frames", amount=FRAMES)
    workflows.set_inputs(prompt, "Sampler", length=FRAMES, steps=1)
    saver = workflows.add_frame_saver(prompt, "Save video", "laid")
    for key, source in (("clip", "Decode"), ("still", "As many frames")):
        prompt[key] = {
            "class_type": "SaveImage",
            "inputs": {"images": [workflows.titled(prompt, source), 0], "filename_prefix": key},
        }
    workflows.set_inputs(prompt, "Subject or not", value=0.4999)  # after two steps nearly all is as likely as not
    outputs = client.run(prompt)
    laid, clip, still = (frames_of(client, outputs[key]["images"]) for key in (saver, "clip", "still"))
    assert laid.shape == (FRAMES, 128, 128, 3)
    assert ((laid == clip) | (laid == still)).all(axis=-1).all()  # every pixel is the clip's or the background's


def test_too_few_masks_are_refused_in_a_sentence(client):
    with pytest.raises(PromptFailed, match="There are 2 clips and 1 masks: give one batch of masks per clip"):
        client.run(training(masks="one mask"))


def test_the_background_removal_workflow_wants_nothing_but_its_files(client):
    known = client.object_info()
    prompt = workflows.load("masks_from_background_removal")
    assert {node["class_type"] for node in prompt.values()} <= known.keys()
