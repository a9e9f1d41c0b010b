"""The pack on one running ComfyUI, through its API, as an artist's browser would use it."""

import asyncio
import itertools

import aiohttp
import numpy as np
import pytest
import torch
from serving import CHECKPOINT, FRAMES, animation, frames_of, training, wait_for

from dev import prompt as workflows
from dev.client import PromptFailed, PromptInterrupted
from dev.frames import fetched

_again = itertools.count()


def still(client) -> np.ndarray:
    """A plain image of the checkpoint, sampled anew on the very model object that earlier prompts used."""
    prompt = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a blue ring on sand"}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": ""}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 2}},
        "5": {"class_type": "KSampler", "inputs": {
            "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0], "seed": 4,
                                                   "steps": 4, "cfg": 3.0,
            "sampler_name": "euler", "scheduler": "normal", "denoise": 1 - 1e-6 * next(_again)}},
               # all the same to core, but not to its cache
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "still"}},
    }  # fmt: skip
    files = client.run(prompt)["7"]["images"]
    return fetched(client, files)


# ------------------------------------------------------------------------------------------------ nothing leaks


def test_a_plain_image_is_the_same_before_and_after_everything(server, client, adapter, adapters):
    before = still(client)

    video = frames_of(client, animation(adapter, seed=1))
    assert video.shape == (FRAMES, 128, 128, 3)
    assert np.array_equal(still(client), before), "after a video"

    job = client.queue(training(name="cut", steps=100_000, save_every=2))
    wait_for(lambda: (adapters / "cut_2_steps.safetensors").exists())
    client.interrupt()
    with pytest.raises(PromptInterrupted):
        client.wait(job)
    assert "cut_2_steps.safetensors" in client.choices("FSM_LoadMotionAdapter", "adapter")
    assert np.array_equal(still(client), before), "after a cancelled training"

    job = client.queue(animation(adapter, steps=5000, seed=2))
    wait_for(lambda: "/5000 [" in server.log_text())  # the sampler's own progress bar
    client.interrupt()
    with pytest.raises(PromptInterrupted):
        client.wait(job)
    assert np.array_equal(still(client), before), "after a cancelled sampling"

    with pytest.raises(PromptFailed, match="FSM_FirstFrameKSampler failed"):
        client.run(failing_in_the_middle(adapter))
    assert np.array_equal(still(client), before), "after an exception"

    assert np.array_equal(frames_of(client, animation(adapter, seed=1, cfg=9.0 + 1e-9)), video), (
        "and the video too is the same"
    )


def failing_in_the_middle(adapter: str) -> dict:
    """A second prompt from half-way on, for an area outside the picture: core fails on it in the middle of sampling."""
    prompt = animation(adapter, steps=6, seed=3)
    good = workflows.titled(prompt, "Prompt")
    prompt["late"] = {
        "class_type": "ConditioningSetTimestepRange",
        "inputs": {"conditioning": [good, 0], "start": 0.5, "end": 1.0},
    }
    prompt["area"] = {"class_type": "ConditioningSetArea",
                      "inputs": {"conditioning": ["late", 0], "width": 64, "height": 64, "x": 512, "y": 512,
                                 "strength": 1.0}}  # fmt: skip
    prompt["both"] = {
        "class_type": "ConditioningCombine",
        "inputs": {"conditioning_1": [good, 0], "conditioning_2": ["area", 0]},
    }
    workflows.set_inputs(prompt, "Sampler", positive=["both", 0])
    return prompt


def test_training_again_with_the_same_seed_gives_the_same_file(client, adapter, adapters):
    client.run(training(name="shared again", steps=3))
    again = max(adapters.glob("shared again_?????_.safetensors"))
    assert torch.equal(
        *(
            torch.frombuffer(bytearray(file.read_bytes()[-10_000:]), dtype=torch.uint8)
            for file in (again, adapters / adapter)
        )
    )


def test_training_shows_its_progress_and_a_loss_curve(client):
    """What a browser gets over its websocket: steps counted, and pictures (binary messages of type 1 or 4)."""

    async def listen() -> tuple[list, list]:
        steps, pictures = [], []
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{client.url.replace('http', 'ws')}/ws?clientId=looker") as socket,
        ):
            client.post_json("prompt", {"prompt": training(name="watched", steps=30), "client_id": "looker"})
            async for message in socket:
                if message.type == aiohttp.WSMsgType.BINARY:
                    pictures.append(message.data)
                    continue
                event = message.json()
                if event["type"] == "progress" and event["data"]["max"] == 30:
                    steps.append(event["data"]["value"])
                if event["type"] == "executing" and event["data"]["node"] is None:
                    return steps, pictures
        raise AssertionError("the server hung up")

    steps, pictures = asyncio.run(listen())
    assert steps == sorted(steps) and steps[-1] == 30
    assert any(int.from_bytes(data[:4], "big") in (1, 4) and b"\xff\xd8\xff" in data[:400] for data in pictures)


# ------------------------------------------------------------------------------------------------ the shipped workflows


@pytest.mark.parametrize("name", ["text_to_video_lamp", "sdxl_first_frame_lamp"])
def test_workflow_makes_a_video(client, adapter, name):
    prompt = workflows.load(name)
    for node in prompt.values():
        inputs = node["inputs"]
        small = {"ckpt_name": CHECKPOINT, "width": 128, "height": 128, "steps": 2, "length": FRAMES, "adapter": adapter}
        inputs.update({key: value for key, value in small.items() if key in inputs})
    frames = frames_of(client, prompt)
    assert frames.shape == (FRAMES, 128, 128, 3) and len(np.unique(frames)) > 50


# --------------------------------------------------------------------------------------------- what users can get wrong


# ------------------------------------------------------------------------------------------------ a good guest


def test_the_pack_says_nothing_at_the_start(server):
    startup = server.log_text().split("To see the GUI go to")[0]
    ours = [
        line
        for line in startup.splitlines()
        if "few" in line.lower() and "motion" in line.lower() and "seconds" not in line
    ]
    assert [line for line in ours if str(server.base) not in line] == []


def test_every_node_has_its_help_page_and_tooltips(client):
    ours = {name: node for name, node in client.object_info().items() if name.startswith("FSM_")}
    assert len(ours) >= 8
    for name, node in ours.items():
        assert client.get(f"extensions/few-shot-motion/docs/{name}.md").startswith(b"#")
        for group in ("required", "optional"):
            for key, (_, *options) in node["input"].get(group, {}).items():
                assert options and options[0].get("tooltip"), f"{name}.{key}"
        assert all(node["output_tooltips"]), name
