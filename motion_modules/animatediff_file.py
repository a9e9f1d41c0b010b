"""AnimateDiff's motion module files: versions 1, 2, 3 and SDXL-beta, under their original names or diffusers'. Read,
never written.

A version is recognised from the file alone. It decides which frames the group norms saw in training and on which noise
schedule; a wrong choice of either raises no error, it only makes worse clips.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from .adapter import AdapterError, MotionAdapter
from .animatediff import TemporalTransformers, extent, frame_positions, row_of
from .sites import Site

# ComfyUI's names of schedules are crossed with diffusers': "sqrt_linear" is linear in beta, "linear" is linear in its
# square root.
SD_SCHEDULE = {"beta_schedule": "sqrt_linear", "linear_start": 0.00085, "linear_end": 0.012}
SDXL_SCHEDULE = {"beta_schedule": "linear", "linear_start": 0.00085, "linear_end": 0.02}
_V1_FRAMES = 24  # positions in version 1; every later one has 32 in its file
_FRAMES = 64  # positions of a file without any: the formula's, as many as the code of AnimateLCM, the one such release
_MODULE = re.compile(r"(?:.*\.)?(?:(down_blocks|up_blocks)\.(\d+)|(mid_block))\.motion_modules\.(\d+)\.(.+)")


def read(file: str, tensors: Mapping[str, Tensor]) -> MotionAdapter | None:
    """The motion module in a file's tensors; None where there is none.

    Raises AdapterError for a file that is not whole.
    """
    found = [(match.groups(), tensor) for name, tensor in tensors.items() if (match := _MODULE.fullmatch(name))]
    if not found:
        return None
    original = any(".temporal_transformer." in f".{rest}" for (*_, rest), _ in found)
    distilled = original and not any(rest.endswith(".pe") for (*_, rest), _ in found)  # AnimateLCM, which keeps no `pe`
    per_level = rows_per_level((down_or_up, int(j)) for (down_or_up, _, _, j, _), _ in found if down_or_up)
    made = {}
    for (side, i, _, j, rest), tensor in found:
        row = row_name(side, int(i or 0), int(j), per_level)
        for part in [rest.removeprefix("temporal_transformer.")] if original else original_parts(rest):
            part = part.replace(".pos_encoder.pos_encoding", ".pos_encoder.pe")  # as AnimateLCM's code names it
            made[f"{row}.temporal_transformer.{part}"] = tensor.clone() if part.endswith(".pe") else tensor
    levels = 1 + max((int(i) for (side, i, *_), _ in found if side == "down_blocks"), default=0)
    return _recognise(file, made, levels, original, distilled)


def rows_per_level(modules: Iterable[tuple[str, int]]) -> int:
    """ResBlocks of a level on the way down, from the numbers of its motion modules; one more on the way up."""
    return max((j + (side == "down_blocks") for side, j in modules), default=1)


def row_name(side: str | None, i: int, j: int, per_level: int) -> str:
    """ComfyUI's name of the row whose end module j of block i sits at; between rows there is one down- or upsampler per
    level.
    """
    if side == "down_blocks":
        return f"input_blocks.{1 + i * (per_level + 1) + j}"
    return f"output_blocks.{i * (per_level + 1) + j}" if side == "up_blocks" else "middle_block"


def original_parts(rest: str) -> list[str]:
    """diffusers' name within a module -> the original ones: its one table of positions is two there."""
    if match := re.fullmatch(r"(transformer_blocks\.\d+)\.(.+)", rest):
        block, part = match.groups()
        if part == "pos_embed.pe":
            return [f"{block}.attention_blocks.{a}.pos_encoder.pe" for a in (0, 1)]
        part = re.sub(r"^attn([12])\.", lambda found: f"attention_blocks.{int(found[1]) - 1}.", part)
        part = re.sub(r"^norm([12])\.", lambda found: f"norms.{int(found[1]) - 1}.", part)
        return [f"{block}.{re.sub(r'^norm3[.]', 'ff_norm.', part)}"]
    return [rest]


def _recognise(file: str, tensors: dict[str, Tensor], levels: int, original: bool, distilled: bool) -> MotionAdapter:
    positions = min(
        (tensor.shape[1] for name, tensor in tensors.items() if name.endswith(".pe") and tensor.ndim == 3), default=0
    )
    whole = _with_positions(tensors, positions)
    if wrong := _wrong(whole):
        raise AdapterError(f"{file} is no whole AnimateDiff motion module: {len(wrong)} tensors are missing, foreign "
                           f"or of another shape, {wrong[0]} for one; download it again.")  # fmt: skip
    width = min(
        tensor.shape[0] for name, tensor in tensors.items() if name.endswith("temporal_transformer.norm.weight")
    )
    is_sdxl = (width, levels) == (320, 3)
    base = (
        "SDXL" if is_sdxl else "Stable Diffusion 1.x" if (width, levels) == (320, 4) else f"a UNet of {width} channels"
    )
    has_middle = any(name.startswith("middle_block.") for name in tensors)
    version = "SDXL" if is_sdxl else "v2" if has_middle else "v1" if positions == _V1_FRAMES else "v3"
    kind = "AnimateLCM motion module" if distilled else f"AnimateDiff {version} motion module"
    schedule = SDXL_SCHEDULE if is_sdxl else SD_SCHEDULE  # AnimateLCM's too: its inference-t2v.yaml
    names = "original names" if original else "diffusers' names"
    metadata = {"base": base, "version": version, "frames": str(positions or _FRAMES), "kind": f"{kind} ({names})"}
    return MotionAdapter(
        "animatediff", whole, joint_norm=version == "v1", metadata=metadata, joint_own_norm=is_sdxl, schedule=schedule
    )


def _with_positions(tensors: dict[str, Tensor], positions: int) -> dict[str, Tensor]:
    """The tensors, and the formula's positions where the file keeps none."""
    if positions:
        return tensors
    attentions = [name.removesuffix(".to_q.weight") for name in tensors if name.endswith(".to_q.weight")]
    made = {
        f"{path}.pos_encoder.pe": frame_positions(_FRAMES, tensors[f"{path}.to_q.weight"].shape[-1])
        for path in attentions
        if tensors[f"{path}.to_q.weight"].ndim == 2
    }
    return {**tensors, **made}


def _wrong(tensors: Mapping[str, Tensor]) -> list[str]:
    """The tensors a module lacks, and those that no module has; all of them where they do not tell its size."""
    norms = {row_of(name): value for name, value in tensors.items() if name.endswith("temporal_transformer.norm.bias")}
    try:
        sites = [Site(row, value.shape[0], is_block=False) for row, value in norms.items()]
        with torch.device("meta"):
            module = TemporalTransformers(sites, **extent(tensors))
    except (LookupError, ValueError, ArithmeticError, RuntimeError):
        return sorted(tensors)
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    return sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))


def as_diffusers(adapter: MotionAdapter) -> MotionAdapter:
    """The group norms as diffusers computes them for every version: the UNet's per frame, the motion module's over all
    frames.
    """
    return (
        dataclasses.replace(adapter, joint_norm=False, joint_own_norm=True)
        if adapter.method == "animatediff"
        else adapter
    )


def on_the_models_schedule(adapter: MotionAdapter) -> MotionAdapter:
    """Without its own noise schedule: the model keeps the one it has."""
    return dataclasses.replace(adapter, schedule={})
