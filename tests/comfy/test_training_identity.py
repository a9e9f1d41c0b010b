"""A run is gone on with only from what it was learnt from."""

import json

import folder_paths
import pytest
import torch
import unets
from classroom import CAPTIONS, CLIPS, MeanVae, run, same
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.module import MotionModule
from safetensors import safe_open

MASKS = [(clip[..., 0] > 0.5).float() for clip in CLIPS]


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


def moved():
    """A model with an adapter in it."""
    model = unets.sd_model(unets.NANO)
    module = MotionModule(bridge.sites_of(model))
    return bridge.apply_adapter(model, MotionAdapter("lamp", unets.random_weights(module, 3)), 0.3)


def with_lora(strength: float = 0.5):
    """A model with a change of its weights in it."""
    model = unets.sd_model(unets.NANO).clone()
    with torch.inference_mode():
        model.add_patches({"diffusion_model.out.2.weight": ("diff", (torch.ones(4, 32, 3, 3),))}, strength)
    return model


def scheduled():
    """A model with another noise schedule."""
    import comfy.model_sampling

    model = unets.sd_model(unets.NANO).clone()
    sampling = type("Sampling", (comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS), {})(
        model.model.model_config
    )
    sampling.set_sigmas(sampling.sigmas * 1.01)
    model.add_object_patch("model_sampling", sampling)
    return model


class DoubleVae(MeanVae):
    pass


KINDS = {
    "settings": {"learning_rate": 2e-3},
    "clips": {"clips": [CLIPS[0], CLIPS[1].flip(2)]},
    "clips, their order": {"clips": CLIPS[::-1]},
    "captions": {"captions": [CAPTIONS[0], CAPTIONS[0]]},
    "masks": {"masks": [MASKS[0], MASKS[1].flip(1)]},
    "base model": {"model": unets.sd_model(unets.NANO, seed=1)},
    "noise schedule": {"model": scheduled()},
    "LoRAs and adapters in the model": {"model": moved()},
    "LoRAs and adapters in the model, a LoRA": {"model": with_lora()},
    "VAE": {"vae": DoubleVae()},
}


def learnt(resume: bool = False, **changes):
    given = {"model": unets.sd_model(unets.NANO), "masks": MASKS, "save_every": 2, "steps": 2, **changes}
    return run(name="kept", resume=resume, **given)


def test_each_kind_of_input_alone_is_told():
    whole, losses = learnt()
    again, kept = learnt(True)
    assert kept == losses and same(again.tensors, whole.tensors)
    for kind, changes in KINDS.items():
        with pytest.raises(ValueError, match="The run kept as kept had other ") as refused:
            learnt(True, **changes)
        words = str(refused.value).partition("other ")[2].partition(": give")[0]
        told = "settings (learning_rate 0.001, now 0.002)" if kind == "settings" else kind.partition(",")[0]
        assert words == told


def test_several_differences_are_all_told():
    learnt()
    with pytest.raises(
        ValueError, match=r"other settings \(rank 0, now 3\), clips, LoRAs and adapters in the model: give"
    ):
        learnt(True, rank=3, clips=[CLIPS[1], CLIPS[1]], model=with_lora())


def test_the_same_lora_twice_is_the_same_and_another_strength_is_not():
    learnt(model=with_lora())
    learnt(True, model=with_lora())
    with pytest.raises(ValueError, match="LoRAs and adapters in the model"):
        learnt(True, model=with_lora(0.6))


def test_a_text_encoder_that_rounds_otherwise_is_the_same_caption():
    learnt()
    learnt(True, captions=[[[text.half().float() * (1 + 1e-4), options]] for [[text, options]] in CAPTIONS])


def test_the_same_model_in_half_precision_is_another():
    """What its weights are counts, not how they are held."""
    half = {name: value.half().float() for name, value in
            unets.sd_model(unets.NANO).model.diffusion_model.state_dict().items()}  # fmt: skip
    learnt(model=unets.sd_model(unets.NANO, half))
    learnt(True, model=unets.sd_model(unets.NANO, half, dtype=torch.float16))
    with pytest.raises(ValueError, match="base model"):
        learnt(True)


def test_a_run_kept_by_an_older_version_is_not_gone_on_with(output_folder):
    learnt()
    file = output_folder / "kept.resume.safetensors"
    with safe_open(file, "pt") as kept:
        from safetensors.torch import save_file

        save_file({key: kept.get_tensor(key) for key in kept.keys()}, file, {"settings": "{}"})  # noqa: SIM118
    with pytest.raises(ValueError, match="an older version kept it: give this one another name"):
        learnt(True)


def test_fewer_steps_than_are_kept_are_said():
    whole, _ = learnt(steps=4)
    with torch.inference_mode():
        from few_shot_motion.host.training.report import outcome

        again, losses = learnt(True, steps=2)
    assert same(again.tensors, whole.tensors) and len(losses["loss"]) == 4
    run_of_four = type("Run", (), {"losses": [1.0] * 4, "learnt": [1.0] * 4, "skipped": 0})
    assert "4 steps were kept and 2 asked for" in outcome(whole, run_of_four, 2)[1]


def test_the_identity_is_small_and_readable(output_folder):
    learnt()
    with safe_open(output_folder / "kept.resume.safetensors", "pt") as kept:
        text = kept.metadata()["identity"]
    assert len(text) < 4000 and set(json.loads(text)) >= {kind.partition(",")[0] for kind in KINDS}
