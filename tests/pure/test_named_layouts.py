"""Random weights in every layout that has a name: what each is taken for, or the sentence that says what to do."""

import json

import pytest
import torch
from few_shot_motion.motion_modules import animatediff_lora
from few_shot_motion.motion_modules.adapter import AdapterError
from few_shot_motion.motion_modules.animatediff import TemporalTransformer
from few_shot_motion.motion_modules.animatediff_file import SD_SCHEDULE, SDXL_SCHEDULE
from few_shot_motion.motion_modules.released import load_adapter
from safetensors.torch import save_file

SD_BLOCKS = [*(f"down_blocks.{i}.motion_modules.0" for i in range(4)), "up_blocks.0.motion_modules.0"]
SDXL_BLOCKS = [name for name in SD_BLOCKS if "_blocks.3." not in name]  # three levels, and as in every one: 320 wide
MIDDLE = ["mid_block.motion_modules.0"]


def module_tensors(blocks, frames, layout) -> dict[str, torch.Tensor]:
    """A motion module of 320 channels everywhere in original names or diffusers'; frames 0: without positions."""
    layer = {name: value.half() for name, value in TemporalTransformer(320, frames or 32).state_dict().items()}
    if not frames:
        layer = {name: value for name, value in layer.items() if not name.endswith(".pe")}
    made = {}
    for block in blocks:
        for name, value in layer.items():
            if layout == "original":
                made[f"{block}.temporal_transformer.{name}"] = value.clone()
                continue
            if ".1.pos_encoder" in name:
                continue
            for old, new in (("attention_blocks.0.pos_encoder.pe", "pos_embed.pe"), ("ff_norm", "norm3"),
                             ("attention_blocks.0", "attn1"), ("attention_blocks.1", "attn2"), ("norms.0", "norm1"),
                             ("norms.1", "norm2")):  # fmt: skip
                name = name.replace(old, new)
            made[f"{block}.{name}"] = value.clone()
    return made


NAMED = {  # blocks, positions in the file; version, schedule, UNet's norm joint, own norm joint, base, most frames
    "v1": (SD_BLOCKS, 24, "v1", SD_SCHEDULE, True, False, "Stable Diffusion 1.x", 24),
    "v2": (SD_BLOCKS + MIDDLE, 32, "v2", SD_SCHEDULE, False, False, "Stable Diffusion 1.x", 32),
    "v3": (SD_BLOCKS, 32, "v3", SD_SCHEDULE, False, False, "Stable Diffusion 1.x", 32),
    "SDXL": (SDXL_BLOCKS, 32, "SDXL", SDXL_SCHEDULE, False, True, "SDXL", 32),
    "AnimateLCM": (SD_BLOCKS + MIDDLE, 0, "v2", SD_SCHEDULE, False, False, "Stable Diffusion 1.x", 64),
    "LongAnimateDiff": (SD_BLOCKS, 64, "v3", SD_SCHEDULE, False, False, "Stable Diffusion 1.x", 64),
}


@pytest.mark.parametrize("layout", ["original", "diffusers"])
@pytest.mark.parametrize("name", NAMED)
def test_motion_modules(name, layout, tmp_path):
    blocks, frames, version, schedule, joint, own, base, most = NAMED[name]
    save_file(module_tensors(blocks, frames, layout), tmp_path / "mm.safetensors")
    found = load_adapter(tmp_path / "mm.safetensors", None)
    assert (found.metadata["version"], found.schedule, found.metadata["base"]) == (version, schedule, base)
    assert (found.joint_norm, found.joint_own_norm, found.metadata["frames"]) == (joint, own, str(most))
    assert ("AnimateLCM" in found.describe()) == (name == "AnimateLCM" and layout == "original")


def test_animatelcm_with_the_table_its_code_makes(tmp_path):
    tensors = module_tensors(SD_BLOCKS + MIDDLE, 64, "original")
    tensors = {name.replace("pos_encoder.pe", "pos_encoder.pos_encoding"): value for name, value in tensors.items()}
    save_file(tensors, tmp_path / "lcm.safetensors")
    found = load_adapter(tmp_path / "lcm.safetensors", None)
    assert "AnimateLCM" in found.describe() and found.metadata["frames"] == "64"
    assert sum(name.endswith(".pe") for name in found.tensors) == 2 * len(SD_BLOCKS + MIDDLE)


# ------------------------------------------------------------------------------------------------ motion LoRAs

