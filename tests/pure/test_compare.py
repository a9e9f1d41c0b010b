"""`python3 dev compare`: what it queues for a row of its table, what it makes of the numbers, and the world's own
judgement.
"""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import world

from dev import compare, compare_report, prompt, second_opinion

JOB = compare.Job("rain_00001_.safetensors", "a red ball on grass moves right", 7)


def titles(graph: dict) -> set[str]:
    return {node["_meta"]["title"] for node in graph.values() if "_meta" in node}


def test_a_job_is_the_workflows_upper_row():
    graph = compare.graph_of(JOB, {"Sampler.steps": 3, "First frame sampler.cfg": 2.0})
    assert not any(title.startswith("Other") for title in titles(graph))
    assert {node["class_type"] for node in graph.values()} >= {
        "FSM_ClipVideoMetrics",
        "FSM_WarpingError",
        "FSM_FirstFrameJump",
        "SaveVideo",
    }
    assert [prompt.value(graph, title, "seed") for title in ("First frame sampler", "Noise", "Sampler")] == [7, 7, 7]
    assert prompt.value(graph, "Sampler", "steps") == 3 and prompt.value(graph, "First frame sampler", "cfg") == 2.0
    assert (
        prompt.value(graph, "Motion adapter", "adapter") == JOB.adapter
        and prompt.value(graph, "Words", "value") == JOB.prompt
    )
    ids = set(graph)
    assert all(
        value[0] in ids for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)
    ), "no loose end"


def test_without_an_adapter_the_image_model_itself_is_sampled():
    graph = compare.graph_of(JOB._replace(adapter=compare.NONE), {})
    assert "Motion adapter" not in titles(graph)
    assert prompt.value(graph, "Sampler", "model") == [prompt.titled(graph, "Checkpoint"), 0]


def test_unknown_settings_are_named():
    with pytest.raises(Exception, match="has no input stepps"):
        compare.graph_of(JOB, {"Sampler.stepps": 3})
    assert compare._setting("Checkpoint.ckpt_name=a=b.safetensors") == ("Checkpoint.ckpt_name", "a=b.safetensors")
    assert compare._setting("Sampler.cfg=2.5") == ("Sampler.cfg", 2.5) and compare._setting("Sampler.steps=2") == (
        "Sampler.steps",
        2,
    )


def test_the_newest_of_each_name_and_file_names_without_surprises():
    assert compare.newest(["a_00001_.safetensors", "a_00002_.safetensors", "b.safetensors"]) == [
        "a_00002_.safetensors",
        "b.safetensors",
    ]
    assert compare.file_name(JOB._replace(prompt="../a: b?")) == "rain_00001-a_b-7"


class Pretended:
    """A server that answers with numbers of its own, and fails when told."""

    def __init__(self, url: str, fails: bool = False):
        self.url, self.fails, self.queued = url, fails, 0

    def run(self, graph):
        self.queued += 1
        if self.fails:
            raise compare.Trouble("out of memory")
        numbers = {
            "Numbers": {"alignment": 30.0, "diversity": None},
            "Flicker": {"error": 0.1},
            "First-frame jump": {"luminance_jump": 1.0},
        }
        outputs = {
            prompt.titled(graph, title): {"numbers": [found], "text": [title]} for title, found in numbers.items()
        }
        return {**outputs, prompt.titled(graph, "Save video"): {"images": []}, "frames": {"images": [{}, {}]}}

    def download(self, file):
        import io

        from PIL import Image

        content = io.BytesIO()
        Image.new("RGB", (8, 8)).save(content, "png")
        return content.getvalue()


JOBS = [compare.Job("a", "a cat", seed) for seed in range(6)]


def test_several_servers_share_the_work(tmp_path):
    servers = [Pretended("one"), Pretended("two")]
    found = list(compare._finished(servers, JOBS, {}, tmp_path))
    assert sorted(job for job, _, _ in found) == JOBS and sum(server.queued for server in servers) == 6
    assert found[0][1]["alignment"] == 30.0 and found[0][1]["reports"] == ["Numbers", "Flicker", "First-frame jump"]
    assert found[0][2].shape == (2, 8, 8, 3)


