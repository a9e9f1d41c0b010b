"""Motion priors of both editions of the miniature: a step of each, and what the second one is shown."""

import asyncio
import sys

import comfy.lora
import comfy.utils
import fitting
import nodes
import numpy as np
import pytest
import stage
import torch
import train_figure_prior
import train_prior
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.host.patching.image_model import base_query
from few_shot_motion.motion_modules.released import load_adapter

from dev.base import MINIATURE


@pytest.fixture(autouse=True)
def miniature():
    """Load Checkpoint knows it."""
    asyncio.run(nodes.load_custom_node(str(MINIATURE)))


def test_a_step_of_each_kind_writes_a_prior_of_figures(figures_checkpoint, tmp_path, monkeypatch):
    files = tmp_path / "motion" / "a.safetensors", tmp_path / "loras" / "b.safetensors"
    files[0].parent.mkdir()
    monkeypatch.setattr(train_figure_prior, "FILES", files)
    words = ["", "--folder", str(tmp_path / "state"), "--steps", "1", "--first", "1", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", words)
    train_figure_prior.main()
    assert {file.name for file in (tmp_path / "state").iterdir()} == {"prior_alone.state", "prior.state"}
    model, _, vae = nodes.CheckpointLoaderSimple().load_checkpoint(figures_checkpoint.name)
    adapter = load_adapter(files[0], base_query(model))
    assert adapter.metadata["prompts"] == "walks, runs, waves, jumps, cheers, sits down"
    assert adapter.metadata["frames"] == "8"
    apply_adapter(model, adapter)
    lora = comfy.utils.load_torch_file(str(files[1]))
    keys = comfy.lora.load_lora(lora, comfy.lora.model_lora_keys_unet(model.model, {}))
    assert len(keys) == len(lora) > 0 and all(torch.isfinite(value.float()).all() for value in lora.values())
    lines = ["", "--folder", str(tmp_path / "on"), "--steps", "1", "--begin", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", lines)
    train_figure_prior.main()
    assert {file.name for file in (tmp_path / "on").iterdir()} == {"prior.state"}
    further, heard = load_adapter(files[0], base_query(model)), comfy.utils.load_torch_file(str(files[1]))
    assert further.metadata["steps"] == "3"
    for before, after in (adapter.tensors, further.tensors), (lora, heard):  # one small step on, not begun anew
        gone = sum((after[name].float() - before[name].float()).square().sum() for name in before) ** 0.5
        assert 0 < gone < 0.02 * sum(value.float().square().sum() for value in before.values()) ** 0.5
    latents, (caption, _) = train_figure_prior.lessons("cpu").first(np.random.default_rng(3))
    seed = int(np.random.default_rng(3).integers(2**31))
    clip = stage.draw_clip(train_figure_prior.shot_of("walks", seed))
    seen = model.model.process_latent_in(vae.encode(torch.from_numpy(clip).float() / 255))
    assert latents.shape == (2, 8, 4, 16, 16) and caption.endswith(" walks")
    assert (latents[0] - seen.cpu()).abs().mean() < 0.02 * seen.std()


def test_a_step_of_each_kind_trains_the_first_editions_as_before(tmp_path):
    taught = train_prior.shapes()
    adapter, readings = train_prior.train_prior(taught, 1, 1, "cpu", tmp_path, first=1)
    assert adapter.metadata["prompts"].startswith("moves right, moves left") and adapter.metadata["steps"] == "2"
    for (
        name,
        change,
    ) in readings.items():  # what the image model hears along the motions' directions is all that changes
        unit = torch.linalg.qr(taught.along)[0]
        assert change.norm() > 0 and (change - change @ unit @ unit.T).norm() < 0.1 * change.norm(), name


def test_two_processes_have_one_clip_of_a_pair_each(tmp_path, monkeypatch):
    taught, seen = train_prior.shapes(), []

    def learn_nothing(stage, parameters, loss_at, *_):
        yield 0, seen.append(loss_at(0).item())

    monkeypatch.setattr(fitting, "fit", learn_nothing)
    for place, processes in (0, 1), (0, 2), (1, 2):
        monkeypatch.setattr(fitting, "share", lambda: (place, processes))  # noqa: B023 - called within this round
        train_prior.train_prior(taught, 1, 1, "cpu", tmp_path, first=1)
    both, first, second = seen[:2], seen[2:4], seen[4:]
    assert both == pytest.approx([(a + b) / 2 for a, b in zip(first, second, strict=True)], rel=1e-2)
    assert first != pytest.approx(second, rel=1e-2)


def test_twins_are_one_figure_in_two_motions_and_do_not_rest():
    rng, shots = np.random.default_rng(0), []
    for _ in range(30):
        one, two = train_figure_prior.twins(rng)
        (a,), (b,) = one.actors, two.actors
        assert a.motion != b.motion and (a.figure, a.x, a.facing, one.ground, one.seed, one.frames) == (
            b.figure, b.x, b.facing, two.ground, two.seed, two.frames
        )  # fmt: skip
        assert one.camera == "still" and not a.goes
        shots += [one, two]
    assert {shot.actors[0].motion for shot in shots} == set(stage.GAITS)
    assert {shot.frames for shot in shots} == {8}
    for shot in shots:
        if shot.actors[0].motion == "sits down":
            assert stage.joints_of(shot, 0)["hips"] != stage.joints_of(shot, 1)["hips"]


def test_motions_are_found_in_what_a_tower_says_of_them():
    class Tower:  # says its third word from there on, along an axis of its own
        def __call__(self, rows):
            out = torch.zeros(len(rows), 77, 12)
            for i, row in enumerate(rows):
                out[i, :, 11] = 7
                out[i, 20:, train_figure_prior.MOTIONS.index(row[0])] = 2
            return (out,)

    def tokenize(caption):
        return {"l": [[(next(motion for motion in train_figure_prior.MOTIONS if caption.endswith(motion)), 1.0)]]}

    text = type("Text", (), {"tokenize": staticmethod(tokenize),
                             "cond_stage_model": type("Model", (), {"clip_l": Tower()})})  # fmt: skip
    along, reach, typical = train_figure_prior.heard(text)
    assert along.shape == (12, 5) and torch.allclose(along.T @ along, torch.eye(5), atol=1e-5)
    assert along[6:].abs().max() < 1e-5 and reach == pytest.approx(2 * (5 / 6) ** 0.5, abs=1e-4)
    assert typical.shape[1] == 12 and typical.norm(dim=1).mean() == pytest.approx(7, abs=0.2)
