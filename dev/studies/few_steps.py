"""Four steps without guidance: which statistics and which shared noise still make sense with so few.

The miniature has no distilled checkpoint; its own four steps stand for one's. `python3 dev study few_steps` animates
first frames that no clip has shown with the miniature's own adapter in every combination, and prints the table of
docs/few_steps.md.
"""

import argparse
from itertools import product

import measure
import numpy as np
import torch
import world
from few_shot_motion.host.files import folders
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.host.patching.image_model import base_query
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.nodes.frame_noise import FrameNoise
from few_shot_motion.nodes.sampling import FirstFrameKSampler

from .. import markdown
from ..interpreter import STATE
from .classroom import FRAMES, Classroom
from .studio import kept, pixels

RESULTS = STATE / "study" / "few_steps"
MOTION, ADAPTER = "moves right", "miniature_moves_right.safetensors"
SAMPLERS, NOISES = ("euler", "lcm"), ("independent", "shared")
STATISTICS = ("none", "match at the end", "match at every step (LAMP)")
MEASURES = ("direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept")


def make(classroom: Classroom, model, seed: int, sampler: str, noise: str, statistics: str) -> np.ndarray:
    """A clip in four steps, uint8 `f h w 3`."""
    scene, start = classroom.unseen[seed]
    with torch.inference_mode(), classroom.precision():
        words = classroom.encode(scene.caption(MOTION))
        clip = FirstFrameKSampler.execute(
            model, words, words, classroom.first_frame(scene, start), FRAMES, seed, 4, 1.0, sampler, "sgm_uniform",
            statistics, noise=FrameNoise.execute(seed, noise, 0.2, True).args[0],
        ).args[0]["samples"]  # fmt: skip
        return pixels(classroom.vae.decode(clip.float()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    classroom, rows = Classroom(MOTION, options.seeds, RESULTS), []
    adapter = load_adapter(folders.adapter_path(ADAPTER), base_query(classroom.model))
    model = apply_adapter(classroom.model, adapter)
    for how in product(SAMPLERS, NOISES, STATISTICS):
        found = []
        for seed in range(options.seeds):
            file = RESULTS / f"{'_'.join(how)}_{seed}.npz"
            clip = kept(file, lambda how=how, seed=seed: make(classroom, model, seed, *how))
            scene, start = classroom.unseen[seed]
            found.append(measure.measure_clip(clip, scene, world.path(MOTION, start, FRAMES)))
        rows.append([*how, *(f"{np.mean([one[name] for one in found]):.2f}" for name in MEASURES)])
        print(rows[-1], flush=True)
    print(markdown.table(["sampler", "noise", "statistics", *MEASURES], rows))


if __name__ == "__main__":
    main()
