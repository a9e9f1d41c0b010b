"""Motion adapters and their files.

A file is `.safetensors` with the tensors of a module of motion_modules.methods under ComfyUI's names, and metadata that
says what it is: `few_shot_motion` (format version), method, base, frames, width, height, fps, prompts, rank,
group_norm, own_group_norm, noise_schedule, recurrence, training settings, licence. What learnt from masks beside the
motion (mask_predictor.py) stands in the same file under names of its own, with `mask_input` saying what; `split` says
that the motion layers tell subject from background.
"""

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .mask_predictor import CONTEXT, PREDICTOR, MaskPredictor
from .methods import METHODS, MOTION_LORA
from .recurrent import FORMS
from .sites import Site

FORMAT = "1"
_FAMILY = re.compile(r"Stable Diffusion \d|ModelScope")  # families whose UNets have the same sizes


@dataclass(frozen=True)
class MotionAdapter:
    """A learnt motion: its method, its tensors (`input_blocks.1.0.in_layers.2.conv1d.weight` …) and what is known of
    them.
    """

    method: str
    tensors: dict[str, Tensor] = field(repr=False)
    rank: int = 0  # 0: whole matrices
    joint_norm: bool = True  # the UNet's group norms over all frames of a clip, as in LAMP's code
    metadata: dict[str, str] = field(default_factory=dict)
    joint_own_norm: bool = False  # the group norms of its own layers over all frames
    schedule: Mapping[str, str | float] = field(
        default_factory=dict
    )  # of its training, as ComfyUI's sampling settings; empty: the model's
    mask_tensors: Mapping[str, Tensor] = field(
        default_factory=dict, repr=False
    )  # what learnt from masks; motion does without
    recurrence: str = ""  # the form of its memory, one of recurrent.FORMS; "": it has none

    @property
    def split(self) -> bool:
        """Whether its motion layers tell subject from background."""
        return any(".conv1d_background." in name for name in self.tensors)

    @property
    def mask_predictor(self) -> MaskPredictor | None:
        """The predictor that learnt on x0-hat beside the motion; one that learnt on noise has nothing to look at in a
        finished latent.
        """
        return MaskPredictor.of(self.mask_tensors) if self.metadata.get("mask_input") == "x0" else None

    def describe(self) -> str:
        """For people: method, extent, what learnt from masks, number of tensors, MiB."""
        size = sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values()) / 2**20
        extent = f"rank {self.rank}" if self.rank else "full"
        recurrence = f", recurrence {self.recurrence}" if self.recurrence else ""
        recurrence += (
            " with motion convolutions" if recurrence and any(".conv1d." in name for name in self.tensors) else ""
        )
        kind = self.metadata.get("kind") or f"{METHODS[self.method].title} motion adapter, {extent}{recurrence}"
        kind += ", split into subject and background" if self.split else ""
        kind += f", masks: {self.metadata['mask_input']}" if "mask_input" in self.metadata else ""
        return f"{kind}, {len(self.tensors)} tensors, {size:.1f} MiB"


class AdapterError(ValueError):
    """A file or adapter that cannot be used, in a sentence for its user."""


def check_fits(adapter: MotionAdapter, sites: list[Site], base: str) -> None:
    """Raise AdapterError where an adapter has layers this UNet has no place for; `base` names the UNet's family."""
    method, made_for = METHODS[adapter.method], adapter.metadata.get("base", "another model")
    with torch.device("meta"):
        places = {
            name: tuple(value.shape) for name, value in method.build(adapter, sites, torch.nn).state_dict().items()
        }
    for name, tensor in adapter.tensors.items():
        if places.get(name) != tuple(tensor.shape):
            place = places.get(name, "no such layer")
            raise AdapterError(
                f"This adapter was made for {made_for}, the model is {base}: its {name} is {tuple(tensor.shape)}, the "
                f"model has {place} there. "
                "Load the checkpoint family it was trained on, or train an adapter for this one."
            )
    has = {method.site_of(name) for name in adapter.tensors}
    if lacking := [name for name in places if method.site_of(name) in has and name not in adapter.tensors]:
        raise AdapterError(
            f"This adapter is incomplete: {lacking[0]} is missing in it, and {len(lacking) - 1} tensors more. Download "
            "it or train it again."
        )
    if lacking := [site.path for site in sites if site.path not in has and not method.optional(site)]:
        raise AdapterError(
            f"This adapter was made for {made_for}, the model is {base}: it has no layer for {len(lacking)} of the "
            "model's rows, "
            f"{lacking[0]} for one. Load the checkpoint family it was trained on, or download the file again."
        )
    families = [found[0] for name in (made_for, base) if (found := _FAMILY.match(name))]
    if len(families) == 2 and families[0] != families[1]:
        raise AdapterError(
            f"This adapter was made for {made_for}, the model is {base}: its layers have the right sizes, but were "
            "trained on other features. "
            "Load the checkpoint family it was trained on, or train an adapter for this one."
        )


