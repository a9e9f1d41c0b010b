"""AnimateDiff's files as tensors of random numbers, under the names of the releases."""

import re

import torch
from few_shot_motion.motion_modules.animatediff import TemporalTransformer

CHANNELS = 32


BLOCKS = {
    "down_blocks.0.motion_modules.0": "input_blocks.1",
    "down_blocks.1.motion_modules.0": "input_blocks.3",
    "up_blocks.0.motion_modules.0": "output_blocks.0",
    "up_blocks.0.motion_modules.1": "output_blocks.1",
    "up_blocks.1.motion_modules.0": "output_blocks.2",
    "up_blocks.1.motion_modules.1": "output_blocks.3",
}


def module_file(
    blocks=tuple(BLOCKS), frames: int = 32, layout: str = "original", prefix: str = ""
) -> dict[str, torch.Tensor]:
    """The tensors of a small motion module's file."""
    torch.manual_seed(0)
    tensors = {}
    for block in blocks:
        for name, value in TemporalTransformer(CHANNELS, frames).state_dict().items():
            if layout == "original":
                tensors[f"{prefix}{block}.temporal_transformer.{name}"] = value.clone()
            elif ".1.pos_encoder" not in name:
                name = name.replace("attention_blocks.0.pos_encoder.pe", "pos_embed.pe").replace("ff_norm", "norm3")
                name = re.sub(r"attention_blocks\.(\d)", lambda found: f"attn{int(found[1]) + 1}", name)
                name = re.sub(r"norms\.(\d)", lambda found: f"norm{int(found[1]) + 1}", name)
                tensors[f"{prefix}{block}.{name}"] = value.clone()
    return tensors


def lora_file(rank: int = 2, blocks=tuple(BLOCKS)) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    within = "temporal_transformer.transformer_blocks.0.attention_blocks"
    return {
        f"{block}.{within}.{a}.processor.to_{to}_lora.{part}.weight": torch.randn(shape)
        for block in blocks
        for a in (0, 1)
        for to in ("q", "k", "v", "out")
        for part, shape in (("down", (rank, CHANNELS)), ("up", (CHANNELS, rank)))
    }
