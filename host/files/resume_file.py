"""Kept training runs: all their parts must be there, of the shapes this training has, in numbers."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ...motion_modules.adapter import AdapterError

_MOMENTS = ("exp_avg", "exp_avg_sq")


def check_run(file: str, tensors: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> None:
    """Raise AdapterError where a kept run is of a training of other layers, or lacks a part that Run.restore takes."""
    if wrong := _wrong(tensors, parameters):
        raise AdapterError(
            f"{file} is no run that this training can go on with, its {wrong}: give this run another name, or turn "
            "resume off."
        )


def _wrong(tensors: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> str:
    """What is not as it must be, in a few words; "" where all is."""
    losses = tensors.get("losses")
    if losses is None or losses.ndim != 1 or not len(losses) or not losses.is_floating_point():
        return "losses are missing or no list of numbers"
    for name, value in parameters.items():
        moments = {f"{key}.{name}": value.shape for key in _MOMENTS} | {f"step.{name}": torch.Size([])}
        learnt = any(part in tensors for part in moments)  # a run of which no step was taken has none
        for part, shape in {f"weights.{name}": value.shape, **(moments if learnt else {})}.items():
            found = tensors.get(part)
            if found is None:
                return f"{part} is missing"
            if found.shape != shape:
                return f"{part} is {tuple(found.shape)}, {tuple(shape)} here"
            if not found.is_floating_point() or not torch.isfinite(found).all():
                return f"{part} holds values that are no numbers"
    known = {f"weights.{name}" for name in parameters}
    if foreign := next((name for name in tensors if name.startswith("weights.") and name not in known), ""):
        return f"{foreign} has no place here"
    return ""
