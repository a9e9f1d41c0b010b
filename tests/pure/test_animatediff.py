"""AnimateDiff without a UNet: its layers, and what its files are recognised by."""

import math

import pytest
import torch
from animatediff_files import BLOCKS, CHANNELS, lora_file, module_file
from few_shot_motion.motion_modules import adapter_file as files
from few_shot_motion.motion_modules import animatediff, animatediff_file, animatediff_lora
from few_shot_motion.motion_modules.adapter import AdapterError
from few_shot_motion.motion_modules.animatediff import TemporalTransformer
from few_shot_motion.motion_modules.methods import MOTION_LORA, place
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.motion_modules.sites import Site
from safetensors.torch import save_file
from torch import nn

# ------------------------------------------------------------------------------------------------ layers


def test_positions_are_sines_and_cosines():
    table = animatediff.frame_positions(24, 8)[0]
    for frame, i in ((0, 0), (5, 0), (7, 3), (23, 2)):
        angle = frame * 10000 ** (-2 * i / 8)
        assert table[frame, 2 * i : 2 * i + 2].tolist() == pytest.approx([math.sin(angle), math.cos(angle)], abs=1e-5)


def test_values_see_positions_too():
    """With one attention weight everywhere the output is the mean of the values, positions and all."""
    attention = animatediff.FrameAttention(8, 16)
    nn.init.zeros_(attention.to_q.weight)
    x = torch.randn(3, 16, 8)
    mean = attention.to_v(x + animatediff.frame_positions(16, 8)).mean(1, keepdim=True)
    assert torch.allclose(attention(x, 2), attention.to_out[0](mean).expand(3, 16, 8), atol=1e-6)


@torch.no_grad()
def test_only_positions_tell_frames_apart():
    torch.manual_seed(0)
    layer = TemporalTransformer(CHANNELS)
    x, order = torch.randn(6, CHANNELS, 3, 2), torch.tensor([3, 0, 5, 1, 4, 2])
    assert (layer(x[order], 6) - layer(x, 6)[:, order]).abs().max() > 1e-3
    for block in layer.transformer_blocks:
        for attention in block.attention_blocks:
            attention.pos_encoder.pe.zero_()
    assert torch.allclose(layer(x[order], 6), layer(x, 6)[:, order], atol=1e-5)


@torch.no_grad()
def test_joint_norm_is_over_the_frames_of_one_clip():
    layer = TemporalTransformer(CHANNELS, joint_norm=True)
    clips = torch.randn(2, 4, CHANNELS, 3, 2) * torch.tensor([1.0, 9.0]).view(2, 1, 1, 1, 1)
    both = layer(clips.flatten(0, 1), 4)
    assert torch.allclose(both[1], layer(clips[1], 4)[0], atol=1e-5)
    layer.joint_norm = False
    assert (both[1] - layer(clips[1], 4)[0]).abs().max() > 1e-3


def test_half_precision_keeps_positions_exact():
    adapter = animatediff_file.read("a", module_file())
    sites = [Site(row, CHANNELS, is_block=False) for row in BLOCKS.values()]
    module = place(adapter, sites, torch.float16)
    kinds = {name: value.dtype for name, value in module.state_dict().items()}
    assert all(dtype == (torch.float32 if name.endswith(".pe") else torch.float16) for name, dtype in kinds.items())
    assert torch.isfinite(module.layers["input_blocks.1"](torch.randn(8, CHANNELS, 2, 2).half(), 8)).all()


# ------------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("layout", ["original", "diffusers"])
@pytest.mark.parametrize("prefix", ["", "module.", "unet."])
def test_both_layouts_are_the_same_module(layout, prefix):
    expected = animatediff_file.read("a", module_file())
    found = animatediff_file.read("a", module_file(layout=layout, prefix=prefix))
    assert {animatediff.row_of(name) for name in found.tensors} == set(BLOCKS.values())
    assert found.tensors.keys() == expected.tensors.keys()
    assert all(torch.equal(found.tensors[name], value) for name, value in expected.tensors.items())
    assert layout in found.describe() or layout == "diffusers" and "diffusers' names" in found.describe()


