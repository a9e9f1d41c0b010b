"""What the memory of recurrent causal attention is worth, and what the convolutions beside it are: each learnt on the
miniature's "moves right", and sampled again with the memory set to zero.

`python3 dev study recurrent` writes docs/recurrent.md; a row with a training of its own takes a quarter of an hour of
one core.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.samplers.noise import frame_noise
from testset import Case
from world import CELLS

from .classroom import SEED, Classroom
from .harness import Settings, Study, run

_FIXED: dict[str, Any] = {
    "recurrence": "fixed", "motion_convolutions": True, "memory": True, "training": 600, "steps": 10, "cfg": 2.0,
    "first_frame": False,
}  # fmt: skip
_WITHOUT = {**_FIXED, "motion_convolutions": False}
VARIANTS: dict[str, Settings] = {
    "fixed": _FIXED,
    "fixed, memory set to zero": {**_FIXED, "memory": False},
    "fixed, without convolutions": _WITHOUT,
    "fixed, without convolutions, memory set to zero": {**_WITHOUT, "memory": False},
    "official": {**_FIXED, "recurrence": "official"},
    "paper": {**_FIXED, "recurrence": "paper"},
}


class Room(Classroom):
    """Eight clips of "moves right", and what was learnt of them."""

    def __init__(self, unseen: int, results: Path):
        super().__init__("moves right", unseen, results)

    def adapter(self, settings: Settings, frames: int) -> MotionAdapter:
        """Learnt once for all rows of its kind."""
        form, beside, steps = (settings[key] for key in ("recurrence", "motion_convolutions", "training"))
        kind = ("recurrent" if form == "fixed" else f"recurrent {form}") + f" {'with' if beside else 'without'}"
        name = f"{kind} convolutions, {steps} steps, {frames} frames"
        adapter = self.taught(
            name, SEED, steps, frames=frames, method="Recurrent", recurrence=form, motion_convolutions=beside,
            lr_schedule="warm-up, linear decay",
        )  # fmt: skip
        return adapter if settings["memory"] else without_memory(adapter)


def without_memory(adapter: MotionAdapter) -> MotionAdapter:
    """The same but that its memory, which begins at zero, stays there."""
    tensors = {
        name: torch.zeros_like(value) if ".memory_update_layer." in name else value
        for name, value in adapter.tensors.items()
    }
    return replace(adapter, tensors=tensors)


def make(room: Room, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3`, from words alone."""
    model = apply_adapter(room.model, room.adapter(settings, len(case.states)))
    noise = frame_noise(seed, torch.Size((len(case.states), 4, CELLS, CELLS)), "shared")
    return room.drawn(room.written(model, case.caption, noise, settings["steps"], settings["cfg"]))


STUDY = Study(
    "recurrent",
    VARIANTS,
    ("direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept", "found", "background_change",
     "consistency"),
    ("direction_cosine", "displacement_ratio", "path_error", "shape_iou"),
    Room,
    make,
    quick={"steps": 1, "training": 1, "recurrence": "fixed", "motion_convolutions": True},
    scenes=2,
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