def test_a_failure_ends_the_batch_and_keeps_what_was_done(tmp_path):
    with pytest.raises(compare.Trouble, match="out of memory"):
        list(compare._finished([Pretended("one", fails=True)], JOBS, {}, tmp_path))


def rows() -> list[dict]:
    """Six videos whose warping error falls as the path error rises, and whose alignment rises with the colour."""
    exact = {name: 0.5 for name in second_opinion.MEASURES}
    return [{"adapter": "ab"[i % 2], "prompt": "p", "seed": i, "server": "s", "alignment": float(i), "clip_temp": None,
             "error": -float(i),
             **exact, "path_error": float(i) ** 3, "reports": ["long"]} for i in range(6)]  # fmt: skip


def test_tables_hold_every_number(tmp_path):
    compare_report.write(tmp_path, rows())
    with (tmp_path / "table.csv").open(newline="") as lines:
        table = list(csv.DictReader(lines))
    assert (
        [float(row["alignment"]) for row in table] == [0, 1, 2, 3, 4, 5]
        and table[0]["clip_temp"] == ""
        and "reports" not in table[0]
    )
    assert json.loads((tmp_path / "table.json").read_text())[3]["reports"] == ["long"]
    assert "| a | 3 | 2 |" in (tmp_path / "summary.md").read_text(), "mean alignment of seeds 0, 2, 4"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["summary.md", "table.csv", "table.json"]


def test_rank_correlation_is_of_the_order_alone():
    found = compare_report.correlations(rows())
    assert found["alignment", "path_error"] == pytest.approx(1) and found["error", "path_error"] == pytest.approx(-1)
    assert math.isnan(found["alignment", "found"]), "what never changes has no order"
    assert compare_report.correlations(rows()[:4]) == {}, "too few"


def clip_of(caption: str, x: float, frames: int = 16) -> np.ndarray:
    scene, motion = second_opinion.CAPTIONS[caption]
    return world.draw_clip(scene, world.path(motion, world.State(x, 8.0), frames))


def test_the_world_judges_a_clip_by_its_caption():
    good = second_opinion.of(clip_of(JOB.prompt, 4.0), JOB.prompt)
    assert (
        good["direction_cosine"] > 0.99
        and good["path_error"] < 0.3
        and good["displacement_ratio"] == pytest.approx(1, abs=0.1)
    )
    wrong = second_opinion.of(clip_of("a red ball on grass moves left", 12.0), JOB.prompt)
    assert wrong["direction_cosine"] < -0.99 and wrong["path_error"] > 1


def test_what_the_world_cannot_judge_is_left_empty():
    assert second_opinion.of(clip_of(JOB.prompt, 4.0), "a horse runs") == {}
    assert second_opinion.of(np.zeros((16, 64, 64, 3), np.uint8), JOB.prompt) == {}
    assert second_opinion.of(clip_of("a red ball on grass moves left", 13.0), JOB.prompt) == {}, (
        "its course leaves the picture at once"
    )
    assert second_opinion.of(np.full((16, 128, 128, 3), 90, np.uint8), JOB.prompt) == {}, "no subject to start from"


def test_documented_settings_are_the_workflows():
    page = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
    graph = prompt.load("compare_adapters")
    for word in (
        word for line in page.splitlines() if line.strip().startswith("--set") for word in line.split('"')[1::2]
    ):
        title, _, name = word.partition("=")[0].rpartition(".")
        prompt.value(graph, title, name)


def test_lamps_evaluation_is_48_prompts_of_eight_motions():
    assert [len(set(prompts)) for prompts in compare.LAMP.values()] == [6] * 8
    asked = compare.options_of(["--lamp", "rain", "horse run", "--seeds", "3"])
    assert (
        asked.prompts == [*compare.LAMP["rain"], *compare.LAMP["horse run"]]
        and "a horse runs on the Mars" in asked.prompts
    )
    assert compare.options_of(["--prompts", "a horse"]).prompts == ["a horse"]
    for words in (["--lamp", "sleep"], ["--lamp", "rain", "--prompts", "a horse"]):
        with pytest.raises(SystemExit):
            compare.options_of(words)
