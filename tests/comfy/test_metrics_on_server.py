"""The measuring workflows on a running ComfyUI: lists go in whole, numbers and pictures come out; and `python3 dev
compare`.
"""

import csv
import json

import clips
import pytest
import torch
from few_shot_motion.metrics.i3d import I3D
from safetensors import safe_open
from safetensors.torch import save_file

from dev import compare, second_opinion
from dev import prompt as workflows

CLIP = "miniature_clip.safetensors"
FRAMES = 9


@pytest.fixture(scope="module")
def client(server):
    """The server's client, with two sets of clips in its input folder and an I3D of random weights."""
    for name, motion in (("my_clips", "moves right"), ("real_clips", "falls")):
        clips.write_training_set(server.base / "input" / name, motion, count=2, frames=FRAMES)
    torch.manual_seed(0)
    (server.base / "models" / "i3d").mkdir(exist_ok=True)
    weights = {name: value for name, value in I3D().state_dict().items() if "num_batches" not in name}
    save_file(weights, server.base / "models" / "i3d" / "random.safetensors")
    return server.client


def run(client, graph: dict) -> dict:
    """Outputs by title."""
    outputs = client.run(graph)
    return {node["_meta"]["title"]: outputs.get(key) for key, node in graph.items()}


def test_measure_clip(client, server):
    graph = workflows.load("measure_clip")
    workflows.set_inputs(graph, "CLIP", clip_file=CLIP)
    graph.pop(workflows.titled(graph, "Optical flow"))  # as its note says: then a flow is computed that needs no model
    graph[workflows.titled(graph, "Flicker")]["inputs"].pop("optical_flow")
    found = run(client, graph)
    for title in ("CLIP", "Flicker", "First frame"):
        assert f"videos: 2 of {FRAMES} frames, 128x128" in found[title]["text"][0], title
    assert found["CLIP"]["numbers"][0]["alignment"] > 60, "these clips show their captions"
    assert "prompts: 2 different ones" in found["CLIP"]["text"][0]
    assert all(
        len(found[title]["images"]) == 1 for title in ("CLIP curves", "Flow", "Flicker curves", "First-frame curves")
    )
    tables = server.base / "output" / "metrics"
    assert {file.name for file in tables.iterdir()} >= {
        f"{name}.{kind}" for name in ("clip", "flicker", "first_frame") for kind in ("csv", "json")
    }


def test_measure_fvd_and_its_kept_reference(client, server):
    graph = workflows.load("measure_fvd")
    workflows.set_inputs(
        graph, "Distance", i3d="random.safetensors", frames=FRAMES, resamples=3, keep_reference_as="two"
    )
    found = run(client, graph)
    first = found["Distance"]["numbers"][0]["fvd"]
    assert first > 0 and len(found["Both sets"]["images"]) == 1
    assert client.choices("FSM_FrechetVideoDistance", "kept_reference") == ["none", "two"]

    workflows.set_inputs(graph, "Distance", kept_reference="two", keep_reference_as="")
    graph.pop(workflows.titled(graph, "Real"))
    graph[workflows.titled(graph, "Distance")]["inputs"].pop("reference")
    assert run(client, graph)["Distance"]["numbers"][0]["fvd"] == first

    file = server.base / "output" / "video_features" / "two.safetensors"
    with safe_open(file, "pt") as kept:
        save_file({"features": kept.get_tensor("features") + 1}, file.with_suffix(".new"), kept.metadata())
    file.with_suffix(".new").replace(file)
    assert run(client, graph)["Distance"]["numbers"][0]["fvd"] != first, "other features under the same name are seen"


@pytest.fixture(scope="module")
def adapters(client) -> list[str]:
    """Two motion adapters trained on this server, for two steps and for three: core cannot draw a curve of one."""
    for steps in (2, 3):
        graph = workflows.load("train_motion_lamp")
        workflows.set_inputs(graph, "Checkpoint", ckpt_name="miniature.safetensors")
        workflows.set_inputs(graph, "Clips", folder="my_clips")
        workflows.set_inputs(
            graph, "Train", frames=FRAMES, width=0, height=0, rank=4, steps=steps, gradient_checkpointing=False
        )
        workflows.set_inputs(graph, "Save adapter", filename_prefix="compared")
        client.run(graph)
    return [name for name in client.choices("FSM_LoadMotionAdapter", "adapter") if name.startswith("compared")]


def test_compare_adapters(client, adapters):
    graph = workflows.load("compare_adapters")
    for name, value in compare.MINIATURE.items():
        title, _, there = name.rpartition(".")
        workflows.set_inputs(graph, title, **{there: value})
    workflows.set_inputs(graph, "First frame sampler", steps=2)
    workflows.set_inputs(graph, "Words", value="a red ball on grass moves right")
    for row, adapter in zip(("", "Other "), adapters, strict=True):
        workflows.set_inputs(graph, f"{row}{'m' if row else 'M'}otion adapter", adapter=adapter)
        workflows.set_inputs(graph, f"{row}{'s' if row else 'S'}ampler", steps=2, cfg=2.0, length=FRAMES)
        workflows.set_inputs(graph, f"{row}{'n' if row else 'N'}umbers", clip_file=CLIP)
    found = run(client, graph)
    for title in ("Numbers", "Other numbers"):
        assert f"videos: 1 of {FRAMES} frames, 128x128" in found[title]["text"][0]
    assert found["Flicker"]["numbers"] != found["Other flicker"]["numbers"], "two adapters, two videos"


def test_the_dev_command_writes_one_table(client, adapters, tmp_path):
    small = ["Sampler.steps=2", f"Sampler.length={FRAMES}", "First frame sampler.steps=8"]
    settings = [
        f"{name}={value}"
        for name, value in compare.MINIATURE.items()
        if name not in ("Sampler.steps", "First frame sampler.steps")
    ]
    words = ["--server", client.url, "--adapters", adapters[0], "none", "--prompts", "a red ball on grass moves right",
             "a horse",
             "--seeds", "3", "--set", *settings, *small, "--results", str(tmp_path)]  # fmt: skip
    compare.run(tmp_path, None, words)
    with (tmp_path / "table.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["adapter"], row["prompt"]) for row in rows] == [
        (a, p) for a in (adapters[0], "none") for p in words[6:8]
    ]
    assert all(
        float(row["alignment"]) and float(row["visible"]) and (tmp_path / row["video"]).stat().st_size for row in rows
    )
    judged = [row for row in rows if row["path_error"]]
    assert all(row["prompt"] != "a horse" for row in judged), "the world knows no horses"
    assert "sha256" in json.loads((tmp_path / "table.json").read_text())[0]["reports"][0]
    assert (tmp_path / "prompt_1.png").exists() and (tmp_path / "prompt_2.png").exists()
    assert not judged or set(second_opinion.MEASURES) <= judged[0].keys()
