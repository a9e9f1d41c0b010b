"""What the demo shows, without a server: first frames of every world, measured, and put on the report."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from dev import base, demo, demo_report, demo_worlds, machine, prompt
from dev.demo_worlds import UNSEEN, WORLDS, chosen
from dev.trouble import Trouble

LOW = {"path_error": 0.3, "period_error": 0.05, "background_change": 0.1, "flow_error": 0.25}  # 0 is right, not 1
OF = [(name, motion) for name, world in WORLDS.items() for motion in world.motions]


@pytest.mark.parametrize(("name", "motion"), OF, ids=str)
def test_exact_clips_are_right_and_still_ones_are_not(name, motion, tmp_path):
    world = WORLDS[name]
    unseen = world.teach(tmp_path, motion, 2)
    assert len(list(tmp_path.glob("*.mp4"))) == 2 and len(unseen) == UNSEEN
    captions = {file.read_text().strip() for file in tmp_path.glob("*.txt")}
    assert len({one.caption for one in unseen} - captions) == UNSEEN and all(motion in one.caption for one in unseen)
    exact = [one.measure(one.exact) for one in unseen[::3]]
    still = [one.measure(one.exact[:1].repeat(16, axis=0)) for one in unseen[::3]]
    for measure in set(world.measures) - {"flow_length"}:
        mean = np.mean([found[measure] for found in exact])
        assert mean < LOW[measure] if measure in LOW else mean > 0.95, (measure, mean)
    for measure in {"limb_correlation", "displacement_ratio"} & set(world.measures):
        assert np.mean([found[measure] for found in still]) < 0.3
    for measure in {"period_error", "flow_error"} & set(world.measures):
        assert np.mean([found[measure] for found in still]) > 0.8, measure


def test_without_their_checkpoint_figures_say_what_makes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "FIGURES", base.ROOT / "miniature" / "nowhere" / "figures.safetensors")
    monkeypatch.setitem(WORLDS, "figures", SimpleNamespace(checkpoint=base.FIGURES))
    with pytest.raises(Trouble, match="no figures.safetensors .*train_autoencoder.py .*train_figures "):
        chosen("figures", None)
    assert chosen("figures", tmp_path) is WORLDS["figures"] and chosen("shapes", None) is WORLDS["shapes"]


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_is_learnt_and_animated_as_it_asks(name, tmp_path, monkeypatch):
    """Its own values reach the nodes' inputs, by names that the shipped workflows have."""
    world, queued = WORLDS[name], []
    own = world.inputs
    combo = ["COMBO", {"options": ["auto", "fp32"]}]
    required = {
        "batch_size": ["INT", {"default": 0}],
        "query_rate": ["FLOAT", {"default": -1.0}],
        "gradient_checkpointing": ["BOOLEAN", {"default": True}],
        **dict.fromkeys(("group_norm", "precision", "lr_schedule", "weighting"), combo),
    }
    optional = {"shift": ["INT", {"default": -1}], "focus": ["FLOAT", {"default": -1.0}]}
    kind = {"input": {"required": required, "optional": optional}}
    kinds = {demo.TRAINING_SETTINGS: kind}
    client = SimpleNamespace(run=queued.append, choices=lambda *_: ["x_00001_.safetensors"], get_json=lambda _: kinds)
    run = demo.Demo(client, tmp_path, "some.safetensors", world, 128, demo.miniature(world.inputs))
    run.train("clips/x", "x", prompt.load("train_motion_lamp"))
    (graph,) = queued
    inputs = graph[prompt.titled(graph, "Train")]["inputs"]
    assert {key: inputs[key] for key in own.train} == own.train
    assert inputs["rank"] == inputs["sample_every"] == 0
    if own.settings:
        given = graph[inputs["settings"][0]]["inputs"]
        both = {name: inputs[name] for name in ("gradient_checkpointing", "precision")}  # the settings' own would win
        assert given == {"batch_size": 0, **both, **own.settings} and given["shift"] == 24
        assert both == {"gradient_checkpointing": False, "precision": machine.training_precision()}
    else:
        assert "settings" not in inputs
    client.run = lambda graph: queued.append(graph) or {key: {"images": []} for key in graph}
    monkeypatch.setattr(demo, "fetched", lambda *_: None)
    run.animate("x.png", "a caption", "x_00001_.safetensors", "x")
    sampler, noise, adapter = (
        queued[1][prompt.titled(queued[1], title)]["inputs"] for title in ("Sampler", "Noise", "Motion adapter")
    )
    assert sampler.items() >= own.sample.items() and sampler["steps"] == own.sample.get("steps", 10)
    assert noise.items() >= own.noise.items() and noise["alpha"] == own.noise.get("alpha", 0.2)
    assert adapter["adapter"] == "x_00001_.safetensors" and adapter["strength"] == 1.0


def test_the_command_takes_a_world():
    assert demo.parse([]) == "figures" and demo.parse(["--world", "moving-camera"]) == "moving-camera"
    with pytest.raises(SystemExit):
        demo.parse(["--world", "elsewhere"])


@pytest.mark.parametrize("name", ["shapes", "figures"])
def test_a_motion_is_learnt_animated_with_and_without_it_and_measured(name, tmp_path, monkeypatch):
    world = WORLDS[name]
    motion, uploaded, exact = world.motions[1], [], {}
    monkeypatch.setattr(demo, "RESULTS", tmp_path)
    monkeypatch.setattr(demo, "CLIPS", 2)
    monkeypatch.setattr(demo_worlds, "UNSEEN", 2)
    client = SimpleNamespace(upload=lambda name, content, folder: uploaded.append((name, content)) or name)
    run = demo.Demo(client, tmp_path, "some.safetensors", world, 128, demo.miniature(world.inputs))
    for i, one in enumerate(world.teach(tmp_path / "again", motion, 2)):
        exact[f"{motion}_{i}.png"] = one.exact
    learnt = []
    monkeypatch.setattr(run, "train", lambda folder, name, graph, **_: learnt.append(folder) or "learnt")
    monkeypatch.setattr(
        run, "animate",
        lambda image, caption, adapter, name: exact[image] if adapter else exact[image][:1].repeat(16, axis=0),
    )  # fmt: skip
    found = run.motion(motion)
    assert learnt == [f"clips/{motion}"] and len(list((tmp_path / "clips" / motion).glob("*.mp4"))) == 2
    assert [file for file, _ in uploaded] == list(exact) and len(found["clips"]) == 2
    assert list(found["with_adapter"]) == list(world.measures)
    tells = "limb_correlation" if name == "figures" else "displacement_ratio"
    assert found["with_adapter"][tells] > 0.95 and found["without_adapter"][tells] < 0.3
    assert (tmp_path / f"{motion}.png").exists() and (tmp_path / f"{motion}.webp").exists()
    json.dumps(found, allow_nan=False)
    table = demo_report.table({motion: found}, world.measures).splitlines()
    assert table[0] == f"| motion |  | {' | '.join(world.measures)} |" and len(table) == 4
    assert table[2].startswith(f"| {motion} | with adapter | ")
