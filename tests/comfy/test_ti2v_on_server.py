"""TI2V-Zero's shipped workflows on a real server with the miniature and its motion prior, through the API."""

import clips
import measure
import numpy as np
import pytest
import world
from PIL import Image

from dev import prompt as workflows
from dev.frames import of_saved_video

SIDE, WINDOW = 128, 8
SCENE, MOTION = world.Scene("red", "ball", "grass"), "moves right"
START = world.State(4.0, 8.0)
STATES = world.path(MOTION, START, 16)


def prepared(server, name: str, length: int, known: dict[str, int]) -> dict:
    """The workflow for the miniature; `known`: title of a Load Image node -> which exact frame it shows."""
    prompt = workflows.load(name)
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name="miniature.safetensors")
    workflows.set_inputs(prompt, "Motion's LoRA", lora_name="miniature_words.safetensors")
    workflows.set_inputs(prompt, "Motion adapter", adapter="miniature_motion.safetensors")
    workflows.set_inputs(prompt, "Prompt", text=SCENE.caption(MOTION))
    workflows.set_inputs(prompt, "Sampler", length=length, preset="fast", window=WINDOW, cfg=2.0, seed=3)
    for title, frame in known.items():
        Image.fromarray(world.draw(SCENE, STATES[frame])).save(server.base / "input" / f"exact_{frame}.png")
        workflows.set_inputs(prompt, title, image=f"exact_{frame}.png")
        scale = f"Scale {title[0].lower()}{title[1:]}" if len(known) > 1 else "Scale"
        workflows.set_inputs(prompt, scale, width=SIDE, height=SIDE)
    return prompt


def keeps_its_subject(clip: np.ndarray) -> bool:
    found = [measure.find_subject(frame) for frame in clip]
    return sum(
        there is not None and (there.colour, there.background) == ("red", "grass") for there in found
    ) >= 0.75 * len(clip)


@pytest.mark.parametrize("name, length", [("image_to_video_ti2v_zero", 8), ("long_video_ti2v_zero", 12)])
def test_a_picture_moves(server, name, length):
    clip = of_saved_video(server.client, prepared(server, name, length, {"First frame": 0}))
    assert clip.shape == (length, SIDE, SIDE, 3) and keeps_its_subject(clip)
    first = measure.find_subject(clip[0])
    assert np.hypot(first.x - START.x, first.y - START.y) < 0.5


def test_a_gap_is_filled(server):
    clip = of_saved_video(
        server.client, prepared(server, "infill_video_ti2v_zero", 8, {"First picture": 0, "Last picture": 7})
    )
    last = measure.find_subject(clip[-1])
    assert keeps_its_subject(clip) and np.hypot(last.x - STATES[7].x, last.y - STATES[7].y) < 0.5


def test_a_clip_goes_on(server):
    clips.write_training_set(server.base / "input" / "one clip", MOTION, count=1, frames=8)
    video = next((server.base / "input" / "one clip").glob("*.mp4"))
    video.rename(server.base / "input" / "exact.mp4")
    prompt = prepared(server, "predict_video_ti2v_zero", 11, {})
    workflows.set_inputs(prompt, "Clip", file="exact.mp4")
    workflows.set_inputs(prompt, "Known frames", batch_index=-7, length=7)
    workflows.set_inputs(prompt, "Scale", width=SIDE, height=SIDE)
    assert of_saved_video(server.client, prompt).shape == (11, SIDE, SIDE, 3)
