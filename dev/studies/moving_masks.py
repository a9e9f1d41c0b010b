"""What masks are worth where the background moves: masks.py's main rows on figures that walk on the spot while the
camera pans, while it shakes, and beside a second figure that moves.

Every row but the exact clips through the autoencoder learns from eight clips, with the first figure's exact masks where
there are masks, anew for every seed. `python3 dev study moving_masks` writes docs/moving_masks.md; it wants the second
edition's weights (miniature/README.md).
"""

from typing import Any

from .figure_room import OF_FIGURES, FigureRoom, make
from .harness import Settings, Study, run

_X0 = {"mask_input": "x0", "mask_weighting": "noise level", "mask_targets": "hard"}
_LEARNING: dict[str, dict[str, Any]] = {
    "LAMP": {},
    "predictor on x0": _X0,
    "split layers": {**_X0, "split": True},
    "mask-conditioned": {**_X0, "mask_input": "conditioned"},
}
_BEFORE: dict[str, dict[str, Any]] = {
    "the camera pans": {"camera": "pans", "actors": 1},
    "the camera shakes": {"camera": "shakes", "actors": 1},
    "a second figure": {"camera": "still", "actors": 2},
}


def _variants() -> dict[str, Settings]:
    rows: dict[str, Settings] = {}
    for where, before in _BEFORE.items():
        walks = {"motion": "walks", **before, "steps": 10}
        for how, learning in _LEARNING.items():
            rows[f"{where}: {how}"] = {**walks, "training": 400, "learning": learning}
        rows[f"{where}: exact but coded"] = {**walks, "coded": True}
    return rows


STUDY = Study(
    "moving_masks",
    _variants(),
    ("limb_correlation", "period_error", "colours_kept", "found", "path_error", "second_found",
     "background_change", "flow_error", "flow_length", "flow_cosine", "mask_iou", "mask_iou_px"),
    ("limb_correlation", "path_error", "flow_error", "background_change"),
    FigureRoom,
    make,
    quick={"steps": 2, "training": 2},
    scenes=4,
    **OF_FIGURES,
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
