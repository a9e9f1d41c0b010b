"""Whether limbs learn a gait: LAMP on the miniature's second edition, figures that walk and wave before a camera that
is still or moves.

The first row of each kind learns from eight clips of eight figures, anew for every seed; all animate figures that no
clip showed, but the last, which is the exact clip through the autoencoder: as near as any can come. `python3 dev study
gaits` writes docs/gaits.md; it wants the second edition's weights (miniature/README.md).
"""

from typing import Any

from .figure_room import OF_FIGURES, FigureRoom, make
from .harness import Settings, Study, run

_STILL: dict[str, Any] = {"camera": "still", "actors": 1, "steps": 10}
_ALONE: dict[str, dict[str, Any]] = {
    "walks": {**_STILL, "motion": "walks"},
    "waves": {**_STILL, "motion": "waves"},
    "walks, as they come": {**_STILL, "motion": "walks", "alike": False},
    "waves, as they come": {**_STILL, "motion": "waves", "alike": False},
    "walks, the camera follows": {**_STILL, "motion": "walks", "camera": "follows"},
    "waves, the camera pans": {**_STILL, "motion": "waves", "camera": "pans"},
}


def _variants() -> dict[str, Settings]:
    rows: dict[str, Settings] = {}
    for name, settings in _ALONE.items():
        rows |= {name: {**settings, "training": 800, "learning": {}}, f"{name}, without adapter": settings,
                 f"{name}, exact but coded": {**settings, "coded": True}}  # fmt: skip
    return rows


STUDY = Study(
    "gaits",
    _variants(),
    ("limb_correlation", "period_error", "colours_kept", "found", "path_error", "background_change", "flow_error",
     "flow_length", "flow_cosine"),
    ("limb_correlation", "period_error", "path_error", "flow_error"),
    FigureRoom,
    make,
    quick={"steps": 2, "training": 2},
    scenes=8,
    **OF_FIGURES,
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
