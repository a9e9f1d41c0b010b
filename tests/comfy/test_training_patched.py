"""Training on models that others have been at: adapters and LoRAs in them, core's patches, inpainting, odd captions."""

import asyncio

import folder_paths
import pytest
import torch
import unets
from classroom import CAPTIONS, run, same
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.training.base_model import trainable_model
from few_shot_motion.host.training.settings import METHODS as TRAINED
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.methods import METHODS

TINY = {"steps": 2, "learning_rate": 1e-2}


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))


def adapter_of(method: str, model) -> MotionAdapter:
    """An adapter with every layer alive, its tensors made in inference mode, as all that a loader gives."""
    design = MotionAdapter(method, {}, recurrence="fixed" if method == "recurrent" else "")
    module = METHODS[method].build(design, bridge.sites_of(model, method), torch.nn)
    with torch.inference_mode():
        weights = {name: value.clone() for name, value in unets.random_weights(module, 3).items()}
        return MotionAdapter(method, weights, recurrence=design.recurrence)


@pytest.mark.parametrize("rank", [0, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["fp32", "fp16"])
@pytest.mark.parametrize("method, within", [("LAMP", "lamp"), ("Tune-A-Video", "tune-a-video")])
def test_an_adapter_in_the_model_is_frozen_kept_and_counts(method, within, dtype, rank):
    model = unets.sd_model(unets.NANO, dtype=dtype)
    inner = adapter_of(within, model)
    with torch.inference_mode():
        moved = bridge.apply_adapter(model, inner)
    before = {name: value.clone() for name, value in inner.tensors.items()}
    weights = {name: value.clone() for name, value in model.model.state_dict().items()}
    adapter, losses = run(moved, method=method, rank=rank, **TINY)
    plain = run(model, method=method, rank=rank, **TINY)[1]
    assert losses["loss"][0] != pytest.approx(plain["loss"][0], rel=1e-3)
    assert same(inner.tensors, before) and same(model.model.state_dict(), weights)
    assert not {name for name in adapter.tensors if adapter.tensors[name] is inner.tensors.get(name)}


def test_a_motion_of_another_rule_in_the_model_is_refused():
    model = unets.sd_model(unets.NANO)
    with torch.inference_mode():
        moved = bridge.apply_adapter(model, adapter_of("tune-a-video", model))
    with pytest.raises(ValueError, match="a model can follow one of them, so take one adapter out"):
        run(moved, method="LAMP", **TINY)


def test_a_lora_in_the_model_stays_in_it():
    model = unets.sd_model(unets.NANO)
    with torch.inference_mode():
        changed = model.clone()
        changed.add_patches({"diffusion_model.out.2.weight": ("diff", (torch.ones(4, 32, 3, 3) / 99,))}, 1.0)
    losses, plain = (run(there, **TINY)[1]["loss"] for there in (changed, model))
    assert losses[0] != pytest.approx(plain[0], rel=1e-3)


CORE = {  # core's patches of a MODEL, at their defaults
    "FreeU": ("nodes_freelunch", "FreeU", (1.1, 1.2, 0.9, 0.2)),
    "FreeU_V2": ("nodes_freelunch", "FreeU_V2", (1.3, 1.4, 0.9, 0.2)),
    "TomePatchModel": ("nodes_tomesd", "TomePatchModel", (0.3,)),
    "HyperTile": ("nodes_hypertile", "HyperTile", (256, 2, 0, False)),
    "PerturbedAttentionGuidance": ("nodes_pag", "PerturbedAttentionGuidance", (3.0,)),
    "SelfAttentionGuidance": ("nodes_sag", "SelfAttentionGuidance", (0.5, 2.0)),
    "PatchModelAddDownscale": (
        "nodes_model_downscale", "PatchModelAddDownscale", (3, 2.0, 0.0, 0.35, True, "bicubic", "bicubic")),
    "UNetSelfAttentionMultiply": ("nodes_attention_multiply", "UNetSelfAttentionMultiply", (1.0, 1.0, 1.0, 1.0)),
    "EasyCache": ("nodes_easycache", "EasyCacheNode", (0.2, 0.15, 0.95, False)),
    "LazyCache": ("nodes_easycache", "LazyCacheNode", (0.2, 0.15, 0.95, False)),
    "RescaleCFG": ("nodes_model_advanced", "RescaleCFG", (0.7,)),
    "ModelSamplingDiscrete": ("nodes_model_advanced", "ModelSamplingDiscrete", ("v_prediction", True)),
    "ModelComputeDtype": ("nodes_model_advanced", "ModelComputeDtype", ("bf16",)),
}  # fmt: skip


def patched(name: str, model):
    """The model behind one of core's nodes."""
    import importlib

    module, made, values = CORE[name]
    node = getattr(importlib.import_module(f"comfy_extras.{module}"), made)
    call = node.execute if hasattr(node, "execute") else getattr(node(), node.FUNCTION)
    out = call(model, *values)
    out = asyncio.run(out) if asyncio.iscoroutine(out) else out
    return (out.args if hasattr(out, "args") else out)[0]


# what acts outside of a call of the UNet, or is part of the model itself
SAMPLING = {"RescaleCFG", "ModelSamplingDiscrete", "ModelComputeDtype", "PerturbedAttentionGuidance",
            "UNetSelfAttentionMultiply"}  # fmt: skip


@pytest.mark.parametrize("method", TRAINED)
@pytest.mark.parametrize("name", CORE)
def test_core_patches_are_taken_off_and_named(name, method, caplog):
    model = unets.sd_model(unets.NANO)
    with torch.inference_mode():
        behind = patched(name, model)
    adapter, losses = run(behind, method=method, **TINY)
    assert all(0 < loss < 20 for loss in losses["loss"])
    said = [record.message for record in caplog.records if "Taken off for the training" in record.message]
    assert len(said) == (name not in SAMPLING)
    if name not in SAMPLING:
        assert CORE[name][1].removesuffix("Node").lower() in said[0].lower()
        assert same(adapter.tensors, run(model, method=method, **TINY)[0].tensors)


def test_what_is_taken_off_stays_in_the_users_model():
    behind = patched("FreeU_V2", unets.sd_model(unets.NANO))
    before = {key: list(value) for key, value in behind.model_options["transformer_options"]["patches"].items()}
    with torch.inference_mode(False):
        own = trainable_model(behind)
    assert behind.model_options["transformer_options"]["patches"] == before
    assert "patches" not in own.model_options["transformer_options"] or not any(
        own.model_options["transformer_options"]["patches"].values()
    )


def test_an_inpainting_checkpoint_is_refused():
    model = unets.sd_model({**unets.NANO, "in_channels": 9})
    with pytest.raises(ValueError, match="takes 4 channels, this Stable Diffusion 1.x takes 9, as inpainting"):
        run(model, **TINY)


@pytest.mark.parametrize("batch", [1, 2])
def test_captions_of_77_and_154_tokens_in_one_run(batch):
    """As long as one another or not; repeated tokens change nothing."""
    long = torch.cat([CAPTIONS[1][0][0]] * 2, dim=1)
    same_words, repeated = (
        run(unets.sd_model(unets.NANO), captions=[CAPTIONS[0], [[text, {}]]], batch_size=batch, **TINY)[1]["loss"]
        for text in (CAPTIONS[1][0][0], long)
    )
    assert same_words == pytest.approx(repeated, rel=1e-4)


TEXT = CAPTIONS[0][0][0]


@pytest.mark.parametrize(
    "caption, message",
    [
        ([[TEXT, {}], [TEXT, {}]], "Caption 2 is 2 prompts in one"),
        ([], "Number 2 of what comes in at positive holds no prompt"),
        ([[TEXT, {"area": (8, 8, 0, 0)}]], "Caption 2 comes with an area, training takes words alone"),
        ([[TEXT, {"mask": torch.ones(1, 8, 8), "mask_strength": 1.0}]], "Caption 2 comes with a mask"),
        ([[TEXT, {"start_percent": 0.0, "end_percent": 0.5}]], "Caption 2 comes with a range of steps"),
        ([[TEXT, {"start_percent": 0.2, "end_percent": 1.0}]], "Caption 2 comes with a range of steps"),
        ([[TEXT, {"area": (8, 8, 0, 0), "start_percent": 0.2}]], "Caption 2 comes with a range of steps and an area"),
        ([[TEXT * float("nan"), {}]], "Number 2 of what comes in at positive holds values that are no numbers"),
    ],
)
def test_captions_that_are_more_than_words_are_refused(caption, message):
    with pytest.raises(ValueError, match=message):
        run(unets.sd_model(unets.NANO), captions=[CAPTIONS[0], caption], **TINY)


def test_a_range_that_is_all_steps_is_none():
    captions = [[[TEXT, {"start_percent": 0.0, "end_percent": 1.0, "clip_layer": -2}]]]
    run(unets.sd_model(unets.NANO), captions=captions, **TINY)


def test_a_vae_of_another_model_is_refused():
    vae = type("Vae", (), {"latent_dim": 2, "latent_channels": 16, "encode": None, "decode": None})()
    with pytest.raises(ValueError, match="What comes in at vae does not encode single frames of 4 channels"):
        run(unets.sd_model(unets.NANO), vae=vae, **TINY)


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16", "fp16"])
@pytest.mark.parametrize("method", TRAINED)
def test_fp64_unet(method, precision):
    losses = run(unets.sd_model(unets.NANO, dtype=torch.float64), method=method, precision=precision, **TINY)[1]
    assert all(0 < loss < 20 for loss in losses["loss"])


def test_the_global_generator_is_left_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(unets.sd_model(unets.NANO), **TINY)
    assert torch.equal(torch.rand(3), expected)
