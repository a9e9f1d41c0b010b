"""ModelScope's text-to-video UNet files, and ZeroScope's: in the original layout, or as diffusers'
UNet3DConditionModel. Read, never written.

Either way a file is two things here: a Stable Diffusion 2.x UNet in ComfyUI's names, and the temporal layers between
its own.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .adapter import AdapterError, MotionAdapter
from .animatediff_file import original_parts, row_name, rows_per_level
from .diffusers_names import to_comfy
from .methods import METHODS
from .modelscope import modelscope_sites

_ORIGINAL = (  # what temporal layers push aside in the original layout, and those layers
    (r"input_blocks\.0\.1\.", "input_blocks.0.0.temporal_transformer."),
    (r"(input_blocks\.\d+)\.op\.", r"\1.0.op."),
    (r"middle_block\.2\.", "middle_block.temporal_transformer."),
    (r"middle_block\.3\.", "middle_block.2."),
    (r"(output_blocks\.\d+)\.3\.conv\.", r"\1.2.conv."),
    (r"((?:input|output)_blocks\.\d+)\.2\.(?!conv\.)", r"\1.temporal_transformer."),
)
_DIFFUSERS = re.compile(r"(?:(down_blocks|up_blocks)\.(\d+)|mid_block)\.temp_(convs|attentions)\.(\d+)\.(.+)")
_CONV = re.compile(r"(.+)\.temopral_conv\.conv(\d)\.(\d)\.(.+)")
WANTED = (
    "choose ModelScope's or ZeroScope's UNet, text2video_pytorch_model.pth or "
    "unet/diffusion_pytorch_model.safetensors say, or download it again."
)


class ModelScope(NamedTuple):
    """A file's content."""

    image: dict[str, Tensor]  # the UNet of the image model
    motion: MotionAdapter

    def parameters(self) -> int:
        """How many numbers the file holds, those of both parts."""
        return sum(tensor.numel() for tensors in (self.image, self.motion.tensors) for tensor in tensors.values())


def read(file: str, tensors: Mapping[str, Tensor]) -> ModelScope:
    """The UNet in a file's tensors, whole or not. Raises AdapterError where there is none."""
    is_original = any(".temopral_conv." in name for name in tensors)  # as it is spelt there
    if not is_original and not any(".temp_convs." in name for name in tensors):
        raise AdapterError(
            f"{file} is no ModelScope UNet, it holds {len(tensors)} tensors such as {', '.join(list(tensors)[:3])}: "
            f"{WANTED}"
        )
    names = (from_original if is_original else from_diffusers)(tensors)
    made = {new: _flat(tensors[name]) if ".temporal_" in new else tensors[name] for name, new in names.items()}
    kind = f"ModelScope T2V UNet ({'original names' if is_original else 'diffusers names'})"
    motion = {name: tensor for name, tensor in made.items() if ".temporal_" in name}
    image = {name: tensor for name, tensor in made.items() if name not in motion}
    return ModelScope(
        image, MotionAdapter("modelscope", motion, joint_norm=False, metadata={"kind": kind}, joint_own_norm=True)
    )


def not_of(content: ModelScope, unet: Mapping[str, torch.Size]) -> list[str]:
    """Parameters that are missing, foreign or of another shape, given the shapes of the image model's UNet. Raises
    KeyError where the first transformer is missing, of which all others take their size."""
    with torch.device("meta"):
        layers = METHODS["modelscope"].build(content.motion, modelscope_sites(unet), nn)
    wanted = {**unet, **{name: value.shape for name, value in layers.state_dict().items()}}
    found = {**content.image, **content.motion.tensors}
    return sorted(
        name for name in wanted.keys() | found.keys() if name not in found or found[name].shape != wanted.get(name)
    )


def _flat(kernel: Tensor) -> Tensor:
    """Without the last axis of a kernel that reaches over time alone: `o i 3 1 1` -> `o i 3 1`, `o i 1` -> `o i`."""
    return kernel.squeeze(-1) if kernel.ndim in (3, 5) else kernel


def from_original(names: Iterable[str]) -> dict[str, str]:
    """Original parameter name -> ours; one that no such UNet has stays as it is."""
    made = {}
    for name in names:
        new = next((re.sub(f"^{old}", new, name) for old, new in _ORIGINAL if re.match(old, name)), name)
        made[name] = _part(new)
    return made


def from_diffusers(names: Iterable[str]) -> dict[str, str]:
    """diffusers' parameter name -> ours; one that no such UNet has stays as it is."""
    names = list(names)
    temporal = {name: match.groups() for name in names if (match := _DIFFUSERS.fullmatch(name))}
    per_level = rows_per_level((side, int(j)) for side, _, kind, j, _ in temporal.values() if side and kind == "convs")
    made = {
        name: name.replace("transformer_in.", "input_blocks.0.0.temporal_transformer.") for name in names
    } | to_comfy(names)
    for name, (side, i, kind, j, rest) in temporal.items():
        row = row_name(side, int(i or 0), int(j), per_level)
        block = f"{row}.0" if side else f"{row}.{2 * int(j)}"
        made[name] = f"{block}.temopral_conv.{rest}" if kind == "convs" else f"{row}.temporal_transformer.{rest}"
    return {name: _part(new) for name, new in made.items()}


def _part(name: str) -> str:
    """A name whose site is ours already: the parts of its temporal layer in our names too."""
    if match := _CONV.fullmatch(name):
        return f"{match[1]}.temporal_conv.{int(match[2]) - 1}.{'norm' if match[3] == '0' else 'conv'}.{match[4]}"
    site, found, rest = name.partition(".temporal_transformer.")
    return f"{site}{found}{original_parts(rest)[0]}" if found else name
