"""AnimateDiff's motion LoRAs: low-rank changes of a motion module's matrices, for camera moves (v2_lora_ZoomIn …) or a
motion of one's own.

Read under the original names, diffusers', peft's, kohya's and those of AnimateDiff-MotionDirector, which trains the
feed-forward layers too (`….to_out.processor.0_lora.down.weight`, `….ff.net.processor.2_lora.up.weight`); kept as
`….attention_blocks.0.to_q.down.weight` and `….up.weight` behind the row.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from .adapter import AdapterError, MotionAdapter
from .animatediff_file import row_name, rows_per_level
from .methods import MOTION_LORA

_TARGET = re.compile(
    r"(?:.*[._])?(?:(?P<side>down_blocks|up_blocks)[._](?P<i>\d+)|mid_block)[._]motion_modules[._](?P<j>\d+)[._]"
    r"(?:temporal_transformer[._])?"
    r"(?:transformer_blocks[._](?P<block>\d+)[._](?:"
    r"(?:attention_blocks[._](?P<original>\d+)|attn(?P<diffusers>\d+))[._](?:processor[._])?"
    r"to_(?P<to>q|k|v|out)(?:[._](?:processor[._])?0)?"
    r"|ff[._]net[._](?:(?P<wide>0[._](?:processor[._])?proj)|(?:processor[._])?2))"
    r"|(?:processor[._])?proj_(?P<proj>in|out))(?:_lora)?\."
    r"(?:(?:lora[._])?(?:linear_layer[._])?(?P<part>down|up|A|B)(?:\.default)?\.weight|(?P<alpha>alpha))"
)
_SPATIAL = re.compile(r".*attentions[._]\d+[._]transformer_blocks[._].*lora.*")
_SIDES = {"down": "down", "A": "down", "up": "up", "B": "up", None: "alpha"}


def read(file: str, tensors: Mapping[str, Tensor]) -> MotionAdapter | None:
    """The motion LoRA in a file's tensors; None where there is none.

    Raises AdapterError for a spatial LoRA and for one that is not whole.
    """
    found = [(match.groupdict(), tensor) for name, tensor in tensors.items() if (match := _TARGET.fullmatch(name))]
    if not found:
        if any(_SPATIAL.fullmatch(name) and "motion_modules" not in name for name in tensors):
            raise AdapterError(
                f"{file} is a LoRA of the image model, AnimateDiff's v3 adapter for one: load it with Load LoRA in "
                "front."
            )
        return None
    if len(found) < len(tensors):
        other = next(name for name in tensors if not _TARGET.fullmatch(name))
        raise AdapterError(f"{file} changes more than the matrices of a motion module, {other} for one, which this "
                           "pack cannot apply: choose a LoRA of motion alone.")  # fmt: skip
    per_level = rows_per_level((name["side"], int(name["j"])) for name, _ in found if name["side"])
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in found:
        row = row_name(name["side"], int(name["i"] or 0), int(name["j"]), per_level)
        layers.setdefault(f"{row}.temporal_transformer.{_layer(name)}", {})[_SIDES[name["part"]]] = tensor
    made = {}
    for path, parts in layers.items():
        if not {"up", "down"} <= parts.keys():
            raise AdapterError(
                f"{file} is no whole motion LoRA: {path} has {', '.join(parts)} and not both of up and down; download "
                "it again."
            )
        if any(parts[side].ndim < 2 or not parts[side].numel() for side in ("up", "down")):
            raise AdapterError(f"{file} is no whole motion LoRA: {path} has no matrices for up and down; download it "
                               "again.")  # fmt: skip
        up, down = parts["up"].flatten(1), parts["down"].flatten(1)
        scale = float(parts["alpha"].flatten()[0]) / len(down) if "alpha" in parts else 1.0
        made[f"{path}.up.weight"], made[f"{path}.down.weight"] = up if scale == 1 else up.float() * scale, down
    rank = max(len(tensor) for name, tensor in made.items() if name.endswith(".down.weight"))
    metadata = {"base": "an AnimateDiff motion module", "kind": f"AnimateDiff motion LoRA, rank {rank}"}
    return MotionAdapter(MOTION_LORA, made, rank, joint_norm=False, metadata=metadata)


def _layer(name: Mapping[str, str | None]) -> str:
    """Which matrix of a temporal transformer a name's parts speak of, in the original names."""
    if name["proj"]:
        return f"proj_{name['proj']}"
    block = f"transformer_blocks.{name['block']}"
    if not name["to"]:
        return f"{block}.ff.net.{'0.proj' if name['wide'] else '2'}"
    attention = name["original"] or int(name["diffusers"] or 0) - 1
    return f"{block}.attention_blocks.{attention}.to_{name['to']}{'.0' * (name['to'] == 'out')}"


def pairs(adapter: MotionAdapter, shapes: Mapping[str, torch.Size]) -> dict[str, tuple[Tensor, Tensor]]:
    """Name of a motion module's weight -> up and down, of which W + strength up @ down is made.

    `shapes`: the module's own. A module without a transformer in its middle block goes without the LoRA's change of it.
    Raises AdapterError where the two do not fit.
    """
    found = {}
    for name, up in adapter.tensors.items():
        if not name.endswith(".up.weight"):
            continue
        weight, down = name.replace(".up.weight", ".weight"), adapter.tensors.get(name.replace(".up.", ".down."))
        if down is None or up.ndim != 2 or down.ndim != 2:
            raise AdapterError(f"This motion LoRA is not whole: its change of {weight} is not two matrices, up and "
                               "down. Download or save it again.")  # fmt: skip
        product, place = (up.shape[0], down.shape[1]), tuple(shapes.get(weight, ()))
        if product == place and up.shape[1] == down.shape[0]:
            found[weight] = (up, down)
        elif place or not weight.startswith("middle_block."):
            raise AdapterError(f"This motion LoRA was made for another motion module: its change of {weight} is "
                               f"{product}, the module has "
                               f"{place or 'no such weight'}. Load the motion module it was trained on, v2 for "
                               "AnimateDiff's own.")  # fmt: skip
    return found