BLOCK = "down_blocks.0.motion_modules.1.temporal_transformer"
ROW = "input_blocks.2.temporal_transformer"
ATTENTION, FEED = f"{BLOCK}.transformer_blocks.0.attention_blocks.1", f"{BLOCK}.transformer_blocks.0.ff.net"
TARGETS = {  # name in the file, without what says down or up -> the weight it changes, and its shape
    "MotionDirector": {
        f"{ATTENTION}.processor.to_q_lora.{{}}.weight": ("attention_blocks.1.to_q", (32, 32)),
        f"{ATTENTION}.to_out.processor.0_lora.{{}}.weight": ("attention_blocks.1.to_out.0", (32, 32)),
        f"{FEED}.0.processor.proj_lora.{{}}.weight": ("ff.net.0.proj", (256, 32)),
        f"{FEED}.processor.2_lora.{{}}.weight": ("ff.net.2", (32, 128)),
    },
    "MotionDirector, plain": {
        f"{ATTENTION}.to_v.lora_{{}}.weight": ("attention_blocks.1.to_v", (32, 32)),
        f"{ATTENTION}.to_out.0.lora_{{}}.weight": ("attention_blocks.1.to_out.0", (32, 32)),
        f"{FEED}.0.proj.lora_{{}}.weight": ("ff.net.0.proj", (256, 32)),
        f"{FEED}.2.lora_{{}}.weight": ("ff.net.2", (32, 128)),
    },
    "MotionDirector on a whole module": {
        f"{BLOCK}.processor.proj_in_lora.{{}}.weight": ("proj_in", (32, 32)),
        f"{BLOCK}.processor.proj_out_lora.{{}}.weight": ("proj_out", (32, 32)),
    },
    "original": {f"{ATTENTION}.processor.to_out_lora.{{}}.weight": ("attention_blocks.1.to_out.0", (32, 32))},
    "kohya": {
        f"lora_unet_{ATTENTION.replace('.', '_')}_to_k.lora_{{}}.weight": ("attention_blocks.1.to_k", (32, 32)),
        f"lora_unet_{FEED.replace('.', '_')}_2.lora_{{}}.weight": ("ff.net.2", (32, 128)),
    },
}  # fmt: skip


@pytest.mark.parametrize("names", TARGETS)
def test_motion_loras(names, tmp_path):
    torch.manual_seed(0)
    file, expected = {}, {}
    for name, (weight, shape) in TARGETS[names].items():
        path = f"{ROW}.{weight}" if weight.startswith("proj") else f"{ROW}.transformer_blocks.0.{weight}"
        up, down = torch.randn(shape[0], 4), torch.randn(4, shape[1])
        file |= {name.format("up"): up, name.format("down"): down}
        expected[f"{path}.weight"] = up @ down
    save_file(file, tmp_path / "lora.safetensors")
    module = TemporalTransformer(32)
    shapes = {f"{ROW}.{name}": value.shape for name, value in module.state_dict().items()}
    changes = animatediff_lora.pairs(load_adapter(tmp_path / "lora.safetensors", None), shapes)
    assert changes.keys() == expected.keys()
    assert all(torch.allclose(up @ down, expected[name], atol=1e-5) for name, (up, down) in changes.items())


# ------------------------------------------------------------------------------------------------ something else

QUERY = "temporal_transformer.transformer_blocks.0.attention_blocks.0.to_q.weight"
MATRIX = torch.zeros(2, 2)
KIN = {
    "SparseCtrl": ({"controlnet_cond_embedding.conv_in.weight": MATRIX, f"down_blocks.0.motion_modules.0.{QUERY}":
                    MATRIX}, "is a SparseCtrl encoder"),
    "SparseCtrl, nested": ({"controlnet": {"module.controlnet_cond_embedding.conv_in.weight": MATRIX}},
                           "is a SparseCtrl encoder"),
    "CameraCtrl": ({"epoch": 3, "pose_encoder_state_dict": {"encoder_down_conv_blocks.0.0.weight": MATRIX},
                    "attention_processor_state_dict": {
                        f"down_blocks.0.motion_modules.0.{QUERY[:-12]}.processor.qkv_merge.weight": MATRIX}},
                   "is a camera encoder of CameraCtrl"),
    "CameraCtrl, for other packs": ({f"down_blocks.0.motion_modules.0.{QUERY[:-12]}.processor.qkv_merge.bias": MATRIX},
                                    "is a camera encoder of CameraCtrl"),
    "FancyVideo": ({"state_dict": {"fps_embedding.linear.weight": MATRIX, "conv_in.weight": torch.zeros(4, 9, 3, 3),
                                   f"down_blocks.0.motion_modules.0.{QUERY}": MATRIX}}, "is FancyVideo's UNet"),
    "PIA": ({"conv_in.weight": torch.zeros(4, 9, 3, 3), f"down_blocks.0.motion_modules.0.{QUERY}": MATRIX},
            "is a PIA module"),
    "AnimateLCM I2V": ({"img_encoder.a.weight": MATRIX, f"down_blocks.0.motion_modules.0.{QUERY}": MATRIX},
                       "is AnimateLCM's image-to-video module"),
    "HotshotXL": ({"down_blocks.0.temporal_attentions.0.norm.weight": MATRIX}, "is a HotshotXL module"),
    "ModelScope": ({"input_blocks.1.0.temopral_conv.conv1.0.weight": MATRIX}, "load it with Load ModelScope T2V"),
    "ModelScope, diffusers": ({"down_blocks.0.temp_convs.0.conv1.0.weight": MATRIX,
                               "down_blocks.0.temp_attentions.0.proj_in.weight": MATRIX},
                              "load it with Load ModelScope T2V"),
    "LoRA of ModelScope": ({"down_blocks.0.temp_attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight": MATRIX},
                           "is a LoRA of ModelScope's UNet, .* choose a motion LoRA of AnimateDiff"),
    "LoRA of ModelScope, kohya": ({"lora_unet_up_blocks_1_temp_attentions_0_transformer_blocks_0_attn1_to_q.lora_up"
                                   ".weight": MATRIX}, "is a LoRA of ModelScope's UNet"),
    "LoRA of images": ({"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_up.weight": MATRIX},
                       "load it with Load LoRA in front"),
}  # fmt: skip


