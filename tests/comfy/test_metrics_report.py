"""How the metric nodes hand their numbers over: tables beside the videos, pictures, the pack's list."""

import csv
import json

import comfy.model_management
import few_shot_motion.nodes
import pytest
import torch
from comfy_api.latest import InputImpl, Types
from few_shot_motion.host.metrics import pictures as metric_pictures
from few_shot_motion.nodes import metrics
from few_shot_motion.nodes.clip_metrics import ClipVideoMetrics
from few_shot_motion.nodes.metrics import FirstFrameJump, WarpingErrorNode
from measuring import clip_metrics_of, clip_model, measured, moving, pictures, saved


def test_a_table_grows_by_a_line(folders):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    found = [clip_metrics_of(videos=[pictures(seed=i)], clip_file=name, table="study/clip") for i in range(2)]
    with (folders / "output" / "metrics" / "study" / "clip.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["clip_temp"]) for row in rows] == [values[1] for values in found], "in full precision"
    assert all("sha256" in row["how"] and row["videos"] == "1" for row in rows)
    entries = json.loads((folders / "output" / "metrics" / "study" / "clip.json").read_text())
    assert [entry["numbers"]["clip_temp"] for entry in entries] == [values[1] for values in found]
    assert entries[0]["numbers"]["alignment"] is None, "not defined without prompts: JSON knows no NaN"
    assert [len(line) for line in entries[0]["per frame"]["likeness to the next frame x 100"]] == [4], "5 frames"
    with pytest.raises(ValueError, match="has other columns"):
        measured(FirstFrameJump, videos=[pictures()], table="study/clip")


def test_a_table_that_cannot_be_added_to_stays_as_it_was(folders):
    folder = folders / "output" / "metrics"
    measured(FirstFrameJump, videos=[moving()], table="jump")
    (folder / "jump.json").write_text("no list")
    before = (folder / "jump.csv").read_text()
    with pytest.raises(ValueError, match="jump.json in output/metrics is no table of this node") as error:
        measured(FirstFrameJump, videos=[moving()], table="jump")
    assert "\n" not in str(error.value) and (folder / "jump.csv").read_text() == before
    assert sorted(file.name for file in folder.iterdir()) == ["jump.csv", "jump.json"], (
        "nothing half written beside them"
    )


def test_whoever_queued_gets_the_numbers(folders):
    with torch.inference_mode():
        ui = WarpingErrorNode.execute(videos=[moving()], variant=[metrics.LAI], table=[""]).ui
    assert ui["numbers"][0].keys() == {"error", "motion", "visible"} and ui["text"][0].startswith(
        "Warping error (Lai et al.)\nerror "
    )


def test_curves_show_each_video_and_leave_out_what_is_no_number():
    picture = metric_pictures.curves(
        {"a": [torch.tensor([0.0, 1.0, torch.nan, 3.0]), torch.tensor([3.0])], "b": [torch.tensor([torch.nan])]}
    )
    assert picture.shape == (1, 480, 640, 3)
    drawn = (picture[0] * 255).round().int().flatten(0, 1).unique(dim=0).tolist()
    assert (
        all(list(colour) in drawn for colour in metric_pictures._COLOURS[:2])
        and list(metric_pictures._COLOURS[2]) not in drawn
    )


def test_flow_is_coloured_by_its_direction():
    right, left, still = (torch.tensor([x, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4) for x in (5.0, -5.0, 0.0))
    colours = metric_pictures.flow_colours(torch.cat([right, left, still]))[:, :, 0, 0]
    assert colours.tolist() == [pytest.approx(rgb, abs=1e-6) for rgb in ([1, 0, 0], [0, 1, 1], [1, 1, 1])]


@pytest.mark.parametrize("node", [ClipVideoMetrics, WarpingErrorNode, FirstFrameJump])
def test_cancel_is_heard_at_the_next_video(folders, node):
    """Frechet Video Distance has a test of its own."""
    name = saved(clip_model(layers=1), folders / "clip_vision" / "whole.safetensors")
    seen = []

    class Video(InputImpl.VideoFromComponents):
        def get_components(self):
            seen.append(1)
            comfy.model_management.interrupt_current_processing(True)
            return super().get_components()

    videos = [Video(Types.VideoComponents(images=moving(), frame_rate=8))] * 3
    more = {
        ClipVideoMetrics: {"clip_file": name, "activation": "auto"},
        WarpingErrorNode: {"variant": metrics.LAI},
    }.get(node, {})
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        measured(node, videos=videos, table="", **more)
    comfy.model_management.interrupt_current_processing(False)
    assert seen == [1]


@pytest.mark.parametrize("node", [ClipVideoMetrics, WarpingErrorNode, FirstFrameJump])
def test_progress_counts_videos(folders, node, monkeypatch):
    name = saved(clip_model(layers=1), folders / "clip_vision" / "whole.safetensors")
    counts = []
    monkeypatch.setattr(
        "comfy.utils.PROGRESS_BAR_HOOK", lambda value, total, preview, **_: counts.append((value, total))
    )
    more = {
        ClipVideoMetrics: {"clip_file": name, "activation": "auto"},
        WarpingErrorNode: {"variant": metrics.LAI},
    }.get(node, {})
    measured(node, videos=[moving(3, 32)] * 3, table="", **more)
    assert counts[0] == (1, 3) and counts[-1] == (3, 3), "core leaves out what comes too fast"


def test_nodes_are_in_the_packs_list():
    names = {node.define_schema().node_id for node in few_shot_motion.nodes.NODES}
    assert {"FSM_ClipVideoMetrics", "FSM_WarpingError", "FSM_FrechetVideoDistance", "FSM_FirstFrameJump"} <= names
