"""What frames should have in common in the noise that recurrent attention starts from, and what its release does
besides: the paper's open question.

The recurrent adapter that comes along makes "moves right" from words alone. `python3 dev study recurrent_noise` writes
docs/recurrent_noise.md.
"""

import comfy.samplers
import numpy as np
from few_shot_motion.nodes.sampling import MatchFirstFrame
from few_shot_motion.samplers.noise import frame_noise
from testset import Case
from torch import Size
from world import CELLS

from .classroom import Shipped
from .harness import Settings, Study, run
from .noise import LAMPS, PAPERS

LATE = 9  # the frame from which the release gives frames the statistics of frame 0
_PLAIN: Settings = {
    "strategy": "independent", "alpha": 0.0, "unit": True, "steps": 10, "cfg": 2.0, "first_frame": False,
    "frames": 8,  # as many as its adapter learnt
}  # fmt: skip


def _variants() -> dict[str, Settings]:
    rows: dict[str, Settings] = {"independent": _PLAIN}
    for strategy in ("shared", "autoregressive"):
        for alpha in (0.2, 0.5):
            settings = {**_PLAIN, "strategy": strategy, "alpha": alpha}
            rows[f"{strategy} {alpha}"] = settings
            rows[f"{strategy} {alpha}, {PAPERS}"] = {**settings, "unit": False}
    rows[f"independent, variance {LAMPS}"] = {**_PLAIN, "variance": LAMPS}
    rows[f"independent, variance {LAMPS}, frame 0 too"] = {**_PLAIN, "variance": LAMPS, "from": 0}
    for name in ("independent", f"shared 0.2, {PAPERS}"):
        for steps in (25, 50):
            rows[f"{name}; {steps} steps"] = {**rows[name], "steps": steps}
        for frames in (16, 32):
            rows[f"{name}; {frames} frames"] = {**rows[name], "frames": frames}
        rows[f"{name}; 16 frames, late ones matched"] = {**rows[name], "frames": 16, "matched_from": LATE}
    return rows


def make(room: Shipped, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3` from words alone; frame 0 starts at full variance whatever the others do, unless said."""
    shape = Size((len(case.states), 4, CELLS, CELLS))
    noise = frame_noise(seed, shape, settings["strategy"], settings["alpha"], settings["unit"])
    noise[settings.get("from", 1) :] *= settings.get("variance", 1.0) ** 0.5
    sampler = comfy.samplers.sampler_object("euler")
    if "matched_from" in settings:
        sampler = MatchFirstFrame.execute(sampler, settings["matched_from"]).args[0]
    latents = room.written(
        room.adapted("recurrent"), case.caption, noise, settings["steps"], settings["cfg"], sampler=sampler
    )  # fmt: skip
    return room.drawn(latents)


STUDY = Study(
    "recurrent_noise",
    _variants(),
    ("found", "direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept", "background_change",
     "consistency", "sharpness"),
    ("path_error", "shape_iou", "background_change", "sharpness"),
    Shipped,
    make,
    quick={"steps": 2, "frames": 4, "matched_from": 2},
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
