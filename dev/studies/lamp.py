"""LAMP's own ablation, as far as there are settings for it: what a part of it is worth at sampling, by the adapter that
comes along; and what a setting of the training is worth, each learnt anew.

`python3 dev study lamp` writes docs/lamp.md; of the rows that are learnt, each takes minutes of one core.
"""

from typing import Any

import numpy as np
from few_shot_motion.nodes.frame_noise import FrameNoise
from few_shot_motion.samplers.noise import frame_noise
from testset import Case
from torch import Size
from world import CELLS

from .classroom import SAMPLING, Shipped
from .harness import Settings, Study, run

MOST_CLIPS = 16
END, NONE, EVERY = "match at the end", "none", "match at every step (LAMP)"
_SAMPLING: dict[str, Any] = {"steps": 10, "noise": "shared", "statistics": END, "first_frame": True}
_TRAINING: dict[str, Any] = {**_SAMPLING, "training": 300, "clips": 8, "learning": {}}


def _falling(rows: dict[str, Settings]) -> dict[str, Settings]:
    """Rows of "moves right", and the same of "falls" after them."""
    return {**rows, **{f"{name}, falling": {**settings, "motion": "falls"} for name, settings in rows.items()}}


_PARTS: dict[str, Settings] = {
    "LAMP": _SAMPLING,
    "without shared noise": {**_SAMPLING, "noise": "independent"},
    "first frame by the same model": {**_SAMPLING, "first_frame": False},
    "statistics left alone": {**_SAMPLING, "statistics": NONE},
    "statistics at every step": {**_SAMPLING, "statistics": EVERY},
}
_QUOTED: dict[str, Settings] = {  # README's table
    "as the nodes begin": {**_SAMPLING, "unit_variance": False},
    "without adapter": {**_SAMPLING, "unit_variance": False, "adapter": False},
}
VARIANTS: dict[str, Settings] = {
    **_falling(_PARTS),
    **_falling(_QUOTED),
    "learnt anew": _TRAINING,
    "learnt anew, norms per frame": {**_TRAINING, "learning": {"group_norm": "per frame"}},
    "learnt anew, uniform weighting": {**_TRAINING, "learning": {"weighting": "uniform"}},
    "learnt anew, without motion layers": {**_TRAINING, "learning": {"convolution": "none"}},
    "learnt anew, without first frame": {**_TRAINING, "learning": {"first_frame": "learnt"}, "first_frame": False},
    "learnt anew, centred convolutions": {**_TRAINING, "learning": {"convolution": "centred"}},
    "learnt anew, queries left alone": {**_TRAINING, "learning": {"query_rate": 0.0}},
    "learnt anew, queries at full rate": {**_TRAINING, "learning": {"query_rate": 1.0}},
    "learnt anew, rank 8": {**_TRAINING, "learning": {"rank": 8}},
    "learnt anew, rank 32": {**_TRAINING, "learning": {"rank": 32}},
    "learnt anew, 2 clips": {**_TRAINING, "clips": 2},
    "learnt anew, 4 clips": {**_TRAINING, "clips": 4},
    "learnt anew, 16 clips": {**_TRAINING, "clips": MOST_CLIPS},
}


def make(room: Shipped, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3`."""
    model, first = room.adapted(case.motion) if settings.get("adapter", True) else room.model, None
    if "training" in settings:
        clips, learning = settings["clips"], settings["learning"]
        name = " ".join([f"{clips} clips", *(f"{key} {value}" for key, value in learning.items())])
        model = room.learnt(
            f"{name}, seed {seed}", seed, settings["training"], len(case.states), only=range(clips), **learning
        )
    if settings.get("learning", {}).get("first_frame") == "learnt":
        eps = frame_noise(seed, Size((len(case.states), 4, CELLS, CELLS)), settings["noise"])
        return room.drawn(room.written(model, case.caption, eps, settings["steps"], SAMPLING["cfg"]))
    if not settings["first_frame"]:
        eps = frame_noise(seed, Size((1, 4, CELLS, CELLS)))
        first = {"samples": room.written(room.model, case.scene.caption(), eps, 2 * settings["steps"], 3.0)}
    noise = FrameNoise.execute(seed, settings["noise"], 0.2, settings.get("unit_variance", True)).args[0]
    return room.animated(
        model, case, first, seed=seed, noise=noise, steps=settings["steps"], statistics=settings["statistics"]
    )  # fmt: skip


STUDY = Study(
    "lamp",
    VARIANTS,
    ("direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept", "background_change",
     "alignment", "consistency", "first_frame_jump"),
    ("path_error", "shape_iou", "background_change", "alignment"),
    lambda unseen, results: Shipped(unseen, results, MOST_CLIPS),
    make,
    quick={"steps": 2, "training": 2},
    scenes=2,
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
