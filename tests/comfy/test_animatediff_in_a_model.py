"""AnimateDiff inside ComfyUI's MODEL: exact at strength 0, stackable, its noise schedule set on the clip's model and on
no other.
"""

import pytest
import torch
import unets
from animatediff_models import FRAMES, animatediff_for, far, lamp_for, lora_for, output, sigma_max
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules import animatediff_file
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


@pytest.fixture(scope="module")
def plain(base):
    return output(base)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_strength_zero_is_the_model_itself(base, plain, version):
    nothing = bridge.apply_adapter(base, animatediff_for(base, version), 0.0)
    assert torch.equal(output(nothing), plain) and sigma_max(nothing) == sigma_max(base)


def test_a_fresh_module_adds_exactly_nothing(base, plain):
    adapter = animatediff_file.on_the_models_schedule(animatediff_for(base, fresh=True))
    assert torch.equal(output(bridge.apply_adapter(base, adapter)), plain)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_it_moves_the_model_and_leaves_nothing_behind(base, plain, version):
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    assert far(output(bridge.apply_adapter(base, animatediff_for(base, version))), plain) > 0.05
    assert torch.equal(output(base), plain)
    after = base.model.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], value) for name, value in before.items())


def test_strength_scales_what_is_added(base):
    adapter = animatediff_for(base)
    halved = {name: value / 2 if ".proj_out." in name else value for name, value in adapter.tensors.items()}
    expected = output(
        bridge.apply_adapter(base, MotionAdapter("animatediff", halved, joint_norm=False, schedule=adapter.schedule))
    )
    assert far(output(bridge.apply_adapter(base, adapter, 0.5)), expected) < 1e-5


def test_the_middle_block_is_version_2s_alone(base):
    """Between the middle transformer and the second ResBlock: without that layer version 2 is version 3."""
    v2 = animatediff_for(base, "v2")
    v3 = {name: value for name, value in v2.tensors.items() if not name.startswith("middle_block.")}
    quiet = {name: torch.zeros_like(value) if name.startswith("middle_block.") and ".proj_out." in name else value
             for name, value in v2.tensors.items()}  # fmt: skip
    outs = [
        output(bridge.apply_adapter(base, MotionAdapter("animatediff", tensors, joint_norm=False)))
        for tensors in (v2.tensors, quiet, v3)
    ]
    assert torch.equal(outs[1], outs[2]) and far(outs[0], outs[1]) > 0.01


@pytest.mark.parametrize("frames", [8, 16, 24])
def test_frame_counts(base, frames):
    model = bridge.apply_adapter(base, animatediff_for(base, "v1"))
    order = list(range(1, frames)) + [0]
    assert far(output(model, frames, order=order), output(model, frames)[order]) > 0.01  # the order of frames matters
    assert far(output(base, frames, order=order), output(base, frames)[order]) < 1e-5


@pytest.mark.parametrize("version, most", [("v1", 24), ("v3", 32)])
def test_too_many_frames_are_refused(base, version, most):
    model = bridge.apply_adapter(base, animatediff_for(base, version))
    with pytest.raises(
        ValueError, match=f"A clip of {most + 1} frames is longer than the {most} that this motion module tells apart"
    ) as caught:
        output(model, most + 1)
    assert "\n" not in str(caught.value)


def test_cond_and_uncond_together_are_cond_and_uncond_apart(base):
    model = bridge.apply_adapter(base, animatediff_for(base, "v1"))
    unets.load(model)
    x, text = torch.randn(2, FRAMES, 4, 8, 8), torch.randn(2, 9, 64)
    with torch.inference_mode():
        both = unets.eps_of(model, x, torch.tensor([300.0, 300.0]), text)
        apart = [unets.eps_of(model, x[i : i + 1], torch.tensor([300.0]), text[i : i + 1])[0] for i in range(2)]
    assert torch.allclose(both, torch.stack(apart), atol=1e-5)


# ------------------------------------------------------------------------------------------------ several adapters