def save_adapter(adapter: MotionAdapter, file: Path, dtype: torch.dtype = torch.float16) -> Path:
    """Write an adapter under a name that appears only once the file is whole.

    Raises AdapterError where the disk is full or the folder cannot be written to.
    """
    metadata = {
        **adapter.metadata,
        "few_shot_motion": FORMAT, "method": adapter.method, "rank": str(adapter.rank),
        "group_norm": _scope(adapter.joint_norm), "own_group_norm": _scope(adapter.joint_own_norm),
        "recurrence": adapter.recurrence, "noise_schedule": json.dumps(dict(adapter.schedule)),
                **({"split": "subject and background"} if adapter.split else {}),
    }  # fmt: skip
    tensors = {
        name: tensor.detach().to("cpu", torch.float32 if name.endswith(".pe") else dtype).contiguous()
        for name, tensor in {**adapter.tensors, **adapter.mask_tensors}.items()
    }
    write_whole(file, lambda part: save_file(tensors, part, metadata))
    return file


def _scope(joint: bool) -> str:
    return "joint" if joint else "per frame"


def write_whole(file: Path, write) -> None:
    """Call write(part) on a temporary name beside `file`, then rename: the file is there whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        os.replace(part, file)
    except (OSError, SafetensorError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise AdapterError(
            f"{file.name} could not be written to {file.parent} ({error}): free some space or choose a folder you may "
            "write to."
        ) from error


def read_own(file: Path) -> MotionAdapter | None:
    """An adapter in our format; None where the file is something else's safetensors.

    Raises AdapterError for a file that is truncated or no safetensors at all.
    """
    with open_safetensors(file) as content:
        metadata: Mapping[str, str] = content.metadata() or {}
        if "few_shot_motion" not in metadata:
            return None
        if metadata["few_shot_motion"] != FORMAT:
            raise AdapterError(
                f"{file.name} is of adapter format {metadata['few_shot_motion']}, this pack reads format {FORMAT}: "
                "update the pack."
            )
        tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - not a dict
    mask_tensors = {name: tensors.pop(name) for name in list(tensors) if name.startswith((PREDICTOR, CONTEXT))}
    method, known = metadata.get("method", ""), (*METHODS, MOTION_LORA)
    if method not in known:
        raise AdapterError(
            f"{file.name} is an adapter of the method {method!r}, this pack knows {', '.join(known)}: update the pack."
        )
    recurrence, forms = metadata.get("recurrence", ""), FORMS if method == "recurrent" else ("",)
    if recurrence not in forms:
        raise AdapterError(
            f"{file.name} has a memory of the form {recurrence!r}, this pack knows {', '.join(map(repr, forms))} for "
            f"{method}: update the pack."
        )
    rank, joint_norm = int(metadata.get("rank", "0")), metadata.get("group_norm") != "per frame"
    joint_own_norm, schedule = (
        metadata.get("own_group_norm") == "joint",
        json.loads(metadata.get("noise_schedule", "{}")),
    )
    return MotionAdapter(
        method, tensors, rank, joint_norm, dict(metadata), joint_own_norm, schedule, mask_tensors, recurrence
    )


def open_safetensors(file: Path):
    """The file, opened lazily for torch. Raises AdapterError where it is none or cannot be read."""
    try:
        return safe_open(file, framework="pt")
    except (SafetensorError, OSError) as error:
        raise AdapterError(
            f"{file.name} cannot be read as safetensors ({error}): it is damaged or something else, download or save "
            "it again."
        ) from error


def settings_text(settings: Mapping[str, object]) -> str:
    """Training settings as they stand in the metadata."""
    return json.dumps(settings, sort_keys=True)
