"""A motion module that brings its own reading of the text: a change of the image model's text keys and values, in the same file."""

import pytest
import torch
import unets
from few_shot_motion.motion_modules.adapter import MotionAdapter, read_own, save_adapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformers, initialise, row_of
from few_shot_motion.nodes import bridge, training_host

FRAMES = 4


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def module_for(model) -> TemporalTransformers:
    weights = model.model.diffusion_model.state_dict()
    text = {
        name.removesuffix(".weight"): w.shape for name, w in weights.items() if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))
    }
    assert text
    return initialise(TemporalTransformers(bridge.sites_of(model, "animatediff"), text=text))


def adapter_for(model) -> MotionAdapter:
    """Layers that add nothing, text changes that do."""
    tensors = module_for(model).state_dict()
    generator = torch.Generator().manual_seed(3)
    changed = {
        name: 0.1 * torch.randn(value.shape, generator=generator) for name, value in tensors.items() if name.endswith(".delta.weight")
    }
    return MotionAdapter("animatediff", {**tensors, **changed}, joint_norm=False)


@torch.inference_mode()
def output(model) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    latents, text = torch.randn(1, FRAMES, 4, 8, 8, generator=generator), torch.randn(1, 9, 64, generator=generator)
    unets.load(model)
    return unets.eps_of(model, latents, torch.tensor([500.0]), text)[0]


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_change_is_added_to_the_text_projections(base, tmp_path, strength):
    adapter = adapter_for(base)
    kept = read_own(save_adapter(adapter, tmp_path / "words.safetensors", torch.float32))
    by_hand = base.clone()
    changes = {name: value for name, value in adapter.tensors.items() if name.endswith(".delta.weight")}
    by_hand.add_patches(
        {f"diffusion_model.{name.replace('.delta', '')}": ("diff", (strength * value,)) for name, value in changes.items()}, 1.0
    )
    plain, expected = output(base), output(by_hand)
    assert torch.equal(output(bridge.apply_adapter(base, kept, strength)), expected)
    assert torch.equal(expected, plain) == (strength == 0)
    assert torch.equal(output(base), plain)


def test_its_changes_belong_to_rows(base):
    rows = {site.path for site in bridge.sites_of(base, "animatediff")}
    assert {row_of(name) for name in adapter_for(base).tensors} <= rows


def test_its_changes_are_trained_along(base):
    """The gradient reaches them through ComfyUI's weight wrappers."""
    model, module = training_host.trainable_model(base), module_for(base)
    with torch.inference_mode(False), torch.enable_grad():
        for parameter in module.parameters():
            parameter.requires_grad_(True)
        options = training_host.attach(model, module, False, False)
        condition = {"c_crossattn": torch.randn(FRAMES, 9, 64, generator=torch.Generator().manual_seed(1))}
        predict = training_host.denoiser(model, options, [condition], None)
        x = torch.randn(1, FRAMES, 4, 8, 8, generator=torch.Generator().manual_seed(2))
        predict(x, torch.tensor([1.0])).square().mean().backward()
    assert all(float(delta.delta.weight.grad.abs().max()) > 0 for delta in module.weight_deltas().values())
