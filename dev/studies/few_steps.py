"""Four steps without guidance: which statistics and which shared noise still make sense with so few.

The miniature has no distilled checkpoint; its own four steps stand for one's. `python3 dev study few_steps` animates
first frames that no clip has shown with the miniature's own adapter in every combination, and writes
docs/few_steps.md.
"""

from itertools import product

import numpy as np
from few_shot_motion.nodes.frame_noise import FrameNoise
from testset import Case

from .classroom import Shipped
from .harness import Settings, Study, run

SAMPLERS = ("euler", "lcm")
NOISES = {
    "independent": {"noise": "independent"}, "shared": {"noise": "shared"},
    "shared, papers' variance": {"noise": "shared", "unit": False},
}  # fmt: skip
STATISTICS = {"none": "none", "at the end": "match at the end", "every step": "match at every step (LAMP)"}


def make(room: Shipped, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """A clip in few steps, uint8 `f h w 3`."""
    noise = FrameNoise.execute(seed, settings["noise"], 0.2, settings.get("unit", True)).args[0]
    return room.animated(
        room.moving, case, seed=seed, noise=noise, steps=settings["steps"], cfg=1.0, scheduler="sgm_uniform",
        sampler_name=settings["sampler"], statistics=STATISTICS[settings["statistics"]],
    )  # fmt: skip


STUDY = Study(
    "few_steps",
    {
        f"{sampler}, {name}, {statistics}": {"sampler": sampler, **noise, "statistics": statistics, "steps": 4}
        for sampler, (name, noise), statistics in product(SAMPLERS, NOISES.items(), STATISTICS)
    },
    ("direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept"),
    ("path_error", "shape_iou", "colour_kept"),
    Shipped,
    make,
    quick={"steps": 1},
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
