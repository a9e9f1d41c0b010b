"""Whether limbs learn a gait: LAMP on the miniature's second edition, figures that walk and wave before a camera that
is still or moves.

The first row of each kind learns from eight clips of eight figures, as the demo does and anew for every seed; all
animate figures that no clip showed, but the last, which is the exact clip through the autoencoder: as near as any can
come. `python3 dev study gaits` writes docs/gaits.md; it wants the second edition's weights (miniature/README.md).
"""

from typing import Any

from ..demo_worlds import MOVING, STILL
from .figure_room import LEARNT, OF_FIGURES, SAMPLED, FigureRoom, make
from .harness import Settings, Study, run

_ONE: dict[str, Any] = {**SAMPLED, "actors": 1}
_ALONE: dict[str, dict[str, Any]] = {
    "walks": {**_ONE, "motion": "walks", "camera": STILL["walks"]},
    "waves": {**_ONE, "motion": "waves", "camera": STILL["waves"]},
    "walks, the camera follows": {**_ONE, "motion": "walks", "camera": MOVING["walks"]},
    "waves, the camera pans": {**_ONE, "motion": "waves", "camera": MOVING["waves"]},
}


def _variants() -> dict[str, Settings]:
    rows: dict[str, Settings] = {}
    for name, settings in _ALONE.items():
        rows |= {name: {**settings, **LEARNT}, f"{name}, without adapter": settings,
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
