"""What users can get wrong, on a real server: one sentence, and the server goes on."""

import pickle
import re

import numpy as np
import pytest
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.motion_modules.sites import Site
from serving import FRAMES, animation, sentence, training

from dev import prompt as workflows
from dev.client import PromptFailed, PromptRefused


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
    written = {path for path in adapters.rglob("*") if path not in there}
    assert {path.relative_to(adapters).parts[0] for path in written} <= {"bad"}, "nothing but the run's own diary"
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


def test_latents_that_are_no_first_frame(client, adapter):
    prompt = animation(adapter)
    prompt["latent"] = {"class_type": "EmptySD3LatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}}
    workflows.set_inputs(prompt, "Sampler", first_frame=["latent", 0])
    with pytest.raises(PromptFailed, match="FSM_FirstFrameKSampler failed") as caught:
        client.run(prompt)
    assert "this model's have 4 channels" in sentence(str(caught.value))


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
