"""The editing workflows on a real server with the miniature, through its API.

The miniature has no ControlNet: in its place an edited picture is loaded, the same scene in another colour.
"""

import dataclasses
import io

import clips
import numpy as np
import world
from PIL import Image

from dev import prompt as workflows
from dev.frames import fetched

CHECKPOINT, FRAMES, STEPS = "miniature.safetensors", 4, 3
SCENE = world.Scene("red", "ball", "grass")
STATES = world.path("moves right", world.State(4.0, 8.0), FRAMES)
PAINTER = ("First frame", "Edges", "ControlNet", "Follow the edges", "Size", "First frame sampler")


def edited_first_frame(client, prompt: dict) -> np.ndarray:
    """Put a loaded picture in the place of the nodes that paint one; returns it."""
    picture = world.draw(dataclasses.replace(SCENE, colour="blue"), STATES[0])
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    prompt["picture"] = {
        "class_type": "LoadImage",
        "inputs": {"image": client.upload("edited.png", content.getvalue())},
    }
    vae = prompt[workflows.titled(prompt, "Encode")]["inputs"]["vae"]
    prompt["encoded"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["picture", 0], "vae": vae}}
    workflows.set_inputs(prompt, "Sampler", first_frame=["encoded", 0])
    for title in PAINTER:
        prompt.pop(workflows.titled(prompt, title))
    return picture


def editing(server, name: str, wanted: str, steps: int, **sampling) -> dict:
    """An editing workflow of this file's clip, in small; the Train node at two steps."""
    clips.write_clip(server.base / "input" / "edited.mp4", world.draw_clip(SCENE, STATES))
    prompt, size = workflows.load(name), {"width": 128, "height": 128}
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
    workflows.set_inputs(prompt, "Video", file="edited.mp4")
    workflows.set_inputs(prompt, "Scale", **size)
    workflows.set_inputs(prompt, "Frames", length=FRAMES)
    workflows.set_inputs(prompt, "Caption", text=SCENE.caption("moves right"))
    workflows.set_inputs(prompt, "Prompt", text=wanted)
    workflows.set_inputs(prompt, "Train", frames=FRAMES, steps=2, rank=4, gradient_checkpointing=False, **size)
    workflows.set_inputs(prompt, "Inversion", steps=steps)
    workflows.set_inputs(prompt, "Sampler", steps=steps, **sampling)
    return prompt


def frames_of(client, prompt: dict) -> np.ndarray:
    saver = workflows.add_frame_saver(prompt, "Save video", "edited")
    files = client.run(prompt)[saver]["images"]
    return fetched(client, files).astype(float)


def test_edit_video_lamp(server):
    prompt = editing(server, "edit_video_lamp", "a blue ball on grass moves right", STEPS, length=FRAMES)
    picture = edited_first_frame(server.client, prompt)
    frames = frames_of(server.client, prompt)
    assert frames.shape == (FRAMES, 128, 128, 3)
    assert np.abs(frames[0] - picture).mean() < 5 < np.abs(frames[1:] - picture).mean((1, 2, 3)).min(), (
        "frame 0 is the edited picture"
    )


def test_edit_video_tune_a_video(server):
    """Sampled with the prompt of its inversion, an empty one, the clip comes back as far as so few steps can; with
    another it does not.
    """
    clip = world.draw_clip(SCENE, STATES).astype(float)
    back, other = (
        frames_of(server.client, editing(server, "edit_video_tune_a_video", wanted, 10, cfg=cfg))
        for wanted, cfg in (("", 1.0), ("a blue ball on grass moves right", 3.0))
    )
    assert back.shape == other.shape == clip.shape
    off, off_other = (np.square(frames - clip).mean() for frames in (back, other))
    assert 10 * np.log10(255**2 / off) > 20 and off_other > 2 * off
