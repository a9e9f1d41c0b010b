"""AnimateDiff's motion LoRAs: low-rank changes of a motion module's attention, for camera moves (v2_lora_ZoomIn …) or a
motion of one's own.

Read under the original names, diffusers', peft's and kohya's; kept as `….attention_blocks.0.to_q.down.weight` and
`….up.weight` behind the row.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from .adapter import AdapterError, MotionAdapter
from .animatediff_file import row_name, rows_per_level
from .methods import MOTION_LORA

_TARGET = re.compile(
    r"(?:.*[._])?(?:(down_blocks|up_blocks)[._](\d+)|mid_block)[._]motion_modules[._](\d+)[._]"
    r"(?:temporal_transformer[._])?transformer_blocks[._](\d+)[._](?:attention_blocks[._](\d+)|attn(\d+))[._]"
    r"(?:processor[._])?to_(q|k|v|out)(?:[._]0)?(?:_lora)?\."
    r"(?:(?:lora[._])?(?:linear_layer[._])?(down|up|A|B)(?:\.default)?\.weight|(alpha))"
)
_SPATIAL = re.compile(r".*attentions[._]\d+[._]transformer_blocks[._].*lora.*")
_SIDES = {"down": "down", "A": "down", "up": "up", "B": "up", None: "alpha"}


def read(file: str, tensors: Mapping[str, Tensor]) -> MotionAdapter | None:
    """The motion LoRA in a file's tensors; None where there is none.

    Raises AdapterError for a spatial LoRA and for one that is not whole.
    """
    found = [(match.groups(), tensor) for name, tensor in tensors.items() if (match := _TARGET.fullmatch(name))]
    if not found:
        if any(_SPATIAL.fullmatch(name) and "motion_modules" not in name for name in tensors):
            raise AdapterError(
                f"{file} is a LoRA of the image model, AnimateDiff's v3 adapter for one: load it with Load LoRA in "
                "front."
            )
        return None
    if len(found) < len(tensors):
        other = next(name for name in tensors if not _TARGET.fullmatch(name))
        raise AdapterError(f"{file} changes more than the attention of a motion module, {other} for one, which this "
                           "pack cannot apply: "
                           "choose a LoRA of motion alone.")  # fmt: skip
    per_level = rows_per_level((side, int(j)) for (side, _, j, *_), _ in found if side)
    layers: dict[str, dict[str, Tensor]] = {}
    for (side, i, j, block, original, diffusers, target, part, _), tensor in found:
        attention = int(original) if original else int(diffusers) - 1
        row = row_name(side, int(i or 0), int(j), per_level)
        layer = "to_out.0" if target == "out" else f"to_{target}"
        path = f"{row}.temporal_transformer.transformer_blocks.{block}.attention_blocks.{attention}.{layer}"
        layers.setdefault(path, {})[_SIDES[part]] = tensor
    made = {}
    for path, parts in layers.items():
        if not {"up", "down"} <= parts.keys():
            raise AdapterError(
                f"{file} is no whole motion LoRA: {path} has {', '.join(parts)} and not both of up and down; download "
                "it again."
            )
        up, down = parts["up"].flatten(1), parts["down"].flatten(1)
        scale = float(parts["alpha"]) / len(down) if "alpha" in parts else 1.0
        made[f"{path}.up.weight"], made[f"{path}.down.weight"] = up if scale == 1 else up.float() * scale, down
    rank = max(len(tensor) for name, tensor in made.items() if name.endswith(".down.weight"))
    metadata = {"base": "an AnimateDiff motion module", "kind": f"AnimateDiff motion LoRA, rank {rank}"}
    return MotionAdapter(MOTION_LORA, made, rank, joint_norm=False, metadata=metadata)


def pairs(adapter: MotionAdapter, shapes: Mapping[str, torch.Size]) -> dict[str, tuple[Tensor, Tensor]]:
    """Name of a motion module's weight -> up and down, of which W + strength up @ down is made.

    `shapes`: the module's own. A module without a transformer in its middle block goes without the LoRA's change of it.
    Raises AdapterError where the two do not fit.
    """
    found = {}
    for name, up in adapter.tensors.items():
        if not name.endswith(".up.weight"):
            continue
        weight, down = (
            name.replace(".up.weight", ".weight"),
            adapter.tensors[name.replace(".up.weight", ".down.weight")],
        )
        product, place = (up.shape[0], down.shape[1]), tuple(shapes.get(weight, ()))
        if product == place and up.shape[1] == down.shape[0]:
            found[weight] = (up, down)
        elif place or not weight.startswith("middle_block."):
            raise AdapterError(f"This motion LoRA was made for another motion module: its change of {weight} is "
                               f"{product}, the module has "
                               f"{place or 'no such weight'}. Load the motion module it was trained on, v2 for "
                               "AnimateDiff's own.")  # fmt: skip
    return found
