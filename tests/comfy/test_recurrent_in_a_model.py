"""Tune-A-Video and recurrent attention in ComfyUI's MODEL: strength, guidance, other UNets, and nothing left behind."""

import comfy.supported_models
import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter
from few_shot_motion.motion_modules.methods import METHODS
from few_shot_motion.motion_modules.module import initialise
from few_shot_motion.motion_modules.recurrent import FORMS

FRAMES = 4
KINDS = ["tune-a-video", *FORMS]


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def made_for(model, kind: str, fresh: bool = False, joint_norm: bool = True) -> MotionAdapter:
    method, form = (kind, "") if kind in METHODS else ("recurrent", kind)
    adapter = MotionAdapter(method, {}, joint_norm=joint_norm, recurrence=form)
    module = METHODS[method].build(adapter, bridge.sites_of(model, method), torch.nn)
    tensors = (
        dict(initialise(module).state_dict())
        if fresh
        else {k: 0.3 * v for k, v in unets.random_weights(module, 1).items()}
    )
    return MotionAdapter(method, tensors, joint_norm=joint_norm, recurrence=form)


@torch.inference_mode()
def output(model, clips: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    latents, text = torch.randn(2, FRAMES, 4, 8, 6, generator=generator), torch.randn(2, 9, 64, generator=generator)
    unets.load(model)
    return unets.eps_of(model, latents[:clips], torch.full((clips,), 500.0), text[:clips])


@pytest.mark.parametrize("kind", KINDS)
def test_strength_is_continuous_and_nothing_is_left_behind(base, kind):
    plain, adapter = output(base), made_for(base, kind)
    assert torch.equal(output(bridge.apply_adapter(base, adapter, 0.0)), plain)
    full, nearly, barely = (output(bridge.apply_adapter(base, adapter, strength)) for strength in (1.0, 1 - 1e-4, 1e-4))
    assert (full - plain).abs().max() > 0.05
    assert (full - nearly).abs().max() < 5e-3 and (barely - plain).abs().max() < 5e-3
    both = output(bridge.apply_adapter(base, adapter), clips=2)
    assert torch.allclose(both[:1], full, atol=1e-5)
    assert torch.equal(output(base), plain)


def test_a_fresh_fixed_memory_is_the_base_method(base):
    """Sparse-causal attention, as Tune-A-Video has it; the released form dilutes it with zeros."""
    fresh = [output(bridge.apply_adapter(base, made_for(base, kind, fresh=True))) for kind in ("tune-a-video", "fixed")]
    assert torch.allclose(*fresh, atol=1e-6)
    assert (fresh[0] - output(bridge.apply_adapter(base, made_for(base, "official", fresh=True)))).abs().max() > 1e-2


def test_two_memories_cannot_act_at_once(base):
    one = bridge.apply_adapter(base, made_for(base, "fixed"))
    with pytest.raises(
        AdapterError, match="already in the model at the first frame and the former frame and a memory of its own"
    ):
        bridge.apply_adapter(one, made_for(base, "fixed"))
    halves = bridge.apply_adapter(
        bridge.apply_adapter(base, made_for(base, "tune-a-video"), 0.5), made_for(base, "tune-a-video"), 0.5
    )
    assert torch.isfinite(output(halves)).all()


@pytest.mark.parametrize("kind", ["tune-a-video", "fixed"])
def test_a_unet_of_stable_diffusion_2(kind):
    topology = {**unets.TINY, "model_channels": 64, "use_linear_in_transformer": True}
    model = unets.sd_model(topology, family=comfy.supported_models.SD20)
    assert torch.isfinite(output(bridge.apply_adapter(model, made_for(model, kind)))).all()


def test_a_memory_in_a_block_that_another_node_replaced(base):
    model = bridge.apply_adapter(base, made_for(base, "fixed"))
    model.set_model_attn1_replace(lambda q, k, v, extra: v, "middle", 0)
    assert torch.isfinite(output(model)).all()
