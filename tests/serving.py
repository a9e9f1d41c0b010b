"""Prompts to a real server with the miniature, and what comes back."""

import time

import numpy as np

from dev import prompt as workflows
from dev.frames import fetched

CHECKPOINT = "miniature.safetensors"
MOTION, FRAMES = "moves right", 8


def training(name: str, folder: str = "clips", prefix: str | None = None, **inputs) -> dict:
    prompt = workflows.load("train_motion_lamp")
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
    workflows.set_inputs(prompt, "Clips", folder=folder)
    defaults = {"frames": FRAMES, "width": 0, "height": 0, "gradient_checkpointing": False, "rank": 4, "name": name}
    workflows.set_inputs(prompt, "Train", **{**defaults, **inputs})
    workflows.set_inputs(prompt, "Save adapter", filename_prefix=prefix or name)
    return prompt


def animation(adapter: str, **inputs) -> dict:
    prompt = workflows.load("animate_image_lamp")
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name=CHECKPOINT)
    workflows.set_inputs(prompt, "Motion adapter", adapter=adapter)
    workflows.set_inputs(prompt, "First frame", image="ball.png")
    workflows.set_inputs(prompt, "Scale", width=128, height=128)
    workflows.set_inputs(prompt, "Prompt", text="a red ball on grass")
    workflows.set_inputs(prompt, "Sampler", **{"length": FRAMES, "steps": 2, **inputs})
    return prompt


def frames_of(client, prompt: dict) -> np.ndarray:
    saver = workflows.add_frame_saver(prompt, "Save video", "frames")
    files = client.run(prompt)[saver]["images"]
    return fetched(client, files)


def wait_for(condition, seconds: float = 1800) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def sentence(error: str) -> str:
    message = error.split(" failed: ")[-1]
    assert "\n" not in message and 20 < len(message) < 420, message
    return message
