"""This pack's own adapter files: written here, read here.

A file is `.safetensors` with the tensors of a module of motion_modules.methods under ComfyUI's names, and metadata that
says what it is: `few_shot_motion` (format version), method, base, frames, width, height, fps, prompts, rank,
group_norm, own_group_norm, noise_schedule, recurrence, training settings, licence. What learnt from masks beside the
motion (mask_predictor.py) stands in the same file under names of its own, with `mask_input` saying what; `split` says
that the motion layers tell subject from background; `queries` that the tuned queries of a release stand there whole,
so that the file does not depend on the checkpoint it was saved from.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from .adapter import AdapterError, MotionAdapter
from .mask_predictor import CONTEXT, INPUTS, PREDICTOR, MaskContext, MaskPredictor
from .methods import METHODS, MOTION_LORA
from .recurrent import FORMS
from .weights import Weights, check_numbers
from .writing import Write, tensors_to, write_whole

FORMAT = "1"
_EXACT = (".pe", ".to_q.weight")  # kept in single precision: positions, and whole queries of which changes are made
_CONVOLUTIONS = {False: "causal", True: "centred"}
_SCHEDULES = ("linear", "sqrt_linear", "sqrt", "cosine")  # ComfyUI's


def content(adapter: MotionAdapter, dtype: torch.dtype = torch.float16) -> Write:
    """What a file of this adapter holds, for writing.py."""
    metadata = {
        **adapter.metadata,
        "few_shot_motion": FORMAT, "method": adapter.method, "rank": str(adapter.rank),
        "group_norm": _scope(adapter.joint_norm), "own_group_norm": _scope(adapter.joint_own_norm),
        "recurrence": adapter.recurrence, "noise_schedule": json.dumps(dict(adapter.schedule)),
        **({"split": "subject and background"} if adapter.split else {}),
        **({"convolution": _CONVOLUTIONS[True]} if adapter.centred else {}),
        **({"queries": "whole"} if adapter.queries else {}),
    }  # fmt: skip
    changes = {name.replace(".to_q.weight", ".to_q.delta.weight") for name in adapter.queries}
    kept = {name: value for name, value in adapter.tensors.items() if name not in changes}
    tensors = {
        name: value.detach().to("cpu", torch.float32 if name.endswith(_EXACT) else dtype).contiguous()
        for name, value in {**kept, **adapter.queries, **adapter.mask_tensors}.items()
    }
    return tensors_to(tensors, metadata)


def save_adapter(adapter: MotionAdapter, file: Path, dtype: torch.dtype = torch.float16) -> Path:
    """Write an adapter under a name that appears only once the file is whole.

    Raises AdapterError where the disk is full or the folder cannot be written to.
    """
    return write_whole(file, content(adapter, dtype))


def _scope(joint: bool) -> str:
    return "joint" if joint else "per frame"


def read_own(file: str, weights: Weights) -> MotionAdapter | None:
    """An adapter in our format; None where the weights are something else's.

    Raises AdapterError where they say or hold what no adapter of ours does.
    """
    metadata = weights.metadata
    if "few_shot_motion" not in metadata:
        return None
    if (version := metadata["few_shot_motion"]) != FORMAT:
        raise AdapterError(
            f"{file} is of adapter format {_shown(version)}, this pack reads format {FORMAT}: update the pack."
        )
    method, known = metadata.get("method", ""), (*METHODS, MOTION_LORA)
    if method not in known:
        raise AdapterError(
            f"{file} is an adapter of the method {_shown(method)}, this pack knows {', '.join(known)}: update the pack."
        )
    recurrence, forms = metadata.get("recurrence", ""), FORMS if method == "recurrent" else ("",)
    if recurrence not in forms:
        raise AdapterError(
            f"{file} has a memory of the form {_shown(recurrence)}, this pack knows {', '.join(map(repr, forms))} for "
            f"{method}: update the pack."
        )
    masks = {name: value for name, value in weights.tensors.items() if name.startswith((PREDICTOR, CONTEXT))}
    _check_masks(file, metadata, masks)
    whole = metadata.get("queries") == "whole"
    queries = {name: value for name, value in weights.tensors.items() if whole and name.endswith(".to_q.weight")
               and (".attn1." in name or ".attn2." in name)}  # fmt: skip
    tensors = {name: value for name, value in weights.tensors.items() if name not in masks and name not in queries}
    return MotionAdapter(
        method, tensors, _rank(file, metadata), _joint(file, metadata, "group_norm", "joint"), dict(metadata),
        _joint(file, metadata, "own_group_norm", "per frame"), _schedule(file, metadata), masks, recurrence, queries,
        _centred(file, metadata),
    )  # fmt: skip


def _joint(file: str, metadata: Mapping[str, str], name: str, otherwise: str) -> bool:
    said = metadata.get(name, otherwise)
    if said not in (_scope(True), _scope(False)):
        raise AdapterError(
            f"{file} says {_shown(said)} of its {name}, this pack knows {_scope(True)} and {_scope(False)}: update the "
            "pack, or save or train it again."
        )
    return said == _scope(True)


def _centred(file: str, metadata: Mapping[str, str]) -> bool:
    said = metadata.get("convolution", _CONVOLUTIONS[False])
    if said not in _CONVOLUTIONS.values():
        raise AdapterError(
            f"{file} has convolutions of the kind {_shown(said)}, this pack knows {', '.join(_CONVOLUTIONS.values())}: "
            "update the pack."
        )
    return said == _CONVOLUTIONS[True]


def _shown(text: str) -> str:
    """What a file says, as a sentence can quote it."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _rank(file: str, metadata: Mapping[str, str]) -> int:
    text = metadata.get("rank", "0")
    if not (text.isdecimal() and text.isascii() and len(text) < 6):
        raise AdapterError(
            f"{file} says that its rank is {_shown(text)}, a whole number is needed: save or train it again."
        )
    return int(text)