def test_rows_of_stable_diffusion():
    down = [animatediff_file.row_name("down_blocks", i, j, 2) for i in range(4) for j in range(2)]
    assert down == [f"input_blocks.{row}" for row in (1, 2, 4, 5, 7, 8, 10, 11)]
    assert [animatediff_file.row_name("up_blocks", i, j, 2) for i in range(4) for j in range(3)] == [
        f"output_blocks.{row}" for row in range(12)
    ]


@pytest.mark.parametrize(
    "middle, frames, version, joint",
    [
        (False, 24, "v1", True),
        (False, 32, "v3", False),
        (True, 32, "v2", False),
        (True, 24, "v2", False),
        (False, 64, "v3", False),
    ],
)
def test_version(middle, frames, version, joint):
    blocks = (*BLOCKS, "mid_block.motion_modules.0") if middle else tuple(BLOCKS)
    found = animatediff_file.read("a", module_file(blocks, frames))
    assert (found.metadata["version"], found.joint_norm, found.joint_own_norm) == (version, joint, False)
    assert found.metadata["frames"] == str(frames) and found.schedule["beta_schedule"] == "sqrt_linear"


def test_files_without_positions():
    """They get the formula's; an original one without is AnimateLCM, whose author states the schedule of the others."""
    for layout, kind in (("diffusers", "AnimateDiff v3"), ("original", "AnimateLCM")):
        bare = {name: value for name, value in module_file(layout=layout).items() if not name.endswith(".pe")}
        found = animatediff_file.read("a", bare)
        assert found.describe().startswith(kind) and found.schedule == animatediff_file.SD_SCHEDULE
        pe = found.tensors["input_blocks.1.temporal_transformer.transformer_blocks.0.attention_blocks.1.pos_encoder.pe"]
        assert torch.equal(pe, animatediff.frame_positions(64, CHANNELS))


def test_a_pickle_with_its_wrapping(tmp_path):
    torch.save(
        {"epoch": 3, "state_dict": {"animatediff_config": {"a": 1}, **module_file(prefix="module.")}},
        tmp_path / "mm.ckpt",
    )
    assert load_adapter(tmp_path / "mm.ckpt", None).metadata["version"] == "v3"


def test_round_trip_in_our_own_format(tmp_path):
    adapter = animatediff_file.as_diffusers(animatediff_file.read("a", module_file(frames=24)))
    again = load_adapter(files.save_adapter(adapter, tmp_path / "a.safetensors"), None)
    assert (again.method, again.joint_norm, again.joint_own_norm, again.schedule) == (
        "animatediff",
        False,
        True,
        animatediff_file.SD_SCHEDULE,
    )
    assert again.describe().startswith("AnimateDiff v1 motion module")
    positions = [name for name in adapter.tensors if name.endswith(".pe")]
    assert positions and all(torch.equal(again.tensors[name], adapter.tensors[name]) for name in positions)
    lora = animatediff_lora.read("a", lora_file())
    again = load_adapter(files.save_adapter(lora, tmp_path / "lora.safetensors", torch.float32), None)
    assert again.method == MOTION_LORA and all(
        torch.equal(again.tensors[name], value) for name, value in lora.tensors.items()
    )


def without(tensors: dict, part: str) -> dict:
    return {name: value for name, value in tensors.items() if part not in name}


