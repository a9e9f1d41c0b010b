"""diffusers' names of a Stable Diffusion UNet's parameters in ComfyUI's terms, for released checkpoints."""

import re
from collections.abc import Iterable

_RES = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_TOP = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
}  # fmt: skip
_BLOCK = re.compile(r"(down_blocks|up_blocks)\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")
_MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def to_comfy(names: Iterable[str]) -> dict[str, str]:
    """diffusers' parameter name -> ComfyUI's, for every name of a UNet's state dict that has one.

    The number of ResBlocks per level and which levels attend are read off the names themselves.
    """
    names = list(names)
    found = [match.groups() for name in names if (match := _BLOCK.match(name))]
    per_level = 1 + max(
        (int(j) for side, _, kind, j, _ in found if (side, kind) == ("down_blocks", "resnets")), default=0
    )
    attends = {int(i) for side, i, kind, _, _ in found if (side, kind) == ("up_blocks", "attentions")}
    renamed = ((name, _rename(name, per_level, attends)) for name in names)
    return {name: new for name, new in renamed if new}


def _rename(name: str, per_level: int, attends: set[int]) -> str:
    if match := _BLOCK.match(name):
        side, i, kind, j, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
        if side == "down_blocks":
            row = f"input_blocks.{1 + i * (per_level + 1) + (per_level if kind == 'downsamplers' else j)}"
        else:
            row = f"output_blocks.{i * (per_level + 1) + (per_level if kind == 'upsamplers' else j)}"
        if kind == "resnets":
            return f"{row}.0.{_res(rest)}"
        if kind == "attentions":
            return f"{row}.1.{rest}"
        if kind == "downsamplers":
            return f"{row}.0.op.{rest.removeprefix('conv.')}"
        return f"{row}.{2 if i in attends else 1}.{rest}"
    if match := _MIDDLE.match(name):
        kind, j, rest = match[1], int(match[2]), match[3]
        return f"middle_block.1.{rest}" if kind == "attentions" else f"middle_block.{2 * j}.{_res(rest)}"
    for prefix, new in _TOP.items():
        if name.startswith(prefix + "."):
            return new + name[len(prefix) :]
    return ""


def _res(rest: str) -> str:
    head, _, tail = rest.partition(".")
    return f"{_RES[head]}.{tail}" if head in _RES else rest
