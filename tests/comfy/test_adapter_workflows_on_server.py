"""Workflows that take an adapter of their own kind, on a real server with the miniature, through its API."""

import io

import clips
import numpy as np
import pytest
import world
from PIL import Image

from dev import prompt as workflows

CHECKPOINT, FRAMES, STEPS, SIDE = "miniature.safetensors", 4, 3, 128
SCENE, MOTION = world.Scene("red", "ball", "grass"), "moves right"


@pytest.fixture(scope="module")
def client(server):
    clips.write_training_set(server.base / "input" / "one clip", MOTION, count=1, frames=FRAMES)
    return server.client


def trained(client, method: str) -> str:
    """The file of an adapter of this method after two steps."""
    name = f"two_steps_{method}".lower()
    prompt = workflows.load("train_motion_lamp")
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
    workflows.set_inputs(prompt, "Clips", folder="one clip")
    workflows.set_inputs(
        prompt, "Train", method=method, frames=FRAMES, steps=2, rank=4, width=0, height=0, gradient_checkpointing=False, learning_rate=1e-3
    )
    workflows.set_inputs(prompt, "Save adapter", filename_prefix=name)
    client.run(prompt)
    return max(file for file in client.choices("FSM_LoadMotionAdapter", "adapter") if file.startswith(f"{name}_0"))


def frames_of(client, prompt: dict) -> np.ndarray:
    saver = workflows.add_frame_saver(prompt, "Save video", "adapter_workflows")
    files = client.run(prompt)[saver]["images"]
    return np.stack([np.array(Image.open(io.BytesIO(client.download(file)))) for file in files]).astype(float)


def test_text_to_video_recurrent(client):
    """A clip from words alone; the adapter has a say in it."""
    adapter, drawn = trained(client, "Recurrent"), []
    for strength in (1.0, 0.0):
        prompt = workflows.load("text_to_video_recurrent")
        workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
        workflows.set_inputs(prompt, "Motion adapter", adapter=adapter, strength=strength)
        workflows.set_inputs(prompt, "Prompt", text=SCENE.caption(MOTION))
        workflows.set_inputs(prompt, "Length and size", width=SIDE, height=SIDE, batch_size=FRAMES)
        workflows.set_inputs(prompt, "Steps", steps=STEPS)
        drawn.append(frames_of(client, prompt))
    assert drawn[0].shape == drawn[1].shape == (FRAMES, SIDE, SIDE, 3) and len(np.unique(drawn[0])) > 50
    assert np.abs(drawn[0] - drawn[1]).mean() > 1


def test_long_video_lamp(client):
    """Longer than the training, by windows: frame 0 is the picture, and every window sees it."""
    picture, content = world.draw(SCENE, world.State(4.0, 8.0)), io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    prompt = workflows.load("long_video_lamp")
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
    workflows.set_inputs(prompt, "Motion adapter", adapter=trained(client, "LAMP"))
    workflows.set_inputs(prompt, "First frame", image=client.upload("long.png", content.getvalue()))
    workflows.set_inputs(prompt, "Scale", width=SIDE, height=SIDE)
    workflows.set_inputs(prompt, "Prompt", text=SCENE.caption(MOTION))
    workflows.set_inputs(prompt, "Windows", context_length=FRAMES, context_overlap=2)
    workflows.set_inputs(prompt, "Sampler", length=3 * FRAMES, steps=STEPS)
    frames = frames_of(client, prompt)
    assert frames.shape == (3 * FRAMES, SIDE, SIDE, 3) and len(np.unique(frames)) > 50
    assert np.abs(frames[0] - picture).mean() < 5 < np.abs(frames[1:] - picture).mean((1, 2, 3)).min()
