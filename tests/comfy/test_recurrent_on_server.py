"""Text to video by recurrent attention on a real server with the miniature, through its API."""

import clips
import numpy as np
import pytest
import world

from dev import prompt as workflows
from dev.frames import of_saved_video

CHECKPOINT, FRAMES, STEPS, SIDE = "miniature.safetensors", 4, 3, 128
SCENE, MOTION = world.Scene("red", "ball", "grass"), "moves right"


@pytest.fixture(scope="module")
def client(server):
    clips.write_training_set(server.base / "input" / "one clip", MOTION, count=1, frames=FRAMES)
    return server.client


def trained(client) -> str:
    """The file of a recurrent adapter after two steps."""
    prompt = workflows.load("train_motion_lamp")
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
    workflows.set_inputs(prompt, "Clips", folder="one clip")
    small = {"frames": FRAMES, "steps": 2, "rank": 4, "width": 0, "height": 0, "gradient_checkpointing": False}
    workflows.set_inputs(prompt, "Train", method="Recurrent", learning_rate=1e-3, **small)
    workflows.set_inputs(prompt, "Save adapter", filename_prefix="two_steps")
    client.run(prompt)
    return max(file for file in client.choices("FSM_LoadMotionAdapter", "adapter") if file.startswith("two_steps_0"))


def test_text_to_video_recurrent(client):
    """A clip from words alone; the adapter has a say in it."""
    adapter, drawn = trained(client), []
    for strength in (1.0, 0.0):
        prompt = workflows.load("text_to_video_recurrent")
        workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
        workflows.set_inputs(prompt, "Motion adapter", adapter=adapter, strength=strength)
        workflows.set_inputs(prompt, "Prompt", text=SCENE.caption(MOTION))
        workflows.set_inputs(prompt, "Length and size", width=SIDE, height=SIDE, batch_size=FRAMES)
        workflows.set_inputs(prompt, "Steps", steps=STEPS)
        drawn.append(of_saved_video(client, prompt).astype(float))
    assert drawn[0].shape == drawn[1].shape == (FRAMES, SIDE, SIDE, 3) and len(np.unique(drawn[0])) > 50
    assert np.abs(drawn[0] - drawn[1]).mean() > 1
