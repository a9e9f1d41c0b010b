"""How many steps a motion takes: the recipe *fast* beside the paper's own settings, on both motions of the demo.

A run is trained to a step count, animates first frames that no clip has shown, is measured, and goes on to the next
count, until its subject stays close to the exact course or the run has had enough steps. What was measured is kept
in the tracked training.json, adapters under `.dev/study/training`, where training goes on if it was cut. `python3 dev
study training` writes docs/training.md and docs/training.png from all there is; `--limit 0` does that alone.
"""

import argparse
from dataclasses import dataclass

import measure
import numpy as np
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.host.training.recipes import RECIPES

from ..demo_worlds import WORLDS
from ..interpreter import STATE
from .classroom import Classroom
from .training_report import CLOSE, FAST, PAPER, UNSEEN, WIDTH, keep, kept, write

RESULTS = STATE / "study" / "training"
AHEAD = 10  # a paper's run ends once it has had so many times the steps that fast needed
COUNTS = (200, 400, 600, 800, 1000, 1250, 1600, 2000, 3000, 4000, 5000, 6000, 8000, 10000, 15000, 20000, 30000)


@dataclass
class Attempt:
    """One run: a recipe, a motion and a seed, and what it measured after which steps."""

    recipe: str
    motion: str
    seed: int

    @property
    def name(self) -> str:
        """For files."""
        return f"{self.recipe}, {self.motion}, {self.seed}".replace(": ", "_").replace(", ", "-").replace(" ", "_")

    def measured(self) -> dict[int, float]:
        """Steps -> path_error, as far as the run is."""
        return kept().get((self.recipe, self.motion, self.seed), {})

    def next(self, limit: int) -> int | None:
        """The steps to train to and measure at next; None where the run is at its end."""
        curve, enough = self.measured(), min(limit, self._enough())
        if any(error <= CLOSE for error in curve.values()):
            return None
        return next((count for count in COUNTS if count > max(curve, default=0) and count <= enough), None)

    def _enough(self) -> int:
        if self.recipe == FAST:
            return RECIPES[FAST]["steps"]
        fast = Attempt(FAST, self.motion, self.seed).measured()
        needed = [steps for steps, error in fast.items() if error <= CLOSE]
        return AHEAD * min(needed) if needed else RECIPES[self.recipe]["steps"]

    def go_on(self, room: Classroom, steps: int) -> float:
        """Train to a step count, animate, measure; keeps and returns path_error, mean over the clips."""
        rate = WIDTH * {**RECIPES[FAST], **RECIPES[self.recipe]}["learning_rate"]
        adapter, _ = room.by_recipe(self.recipe, self.name, self.seed, steps, learning_rate=rate)
        model = apply_adapter(room.model, adapter)
        found = [measure.measure_clip(room.animated(model, case), case.scene, case.states) for case in room.cases()]
        error = round(float(np.mean([clip["path_error"] for clip in found])), 4)
        keep((self.recipe, self.motion, self.seed), {**self.measured(), steps: error})
        return error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    motions = WORLDS["shapes"].motions
    parser.add_argument("--motions", nargs="+", default=list(motions), choices=motions)
    parser.add_argument("--recipes", nargs="+", default=[FAST, PAPER], choices=[FAST, PAPER])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--limit", type=int, default=max(COUNTS), help="no run is trained for more steps")
    options = parser.parse_args()
    for motion in options.motions:
        room = None
        for recipe in options.recipes:
            attempts = [Attempt(recipe, motion, seed) for seed in options.seeds]
            while begun := [(count, attempt) for attempt in attempts if (count := attempt.next(options.limit))]:
                steps, attempt = min(begun, key=lambda pair: pair[0])  # all seeds come equally far
                room = room or Classroom(motion, UNSEEN, RESULTS / motion.replace(" ", "_"))
                error = attempt.go_on(room, steps)
                print(f"{attempt.name}: path_error {error:.2f} after {steps} steps", flush=True)
    write()


if __name__ == "__main__":
    main()
