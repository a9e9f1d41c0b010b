"""What frames should have in common in the noise they start from: every strategy, by weight, at full variance and at
the papers' own.

The miniature's own adapter of "moves right" animates first frames that no clip has shown. `python3 dev study noise`
writes docs/noise.md.
"""

import numpy as np
from few_shot_motion.nodes.frame_noise import FrameNoise
from testset import Case
from world import CELL, path

from .classroom import Shipped
from .harness import Settings, Study, run

ALPHAS = (0.2, 0.5, 0.8)
LAMPS = 0.68  # what the paper's formula leaves of the variance at its alpha, 0.2


def _variants() -> dict[str, Settings]:
    rows = {"independent": {"strategy": "independent", "alpha": 0.0, "unit": True, "steps": 10}}
    for strategy in ("shared", "autoregressive", "warped"):
        for alpha in ALPHAS:
            settings = {"strategy": strategy, "alpha": alpha, "steps": 10}
            rows[f"{strategy} {alpha}"] = {**settings, "unit": True}
            rows[f"{strategy} {alpha}, papers' variance"] = {**settings, "unit": False}
    return {**rows, f"independent, variance {LAMPS}": {**rows["independent"], "variance": LAMPS}}


class _Quieter:
    """ComfyUI's NOISE: another's, weaker."""

    def __init__(self, noise, variance: float):
        self.noise, self.factor, self.seed = noise, variance**0.5, noise.seed

    def generate_noise(self, latent: dict):
        """Core's own call."""
        return self.factor * self.noise.generate_noise(latent)


def make(room: Shipped, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """Warped noise moves as the subject does."""
    a, b = path(case.motion, case.states[0], 2)
    move = ((b.x - a.x) * CELL, (b.y - a.y) * CELL)
    noise = FrameNoise.execute(seed, settings["strategy"], settings["alpha"], settings["unit"], *move).args[0]
    if "variance" in settings:
        noise = _Quieter(noise, settings["variance"])
    return room.animated(room.moving, case, seed=seed, noise=noise, steps=settings["steps"])


STUDY = Study(
    "noise",
    _variants(),
    ("direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept", "background_change",
     "first_frame_jump", "consistency"),
    ("path_error", "shape_iou", "background_change", "first_frame_jump"),
    Shipped,
    make,
    quick={"steps": 2},
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
