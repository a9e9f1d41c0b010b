"""The metric nodes through the executor of a running ComfyUI: lists go in whole, numbers and pictures come out."""

import re

import clips
import pytest
from few_shot_motion.metrics.i3d import I3D
from few_shot_motion.nodes import metrics
from measuring import clip_model, saved
from safetensors import safe_open
from safetensors.torch import save_file


def test_a_folder_of_videos_is_measured_on_a_server(server):
    """Through the executor: lists go in whole, inputs that are not connected stay out, numbers and pictures come out."""
    clips.write_training_set(server.base / "input" / "measured", "moves right", count=3, frames=9)
    for folder in ("i3d", "clip_vision"):
        (server.base / "models" / folder).mkdir(exist_ok=True)
    save_file(
        {name: value for name, value in I3D().state_dict().items() if "num_batches" not in name},
        server.base / "models" / "i3d" / "random.safetensors",
    )
    saved(clip_model(), server.base / "models" / "clip_vision" / "whole.safetensors")
    prompt = {
        "clips": {"class_type": "LoadVideoTextDataSetFromFolder", "inputs": {"folder": "measured"}},
        "clip": {"class_type": "FSM_ClipVideoMetrics", "inputs": {
            "videos": ["clips", 0], "clip_file": "whole.safetensors", "activation": "auto", "table": "all", "prompts": ["clips", 1]}},
        "warp": {"class_type": "FSM_WarpingError", "inputs": {"videos": ["clips", 0], "variant": metrics._LAI, "table": ""}},
        "jump": {"class_type": "FSM_FirstFrameJump", "inputs": {"videos": ["clips", 0], "table": ""}},
        "fvd": {"class_type": "FSM_FrechetVideoDistance", "inputs": {
            "videos": ["clips", 0], "i3d": "random.safetensors", "frames": 9, "kept_reference": "none", "keep_reference_as": "three",
            "resamples": 3, "table": "", "reference": ["clips", 0]}},
        "sheet": {"class_type": "PreviewImage", "inputs": {"images": ["warp", 4]}},
    }  # fmt: skip
    outputs = server.client.run(prompt)
    texts = {name: outputs[name]["text"][0] for name in ("clip", "warp", "jump", "fvd")}
    for name, text in texts.items():
        assert "videos: 3 of 9 frames" in text and "128x128" in text, name
    assert "prompts: 3 different ones" in texts["clip"]
    assert distance_in(texts["fvd"]) < 1e-6, "a set against itself"
    assert len(outputs["sheet"]["images"]) == 1
    assert (server.base / "output" / "metrics" / "all.csv").exists()
    assert server.client.choices("FSM_FrechetVideoDistance", "kept_reference") == ["none", "three"]

    again = {name: prompt[name] for name in ("clips", "fvd")}
    again["fvd"]["inputs"] |= {"kept_reference": "three", "keep_reference_as": ""}
    again["fvd"]["inputs"].pop("reference")
    assert distance_in(server.client.run(again)["fvd"]["text"][0]) < 1e-6
    file = server.base / "output" / "video_features" / "three.safetensors"
    with safe_open(file, "pt") as kept:
        save_file({"features": kept.get_tensor("features") + 1}, file.with_suffix(".new"), kept.metadata())
    file.with_suffix(".new").replace(file)
    assert distance_in(server.client.run(again)["fvd"]["text"][0]) == pytest.approx(400, rel=1e-4), (
        "other features under the same name are seen"
    )


def distance_in(report: str) -> float:
    return float(re.search(r"^fvd +(\S+)$", report, re.MULTILINE)[1])
