"""`python3 dev widths` in small: every template can be run at real width, and its files can be made."""

import json

import pytest

from dev import base, width_prompts, widths, workflows
from dev.model_files import SDXL
from dev.width_prompts import FRAMES, RUNS, Wide


def test_every_template_is_there_and_sdxl_is_twice():
    assert [wide.workflow for wide in RUNS if not wide.variant] == workflows.names()
    assert len({wide.title for wide in RUNS}) == len(RUNS)
    on_sdxl = [wide for wide in RUNS if wide.variant]
    assert len(on_sdxl) == 2
    assert all(f"checkpoints/{SDXL}" in width_prompts.files_of(width_prompts.prompt_of(wide)) for wide in on_sdxl)


@pytest.mark.parametrize("wide", RUNS, ids=lambda wide: wide.title)
def test_a_template_is_small_and_all_it_gives_is_looked_at(wide):
    made = width_prompts.prompt_of(wide)
    for node in made.values():
        inputs, kind = node["inputs"], node["class_type"]
        assert inputs.get("steps", 0) <= 2 and inputs.get("width", 0) <= 64 and inputs.get("height", 0) <= 64
        assert max(inputs.get(name, 0) for name in ("length", "batch_size", "amount", "resample")) <= FRAMES + 2
        if kind == "FSM_TrainMotionLoRA":
            assert inputs["frames"] <= FRAMES
            assert (inputs["rank"], inputs["precision"], inputs["sample_every"]) == (32, "auto", 0)
    looked_at = {tuple(node["inputs"]["value"]) for node in made.values() if node["class_type"] == "Witness"}
    published = workflows.graph(wide.workflow)
    assert looked_at
    for node in published.nodes:
        for number, kind in enumerate(node.kind.results.values()):
            assert ((str(node.id), number) in looked_at) == (kind in width_prompts.LOOKED_AT)


def test_every_file_a_template_names_can_be_made():
    from dev.benching.width_files import MAKERS

    named = {file for wide in RUNS for file in width_prompts.files_of(width_prompts.prompt_of(wide))}
    assert {file.partition("/")[2] for file in named} == MAKERS.keys()
    for wide in RUNS:
        text = json.dumps(width_prompts.prompt_of(wide))
        assert all(f'"{name}"' not in text for name in ("miniature.safetensors", "miniature_motion.safetensors"))


def test_a_run_tells_memory_what_was_said_and_whether_all_is_finite(request, tmp_path, monkeypatch):
    """A training on the miniature."""
    monkeypatch.setattr(widths, "FOLDER", tmp_path)
    widths._furnish(tmp_path / "base")
    wide = Wide("train_motion_lamp", {"Checkpoint": {"ckpt_name": base.WEIGHTS.name}})
    found = widths._tried(request.config.getoption("--comfyui").resolve(), wide)
    assert found["finite"] and found["looked at"] == 3
    assert 2**20 < found["said"] < found["peak"] and 2**27 < found["before"] < found["peak"]
    assert f"{found['said'] / 2**30:.2f}" in widths._table({wide.title: found})
    failed = {wide.title: {"failed": "no memory", "before": 2**30, "peak": 2**30}}
    assert "| failed | 1.00 | 1.00 |" in widths._table(failed) and "no memory" in widths._words(failed[wide.title])