def _schedule(file: str, metadata: Mapping[str, str]) -> dict[str, str | float]:
    text = metadata.get("noise_schedule", "{}")
    try:
        found = json.loads(text)
        betas = [found[name] for name in ("linear_start", "linear_end")] if found else []
        good = isinstance(found, dict) and all(isinstance(beta, float) and 0 < beta < 1 for beta in betas)
        good = good and (not found or found["beta_schedule"] in _SCHEDULES and len(found) == 3)
    except (ValueError, LookupError, TypeError, RecursionError):
        good = False
    if not good:
        raise AdapterError(
            f"{file} has a noise schedule that is none ({_shown(text)}): save it again from the file it came from, or "
            "train it again."
        )
    return found


def _check_masks(file: str, metadata: Mapping[str, str], masks: Mapping[str, Tensor]) -> None:
    """Raise AdapterError where what learnt from masks is not whole."""
    learnt = metadata.get("mask_input", "")
    wrong = f"mask_input is {_shown(learnt)}" if (learnt or masks) and learnt not in INPUTS else ""
    needed = CONTEXT if learnt == "conditioned" else PREDICTOR if learnt else ""
    for prefix in (PREDICTOR, CONTEXT):
        part = {name: value for name, value in masks.items() if name.startswith(prefix)}
        wrong = wrong or (_wrong_part(prefix, part) if part or prefix == needed else "")
    if wrong:
        raise AdapterError(
            f"{file} does not hold the whole of what it learnt from masks ({wrong}): save or train it again."
        )


def _wrong_part(prefix: str, masks: Mapping[str, Tensor]) -> str:
    """What is wrong with the network under that prefix, in a few words; "" for nothing."""
    first = masks.get(f"{prefix}{'weight' if prefix == CONTEXT else 'conv_1.weight'}")
    if first is None or first.ndim != 4:
        return "its first layer is missing or none"
    with torch.device("meta"):
        built = MaskContext(first.shape[0]) if prefix == CONTEXT else MaskPredictor(first.shape[1], first.shape[0])
    wanted = {f"{prefix}{name}": tuple(value.shape) for name, value in built.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in masks.items()}
    names = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    return f"{names[0]} is missing, foreign or of another shape" if names else ""


def check_values(file: str, adapter: MotionAdapter) -> MotionAdapter:
    """The adapter. Raises AdapterError where it is empty, or its values cannot be weights."""
    if not adapter.tensors:
        raise AdapterError(f"{file} is a motion adapter without a tensor: save or train it again.")
    check_numbers(file, {**adapter.tensors, **adapter.queries, **adapter.mask_tensors})
    return adapter
