"""Motion layers that tell subject from background."""

import pytest
import torch
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.layers import MotionConv
from few_shot_motion.motion_modules.mask_predictor import MaskContext, MaskPredictor
from few_shot_motion.motion_modules.methods import place
from few_shot_motion.motion_modules.module import MotionModule, initialise
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.motion_modules.sites import Site

SITES = [Site("input_blocks.0.0", 6, is_block=False), Site("input_blocks.1.1.transformer_blocks.0", 8, is_block=True)]
FRAMES = 4


@pytest.fixture
def layer() -> MotionConv:
    torch.manual_seed(0)
    return MotionConv(6, split=True)


def added(layer: MotionConv, *given) -> torch.Tensor:
    """What a layer adds, `(b f) c h w`."""
    gate, moved = layer(*given)
    return (gate * moved).flatten(0, 1)


def motion(conv: torch.nn.Conv1d, y: torch.Tensor, clip: int, frame: int) -> torch.Tensor:
    """A causal convolution over frames, written out: frames i-2, i-1 and i of one position; `c h w`."""
    total = conv.bias[:, None, None].expand_as(y[0]).clone()
    for tap in range(3):
        if (source := frame - 2 + tap) >= 0:
            total += torch.einsum("oc,chw->ohw", conv.weight[:, :, tap], y[clip * FRAMES + source])
    return total


@pytest.mark.parametrize("given", [False, True])
def test_subject_and_background_move_by_convolutions_of_their_own(layer, given):
    y, mask = torch.randn(2 * FRAMES, 6, 5, 7), torch.rand(FRAMES, 5, 7)
    out = added(layer, y, FRAMES, mask if given else None)
    logits = torch.nn.functional.conv2d(y, layer.conv_gate.weight, layer.conv_gate.bias, padding=1)
    gate, share = torch.sigmoid(logits).unbind(dim=1)
    for clip in range(2):
        for frame in range(FRAMES):
            lamp, f = gate[clip * FRAMES + frame], mask[frame] if given else share[clip * FRAMES + frame]
            f, b = lamp * f, lamp * (1 - f)
            expected = f * motion(layer.conv1d, y, clip, frame) + b * motion(layer.conv1d_background, y, clip, frame)
            assert torch.allclose(out[clip * FRAMES + frame], expected, atol=1e-5)


def test_one_mask_serves_all_frames_at_any_size(layer):
    y, mask = torch.randn(2 * FRAMES, 6, 4, 4), (torch.rand(1, 32, 32) > 0.5).float()
    assert torch.equal(added(layer, y, FRAMES, mask), added(layer, y, FRAMES, mask.repeat(FRAMES, 1, 1)))


def test_what_a_layer_takes_for_the_subject_is_told_in_training_only(layer):
    y, gates = torch.randn(2 * FRAMES, 6, 4, 4), []
    layer.eval()(y, FRAMES, gates=gates)
    assert gates == []
    layer.train()(y, FRAMES, gates=gates)
    logits = layer.conv_gate(y)
    assert gates[0].shape == (2, FRAMES, 4, 4)
    assert torch.equal(gates[0].flatten(0, 1), logits[:, 1])


def test_fresh_split_layers_add_nothing_and_all_learn():
    layer, gates = initialise(MotionModule(SITES, split=True)).train().layers["input_blocks.0.0"], []
    out = added(layer, torch.randn(FRAMES, 6, 4, 4), FRAMES, None, gates)
    assert not out.any()
    ((out - 1).square().sum() + gates[0].exp().sum()).backward()
    assert all(parameter.grad.any() for parameter in layer.parameters())


def test_two_equal_parts_are_lamps_layer(layer):
    plain, y = MotionConv(6), torch.randn(2 * FRAMES, 6, 4, 4)
    layer.conv1d_background.load_state_dict(layer.conv1d.state_dict())
    plain.load_state_dict(
        {**{f"conv1d.{k}": v for k, v in layer.conv1d.state_dict().items()},
         **{f"conv_gate.{k}": v[:1] for k, v in layer.conv_gate.state_dict().items()}}
    )  # fmt: skip
    for mask in (None, torch.rand(FRAMES, 4, 4)):
        assert torch.allclose(added(layer, y, FRAMES, mask), added(plain, y, FRAMES), atol=1e-6)


def test_a_plain_layer_knows_no_mask():
    assert set(dict(MotionConv(6).named_parameters())) == {
        f"{part}.{kind}" for part in ("conv_gate", "conv1d") for kind in ("weight", "bias")
    }


@pytest.mark.parametrize("rank", [0, 2])
def test_files_keep_the_split_and_what_learnt_from_masks_apart_from_the_motion(tmp_path, rank):
    torch.manual_seed(0)
    module = MotionModule(SITES, rank, split=True)
    predictor, context = MaskPredictor(4, 8, scale=0.18215), MaskContext()
    learnt = {f"mask_predictor.{name}": value for name, value in predictor.state_dict().items()}
    learnt |= {f"mask_context.{name}": value for name, value in context.state_dict().items()}
    adapter = MotionAdapter("lamp", dict(module.state_dict()), rank, metadata={"mask_input": "x0"}, mask_tensors=learnt)
    again = load_adapter(save_adapter(adapter, tmp_path / "a.safetensors", torch.float32), None)
    assert again.split and again.metadata["split"] == "subject and background" and again.metadata["mask_input"] == "x0"
    assert set(again.tensors) == set(adapter.tensors) and set(again.mask_tensors) == set(learnt)
    assert all(torch.equal(again.mask_tensors[name], value) for name, value in learnt.items())
    placed, y = place(again, SITES, torch.float32), torch.randn(FRAMES, 6, 4, 4)
    found, expected = (added(made.layers["input_blocks.0.0"], y, FRAMES) for made in (placed, module.eval()))
    assert torch.allclose(found, expected, atol=1e-6)
    assert "split into subject and background" in again.describe() and "masks: x0" in again.describe()


def test_an_adapter_without_masks_says_nothing_of_them(tmp_path):
    adapter = MotionAdapter("lamp", dict(MotionModule(SITES).state_dict()))
    again = load_adapter(save_adapter(adapter, tmp_path / "a.safetensors"), None)
    assert not again.split and not again.mask_tensors and not {"split", "mask_input"} & set(again.metadata)
    assert MaskContext.of(again.mask_tensors) is None
