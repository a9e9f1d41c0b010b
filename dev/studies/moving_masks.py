"""What masks are worth where the background moves: masks.py's main rows on figures that walk on the spot beside a
second figure that moves, while the camera pans over both.

Every row but the exact clips through the autoencoder learns from eight clips, with the first figure's exact masks where
there are masks, anew for every seed. `python3 dev study moving_masks` writes docs/moving_masks.md; it wants the second
edition's weights (miniature/README.md).
"""

from typing import Any

from .figure_room import LEARNT, OF_FIGURES, SAMPLED, FigureRoom, make
from .harness import Settings, Study, run

_X0 = {"mask_input": "x0", "mask_weighting": "noise level", "mask_targets": "hard"}
_LEARNING: dict[str, dict[str, Any]] = {
    "LAMP": {},
    "predictor on x0": _X0,
    "split layers": {**_X0, "split": True},
    "mask-conditioned": {**_X0, "mask_input": "conditioned"},
}
_MEASURED_BEFORE = {"query_rate": 0.1, "focus": 0.0}  # the demo learns otherwise by now
_WALKS: dict[str, Any] = {**SAMPLED, "motion": "walks", "camera": "pans", "actors": 2}


def _variants() -> dict[str, Settings]:
    rows = {how: {**_WALKS, "training": 800, "learning": {**LEARNT["learning"], **_MEASURED_BEFORE, **learning}}
            for how, learning in _LEARNING.items()}  # fmt: skip
    return {**rows, "exact but coded": {**_WALKS, "coded": True}}


STUDY = Study(
    "moving_masks",
    _variants(),
    ("limb_correlation", "period_error", "colours_kept", "found", "path_error", "second_found",
     "flow_error", "flow_length", "flow_cosine", "mask_iou", "mask_iou_px"),
    ("limb_correlation", "second_found", "flow_error", "mask_iou"),
    FigureRoom,
    make,
    quick={"steps": 2, "training": 2},
    scenes=4,
    **OF_FIGURES,
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
