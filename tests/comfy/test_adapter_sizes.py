"""How large a LAMP adapter's file is, as the page of Save Motion Adapter says: counted from the UNets' shapes."""

import re
from pathlib import Path

import comfy.ops
import pytest
import torch
import unets
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.motion_modules.sites import lamp_sites

PAGE = Path(__file__).parents[2] / "web" / "docs" / "FSM_SaveMotionAdapter.md"
SD1 = {**unets.SD1_TOPOLOGY, "model_channels": 320, "context_dim": 768, "num_heads": 8}
SDXL = {"model_channels": 320, "channel_mult": [1, 2, 4], "num_res_blocks": [2, 2, 2], "context_dim": 2048,
        "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
        "transformer_depth_middle": 10, "use_linear_in_transformer": True, "num_head_channels": 64,
        "num_classes": "sequential", "adm_in_channels": 2816}  # fmt: skip


def megabytes(unet: dict, rank: int) -> int:
    """Of the tensors in fp16."""
    made = UNetModel(**{**unets._COMMON, **unet}, device="meta", operations=comfy.ops.disable_weight_init)
    sites = lamp_sites({name: value.shape for name, value in made.state_dict().items()})
    with torch.device("meta"):
        module = MotionModule(sites, rank)
    return round(sum(value.numel() for value in module.state_dict().values()) * 2 / 1e6)


@pytest.mark.parametrize("unet, family", [(SD1, "SD 1.x"), (SDXL, "SDXL")], ids=["SD 1.x", "SDXL"])
def test_files_are_as_large_as_the_page_says(unet, family):
    words = " ".join(PAGE.read_text(encoding="utf-8").split())
    said = {"SD 1.x": r"rank 8 takes (\d+) MB, rank 32 takes (\d+) MB, rank 0 \(whole matrices\) (\d+) MB",
            "SDXL": r"for SDXL (\d+), (\d+) and ([\d,]+) MB"}[family]  # fmt: skip
    sizes = [int(number.replace(",", "")) for number in re.search(said, words).groups()]
    assert [megabytes(unet, rank) for rank in (8, 32, 0)] == sizes
