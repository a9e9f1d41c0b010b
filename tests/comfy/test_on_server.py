"""The pack on one running ComfyUI, through its API, as an artist's browser would use it."""

import asyncio
import io
import itertools
import pickle
import re
import time

import aiohttp
import numpy as np
import pytest
import torch
import world
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.motion_modules.sites import Site
from PIL import Image

from dev import prompt as workflows
from dev.client import PromptFailed, PromptInterrupted, PromptRefused
from dev.frames import fetched

CHECKPOINT = "miniature.safetensors"
MOTION, FRAMES = "moves right", 8
_again = itertools.count()


@pytest.fixture(scope="module")
def client(server):
    """The server's client, with clips and a first frame in its input folder."""
    import clips

    clips.write_training_set(server.base / "input" / "clips", MOTION, count=3, frames=FRAMES)
    clips.write_training_set(server.base / "input" / "two clips", MOTION, count=2, frames=FRAMES)
    picture = io.BytesIO()
    Image.fromarray(world.draw(world.Scene("red", "ball", "grass"), world.State(4.0, 8.0))).save(picture, "png")
    server.client.upload("ball.png", picture.getvalue())
    return server.client


@pytest.fixture(scope="module")
def adapters(server):
    return server.base / "output" / "motion_adapters"


@pytest.fixture(scope="module")
def adapter(client):
    """A motion adapter trained on this server for three steps."""
    client.run(training(name="shared", steps=3))
    return max(name for name in client.choices("FSM_LoadMotionAdapter", "adapter") if name.startswith("shared"))


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


def frames_of(client, prompt: dict) -> np.ndarray:
    saver = workflows.add_frame_saver(prompt, "Save video", "frames")
    files = client.run(prompt)[saver]["images"]
    return fetched(client, files)


def wait_for(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


# ------------------------------------------------------------------------------------------------ nothing leaks


def test_a_plain_image_is_the_same_before_and_after_everything(client, adapter, adapters):
    before = still(client)

    video = frames_of(client, animation(adapter, seed=1))
    assert video.shape == (FRAMES, 128, 128, 3)
    assert np.array_equal(still(client), before), "after a video"

    job = client.queue(training(name="cut", steps=100_000, save_every=2))
    wait_for(lambda: (adapters / "cut_2_steps.safetensors").exists())
    client.interrupt()
    with pytest.raises(PromptInterrupted):
        client.wait(job, timeout=60)
    assert "cut_2_steps.safetensors" in client.choices("FSM_LoadMotionAdapter", "adapter")
    assert np.array_equal(still(client), before), "after a cancelled training"

    job = client.queue(animation(adapter, steps=5000, seed=2))
    wait_for(lambda: client.get_json("queue")["queue_running"])
    time.sleep(3)
    client.interrupt()
    with pytest.raises(PromptInterrupted):
        client.wait(job, timeout=60)
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


def sentence(error: str) -> str:
    message = error.split(" failed: ")[-1]
    assert "\n" not in message and 20 < len(message) < 420, message
    return message


@pytest.mark.parametrize(
    "name, message",
    [
        ("other base.safetensors", r"This adapter was made for SDXL, the model is Miniature: its input_blocks"),
        ("truncated.safetensors", "truncated.safetensors cannot be read as safetensors"),
        ("picture.safetensors", "picture.safetensors cannot be read as safetensors"),
        ("code.bin", "code.bin was refused: it is damaged or no file of weights"),
    ],
)
def test_adapter_files_that_cannot_be_used(client, adapter, adapters, name, message):
    class Code:
        def __reduce__(self):
            return (print, ("run",))

    wide = MotionModule([Site("input_blocks.1.0.in_layers.2", 320, is_block=False)])
    save_adapter(
        MotionAdapter("lamp", dict(wide.state_dict()), metadata={"base": "SDXL"}), adapters / "other base.safetensors"
    )
    (adapters / "truncated.safetensors").write_bytes((adapters / adapter).read_bytes()[:5000])
    (adapters / "picture.safetensors").write_bytes(b"\x89PNG" * 1000)
    (adapters / "code.bin").write_bytes(pickle.dumps(Code()))
    with pytest.raises(PromptFailed, match="FSM_LoadMotionAdapter failed") as caught:
        client.run(animation(name))
    assert re.search(message, sentence(str(caught.value)))
    assert client.is_up()


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"frames": 12}, "Clip 1 has 8 frames, 12 are needed: use longer clips or fewer frames."),
        ({"folder": "mixed sizes"}, "The clips have different sizes (64x64, 128x128): set width and height"),
        (
            {"captions of": "two clips"},
            "There are 3 clips and 2 captions: give one caption per clip, or a single one for all.",
        ),
        ({"prefix": "taken/motion"}, "could not be written"),
    ],
)
def test_trainings_that_cannot_be_done(client, server, adapters, inputs, message):
    mixed = server.base / "input" / "mixed sizes"
    if not mixed.exists():
        mixed.mkdir()
        make_video(mixed / "a.mp4", 128)
        make_video(mixed / "b.mp4", 64)
    adapters.mkdir(exist_ok=True)
    (adapters / "taken").write_text("a file where a folder should be")
    there = sorted(adapters.rglob("*"))
    captions_of = inputs.get("captions of")
    prompt = training(name="bad", steps=2, **{key: value for key, value in inputs.items() if key != "captions of"})
    if captions_of:
        prompt["captions"] = {"class_type": "FSM_LoadClips", "inputs": {"folder": captions_of}}
        workflows.set_inputs(prompt, "Captions", text=["captions", 1])
    with pytest.raises(PromptFailed) as caught:
        client.run(prompt)
    assert message in str(caught.value)
    assert sorted(adapters.rglob("*")) == there, "nothing is written"
    assert client.is_up()


