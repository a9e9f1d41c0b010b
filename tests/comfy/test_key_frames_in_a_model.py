"""Self-attention to other frames in ComfyUI's MODEL: a bare rule, rules that cannot act at once, blocks that another
node has replaced.
"""

import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter
from few_shot_motion.motion_modules.module import MotionModule, initialise

FRAMES = 4


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


@torch.inference_mode()
def output(model) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    latents, text = torch.randn(1, FRAMES, 4, 8, 6, generator=generator), torch.randn(1, 9, 64, generator=generator)
    unets.load(model)
    return unets.eps_of(model, latents, torch.tensor([500.0]), text)[0]


def an_adapter(model) -> MotionAdapter:
    return MotionAdapter("lamp", dict(initialise(MotionModule(bridge.sites_of(model))).state_dict()), joint_norm=False)


def test_a_bare_rule_is_an_adapter_that_adds_nothing(base):
    bare = output(bridge.attend_to(base, ("first",)))
    assert torch.equal(bare, output(bridge.apply_adapter(base, an_adapter(base))))
    assert (bare - output(base)).abs().max() > 1e-3
    with_adapter = bridge.apply_adapter(bridge.attend_to(base, ("first",)), an_adapter(base))
    assert torch.equal(output(with_adapter), bare)


def test_a_bare_rule_acts_in_its_range_only(base):
    assert torch.equal(output(bridge.attend_to(base, ("first",), start_percent=0.9)), output(base))


def test_two_rules_cannot_act_at_once(base):
    with pytest.raises(
        AdapterError,
        match="looks at the first frame, that of an adapter already in the model at the first frame and the former "
        "frame",
    ):
        bridge.apply_adapter(bridge.attend_to(base, ("first", "former")), an_adapter(base))


@pytest.mark.parametrize("rule", [("first",), ("first", "former")])
def test_a_block_that_another_node_replaced_gets_its_own_frames(base, rule):
    """As Perturbed-Attention Guidance does it: the block's attention becomes its values."""
    seen = []

    def perturbed(q, k, v, extra):
        seen.append((q.shape, k.shape, v.shape))
        return v

    model = bridge.attend_to(base, rule)
    model.set_model_attn1_replace(perturbed, "middle", 0)
    assert torch.isfinite(output(model)).all()
    assert seen == [(seen[0][0],) * 3] and seen[0][0][0] == FRAMES