def test_two_modules_add_up(base):
    one, two = animatediff_for(base), animatediff_for(base, seed=2)
    both = output(bridge.apply_adapter(bridge.apply_adapter(base, one, 0.5), two, 0.3))
    assert far(both, output(bridge.apply_adapter(bridge.apply_adapter(base, two, 0.3), one, 0.5))) < 1e-5
    assert far(both, output(bridge.apply_adapter(base, one, 0.5))) > 0.01
    assert torch.equal(
        output(bridge.apply_adapter(bridge.apply_adapter(base, one), two, 0.0)), output(bridge.apply_adapter(base, one))
    )


def test_stacking_with_lamp(base):
    """In either order the same; a module that adds nothing leaves LAMP as it is, first frame, norms and all."""
    moving = animatediff_file.on_the_models_schedule(animatediff_for(base))
    still = animatediff_file.on_the_models_schedule(animatediff_for(base, fresh=True))
    lamp = bridge.apply_adapter(base, lamp_for(base))
    both = output(bridge.apply_adapter(lamp, moving))
    assert far(both, output(bridge.apply_adapter(bridge.apply_adapter(base, moving), lamp_for(base)))) < 1e-5
    assert min(far(both, output(lamp)), far(both, output(bridge.apply_adapter(base, moving)))) > 0.01
    assert torch.equal(output(bridge.apply_adapter(lamp, still)), output(lamp))


def test_lora_changes_the_module_and_only_there(base):
    adapter = animatediff_for(base, "v2")
    lora, model = lora_for(adapter), bridge.apply_adapter(base, adapter)
    merged = dict(adapter.tensors)
    for name, up in lora.tensors.items():
        if name.endswith(".up.weight"):
            merged[name.replace(".up.", ".")] = (
                merged[name.replace(".up.", ".")] + 0.7 * up @ lora.tensors[name.replace(".up.", ".down.")]
            )
    expected = output(
        bridge.apply_adapter(base, MotionAdapter("animatediff", merged, joint_norm=False, schedule=adapter.schedule))
    )
    without = output(model)
    with_lora = bridge.apply_adapter(model, lora, 0.7)
    assert far(output(with_lora), expected) < 1e-5 and far(without, expected) > 1e-3
    assert torch.equal(output(model), without) and torch.equal(output(bridge.apply_adapter(model, lora, 0.0)), without)
    assert far(output(with_lora), expected) < 1e-5


def test_lora_without_its_module(base):
    adapter = animatediff_for(base)
    lora = lora_for(adapter)
    for model in (base, bridge.apply_adapter(base, lamp_for(base))):
        with pytest.raises(
            AdapterError,
            match="changes an AnimateDiff motion module, and this model has none: load the motion module first",
        ):
            bridge.apply_adapter(model, lora)
    with pytest.raises(AdapterError, match="acts as long as its motion module does"):
        bridge.apply_adapter(bridge.apply_adapter(base, adapter), lora, start_percent=0.5)


def test_a_module_for_another_base_is_refused(base):
    deeper = unets.sd_model({**unets.TINY, "channel_mult": [1, 2, 2], "num_res_blocks": [1, 1, 1],
                             "transformer_depth": [1, 0, 0],
                             "transformer_depth_output": [1, 1, 0, 0, 0, 0]})  # fmt: skip
    wider = unets.sd_model({**unets.TINY, "model_channels": 64})
    adapter = animatediff_for(base)
    part = MotionAdapter(
        "animatediff", {name: value for name, value in adapter.tensors.items() if not name.startswith("input_")}
    )
    for module, model, reason in (
        (
            adapter,
            wider,
            r"Stable Diffusion 1.x, the model is Stable Diffusion 1.x: its input_blocks.1.* is \(32,\), the model has "
            r"\(64,\) there",
        ),
        (
            adapter,
            deeper,
            r"its output_blocks.2.* is \(32,\), the model has \(64,\) there. Load the checkpoint family it was trained "
            r"on",
        ),
        (animatediff_for(deeper), base, "the model has no such layer there"),
        (part, base, "it has no layer for 2 of the model's rows, input_blocks.1 for one. Load the checkpoint family"),
    ):
        with pytest.raises(AdapterError, match=f"This adapter was made for .*{reason}") as caught:
            bridge.apply_adapter(model, module)
        assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ the noise schedule


# ------------------------------------------------------------------------------------------------ nodes
