"""Weights held in one half precision and computed in the other: cast once, and the run is what it was, bit for bit."""

import pytest
import torch
import unets
from classroom import CLIPS, Vae, run, same
from few_shot_motion.host.training import model as training_host

SMALL = [clip[:, :32, :32] for clip in CLIPS]
HALVES = {"fp16, computed in bf16": (torch.float16, "bf16"), "bf16, computed in fp16": (torch.bfloat16, "fp16")}
WAYS = {"LAMP": {"method": "LAMP", "rank": 0}, "recurrent, rank 8": {"method": "Recurrent", "rank": 8}}


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("half", HALVES)
def test_a_run_is_bit_for_bit_the_one_that_casts_in_every_call(half, way, checkpointing, monkeypatch):
    held, precision = HALVES[half]
    model, runs, loads = unets.sd_model(unets.NANO, dtype=held), [], []
    own = training_host._recast
    monkeypatch.setattr(training_host, "_recast", lambda *words: (loads.append(words), own(*words)))
    for once in (True, False):
        if not once:
            monkeypatch.setattr(training_host, "is_recast", lambda *_: False)
        runs.append(run(model, SMALL, vae=Vae(), precision=precision, steps=4, learning_rate=3e-3, sample_every=2,
                        gradient_checkpointing=checkpointing, **WAYS[way]))  # fmt: skip
    (adapter, losses), (before, losses_before) = runs
    assert losses["loss"] == losses_before["loss"]
    assert same(adapter.tensors, before.tensors)
    assert len(loads) == 3, "once at first, once behind each of two samples"


@pytest.mark.parametrize("half", HALVES)
def test_norms_keep_their_precision_and_whoever_needs_no_cast_is_left_alone(half):
    held, _ = HALVES[half]
    other = torch.bfloat16 if held == torch.float16 else torch.float16
    unet = unets.sd_model(unets.NANO, dtype=held).model.diffusion_model
    norms = {name for name, value in unet.named_parameters() if value.ndim == 1 and "norm" in name}
    assert norms
    training_host._recast(unet, other)
    for name, layer in unet.named_modules():
        for value in layer.parameters(recurse=False):
            is_norm = isinstance(layer, (torch.nn.GroupNorm, torch.nn.LayerNorm))
            assert value.dtype == (held if is_norm else other), name
    assert not any(training_host.is_recast(*pair) for pair in (
        (held, None), (held, held), (torch.float32, other), (torch.float8_e4m3fn, other)))  # fmt: skip
