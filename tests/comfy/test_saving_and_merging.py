"""A model with motion whose weights are saved or merged: the motion is in no file, so no part of it may be either."""

import comfy.ops
import comfy.sd
import comfy.supported_models
import pytest
import torch
import unets
from comfy_extras.nodes_model_merging import ModelAdd, ModelMergeSimple
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.methods import METHODS
from safetensors.torch import load_file

TUNING = ("lamp", "tune-a-video", "recurrent")  # methods that tune projections of the image model


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def moved(model, method: str, strength: float = 1.0):
    recurrence = "fixed" if method == "recurrent" else ""
    fresh = MotionAdapter(method, {}, recurrence=recurrence)
    sites = bridge.sites_of(model, method)
    tensors = unets.random_weights(METHODS[method].build(fresh, sites, torch.nn), 1)
    tensors = {name: 0.3 * value for name, value in tensors.items()}
    return bridge.apply_adapter(model, MotionAdapter(method, tensors, recurrence=recurrence), strength)


@torch.inference_mode()
def output(model) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    latents, text = torch.randn(1, 4, 4, 8, 6, generator=generator), torch.randn(1, 9, 64, generator=generator)
    unets.load(model)
    return unets.eps_of(model, latents, torch.tensor([500.0]), text)[0]


def off(a: torch.Tensor, b: torch.Tensor) -> float:
    return (a - b).abs().max().item()


def checkpoint(model, file) -> dict[str, torch.Tensor]:
    comfy.sd.save_checkpoint(str(file), model)
    return load_file(file)


@pytest.mark.parametrize("sampled_before", [False, True])
@pytest.mark.parametrize("method", TUNING)
def test_a_saved_checkpoint_is_the_image_model(base, tmp_path, method, sampled_before):
    """With a LoRA on the same projection, which does go into the file."""
    key = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
    lora = {key: ("diff", (0.1 * torch.randn_like(base.model.state_dict()[key]),))}
    plain, model = base.clone(), moved(base, method)
    for patched in (plain, model):
        patched.add_patches(lora, 0.7)
    if sampled_before:
        output(model)
    found = checkpoint(model, tmp_path / "moved.safetensors")
    expected = checkpoint(plain, tmp_path / "plain.safetensors")
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)
    assert not torch.equal(found[f"model.{key}"], checkpoint(base, tmp_path / "base.safetensors")[f"model.{key}"])


@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize("method", TUNING)
def test_a_merge_keeps_all_of_the_first_models_motion_and_none_of_the_seconds(base, method, strength):
    other = unets.sd_model(unets.TINY, seed=7)
    model, expected = moved(base, method, strength), output(base)
    as_first = ModelMergeSimple().merge(model, base, 0.4)[0]
    as_second = ModelMergeSimple().merge(base, model, 0.4)[0]
    assert off(output(as_first), output(model)) < 1e-4 < 0.05 < off(output(model), expected)
    assert off(output(as_second), expected) < 1e-4
    added, plain_sum = ModelAdd().merge(other, model)[0], ModelAdd().merge(other, base)[0]
    assert torch.equal(output(added), output(plain_sum))


@pytest.mark.parametrize("method", TUNING)
def test_a_model_without_the_motion_is_itself_again(base, method):
    """The change sits on layers that all clones share while they are loaded, one after the other."""
    expected, model = output(base), moved(base, method)
    first = output(model)
    assert torch.equal(output(base), expected)
    assert torch.equal(output(model), first)
    assert torch.equal(output(base.clone()), expected)


class OwnWay(comfy.ops.disable_weight_init):
    """Layers as a pack of quantised models has them: weights are made while they are used, weight functions unheard."""

    class Linear(comfy.ops.disable_weight_init.Linear):
        def forward(self, x):
            return torch.nn.functional.linear(x, self.weight, self.bias)


class Quantised(comfy.supported_models.SD15):
    custom_operations = OwnWay


def test_layers_of_another_pack_get_the_tuned_queries_too(base):
    weights = base.model.diffusion_model.state_dict()
    other = unets.sd_model(unets.TINY, weights, family=Quantised)
    assert off(output(other), output(base)) < 1e-5
    assert off(output(moved(other, "lamp", 0.5)), output(moved(base, "lamp", 0.5))) < 1e-5
    assert torch.equal(output(other), output(unets.sd_model(unets.TINY, weights, family=Quantised)))