SPATIAL = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight"
LORA_QUERY = "motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.processor.to_q_lora"
REFUSED = {
    "SparseCtrl": ({**module_file(), "controlnet_cond_embedding.weight": torch.zeros(1)},
                   "is a SparseCtrl encoder, which this pack"),
    "PIA": ({**module_file(), "conv_in.weight": torch.zeros(4, 9, 3, 3)}, "is a PIA module"),
    "LCM I2V": ({**module_file(), "img_encoder.x": torch.zeros(1)}, "is AnimateLCM's image-to-video module"),
    "HotshotXL": ({"down_blocks.0.temporal_attentions.0.norm.weight": torch.zeros(1)}, "is a HotshotXL module"),
    "one tensor lost": (without(module_file(), "down_blocks.0.motion_modules.0.temporal_transformer.proj_out.bias"),
                        "no whole AnimateDiff motion module: 1 tensors are "
                        "missing.*input_blocks.1.temporal_transformer.proj_out.bias"),
    "one tensor more": ({**module_file(), "up_blocks.0.motion_modules.0.temporal_transformer.x": torch.zeros(1)},
                        "foreign.*output_blocks.0.*x for"),
    "domain adapter": ({SPATIAL: torch.zeros(2, 2)}, "is a LoRA of the image model, AnimateDiff's v3 adapter for one: "
                                                     "load it with Load LoRA"),
    "LoRA with more": ({**lora_file(), SPATIAL: torch.zeros(2, 2)}, "changes more than the matrices of a motion "
                                                                    "module"),
    "LoRA with a half": (without(lora_file(), f"down_blocks.0.{LORA_QUERY}.up"), "no whole motion LoRA: "
                                                                                 "input_blocks.1.*to_q has down and "
                                                                                 "not both"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_other_files_are_refused_in_one_sentence(case, tmp_path):
    tensors, message = REFUSED[case]
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(AdapterError, match=f"^a.safetensors .*{message}") as caught:
        load_adapter(tmp_path / "a.safetensors", None)
    assert "\n" not in str(caught.value)


def test_an_adapter_of_an_unknown_method(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", {"few_shot_motion": "1", "method": "magic"})
    with pytest.raises(AdapterError, match="of the method 'magic', this pack knows lamp, animatediff"):
        load_adapter(tmp_path / "a.safetensors", None)


# ------------------------------------------------------------------------------------------------ motion LoRA


def test_lora_scale_and_places():
    path = "up_blocks.1.motion_modules.1.temporal_transformer.transformer_blocks.0.attention_blocks.1"
    down, up = torch.randn(2, CHANNELS), torch.randn(CHANNELS, 2)
    file = {f"lora_unet_{path.replace('.', '_')}_to_out_0.{part}": value
            for part, value in (("lora_down.weight", down), ("lora_up.weight", up),
                                ("alpha", torch.tensor(1.0)))}  # fmt: skip
    weight = "output_blocks.3.temporal_transformer.transformer_blocks.0.attention_blocks.1.to_out.0.weight"
    found = animatediff_lora.pairs(animatediff_lora.read("a", file), {weight: torch.Size([CHANNELS, CHANNELS])})
    assert list(found) == [weight]
    assert torch.allclose(found[weight][0] @ found[weight][1], 0.5 * up @ down, atol=1e-6)


def test_lora_and_module_without_a_middle():
    shapes = {name: value.shape for name, value in animatediff_file.read("a", module_file()).tensors.items()}
    with_middle = animatediff_lora.read("a", lora_file(blocks=(*BLOCKS, "mid_block.motion_modules.0")))
    assert len(animatediff_lora.pairs(with_middle, shapes)) == 8 * len(BLOCKS)
    wider = {name: torch.Size([2 * size for size in shape]) for name, shape in shapes.items()}
    with pytest.raises(
        AdapterError, match=r"made for another motion module: its change of .* is \(32, 32\), the module has \(64, 64\)"
    ):
        animatediff_lora.pairs(with_middle, wider)
    fewer = {name: shape for name, shape in shapes.items() if not name.startswith("output_blocks.3.")}
    with pytest.raises(AdapterError, match="the module has no such weight"):
        animatediff_lora.pairs(with_middle, fewer)