def make_video(file, side: int) -> None:
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("h264", rate=8)
        stream.width = stream.height = side
        for i in range(FRAMES):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((side, side, 3), 20 * i, np.uint8), format="rgb24"))
            )
        container.mux(stream.encode())


@pytest.mark.parametrize(
    "node, inputs, message",
    [
        (
            "EmptyLatentImage",
            {"width": 128, "height": 128, "batch_size": 2},
            "One first frame is wanted, the latent holds 2",
        ),
        (
            "EmptySD3LatentImage",
            {"width": 128, "height": 128, "batch_size": 1},
            "this model's latents are (1, 4, height, width)",
        ),
    ],
)
def test_latents_that_are_no_first_frame(client, adapter, node, inputs, message):
    prompt = animation(adapter)
    prompt["latent"] = {"class_type": node, "inputs": inputs}
    workflows.set_inputs(prompt, "Sampler", first_frame=["latent", 0])
    with pytest.raises(PromptFailed, match="FSM_FirstFrameKSampler failed") as caught:
        client.run(prompt)
    assert message in sentence(str(caught.value))


def test_length_zero_is_refused_before_anything_runs(client, adapter):
    with pytest.raises(PromptRefused, match="FSM_FirstFrameKSampler: Value 0 smaller than min of 1"):
        client.queue(animation(adapter, length=0))


def test_samplers_with_memory_cannot_be_matched_at_every_step(client, adapter):
    prompt = animation(adapter, sampler_name="dpmpp_2m", statistics="match at every step (LAMP)")
    with pytest.raises(PromptFailed) as caught:
        client.run(prompt)
    assert sentence(str(caught.value)).startswith(
        "Statistics after every step need a sampler without memory, dpmpp_2m has one: choose euler"
    )


# ------------------------------------------------------------------------------------------------ a good guest


def test_the_pack_loads_fast_and_says_nothing(server):
    log = server.log_text()
    times = {
        match[2]: float(match[1])
        for match in re.finditer(r"([\d.]+) seconds(?: \(IMPORT FAILED\))?: .*custom_nodes.(few-shot-motion\S*)", log)
    }
    assert times["few-shot-motion"] < 0.2
    startup = log.split("To see the GUI go to")[0]
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