@pytest.mark.parametrize("case", KIN)
def test_what_people_take_for_a_motion_adapter(case, tmp_path):
    content, sentence = KIN[case]
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(AdapterError, match=f"^a.ckpt .*{sentence}") as caught:
        load_adapter(tmp_path / "a.ckpt", None)
    assert "\n" not in str(caught.value) and "download it again" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ folders

SPATIAL = "mid_block.attentions.0.transformer_blocks.0"
RELEASE = {f"{SPATIAL}.attn_temp.to_q.weight": torch.randn(8, 8), f"{SPATIAL}.attn1.to_q.weight": torch.randn(8, 8),
           f"{SPATIAL}.attn2.to_q.weight": torch.randn(8, 8)}  # fmt: skip


def base(name, shape):
    return torch.ones(shape)


@pytest.mark.parametrize(
    "name", ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors",
             "diffusion_pytorch_model.bin", "diffusion_pytorch_model.non_ema.bin",
             "diffusion_pytorch_model.non_ema.safetensors", "diffusion_pytorch_model.fp16.bin"],
)  # fmt: skip
@pytest.mark.parametrize("inside", ["", "unet"])
def test_folders_with_one_file(name, inside, tmp_path):
    folder = tmp_path / "run" / inside
    folder.mkdir(parents=True)
    save_file(RELEASE, folder / name) if name.endswith("safetensors") else torch.save(RELEASE, folder / name)
    found = load_adapter(tmp_path / "run", base)
    assert found.method == "tune-a-video" and len(found.tensors) == 3


def in_parts(folder, index="diffusion_pytorch_model.safetensors.index.json", stem="diffusion_pytorch_model"):
    folder.mkdir()
    parts = {name: f"{stem}-0000{i + 1}-of-00003.safetensors" for i, name in enumerate(RELEASE)}
    for name, part in parts.items():
        save_file({name: RELEASE[name]}, folder / part)
    (folder / index).write_text(json.dumps({"metadata": {"total_size": 3}, "weight_map": parts}))
    return folder


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_folders_in_parts(variant, tmp_path):
    stem = f"diffusion_pytorch_model{variant}"
    folder = in_parts(tmp_path / "run", f"diffusion_pytorch_model.safetensors.index{variant}.json", stem)
    found = load_adapter(folder, base)
    whole = tmp_path / "whole.safetensors"
    save_file(RELEASE, whole)
    expected = load_adapter(whole, base)
    assert found.tensors.keys() == expected.tensors.keys()
    assert all(torch.equal(found.tensors[name], value) for name, value in expected.tensors.items())


@pytest.mark.parametrize("break_it, sentence", [
    (lambda folder: next(folder.glob("*-00002-*")).unlink(), "names 3 parts, 1 of them are not in run, .*00002-of"),
    (lambda folder: next(folder.glob("*.json")).write_text("{"), "is no index of parts"),
    (lambda folder: next(folder.glob("*.json")).write_text('{"weight_map": {"a": "../../secret.safetensors"}}'),
     "is no index of parts"),
    (lambda folder: next(folder.glob("*.json")).write_text('{"weight_map": {}}'), "is no index of parts"),
])  # fmt: skip
def test_parts_that_are_not_all_there(break_it, sentence, tmp_path):
    folder = in_parts(tmp_path / "run")
    break_it(folder)
    with pytest.raises(AdapterError, match=sentence):
        load_adapter(folder, base)


def test_the_plain_file_of_a_folder_comes_first(tmp_path):
    for name, value in (("diffusion_pytorch_model.fp16.safetensors", 1.0), ("diffusion_pytorch_model.bin", 2.0)):
        tensors = {key: torch.full_like(tensor, value) for key, tensor in RELEASE.items()}
        write = save_file if name.endswith("safetensors") else torch.save
        write(tensors, tmp_path / name)
    assert load_adapter(tmp_path, base).queries[SPATIAL.replace("mid_block.attentions.0", "middle_block.1")
                                                + ".attn1.to_q.weight"].max() == 2.0  # fmt: skip
