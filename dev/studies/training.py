"""How many steps a motion takes: the recipe *fast* beside the paper's own settings, on both motions of the demo.

A run is trained to a step count, animates first frames that no clip has shown, is measured, and goes on to the next
count, until its subject stays close to the exact course or the run has had enough steps. What was measured is kept
under `.dev/study/training`, one file per run, and training goes on where it was cut. `python3 dev study training`
writes docs/training.md and docs/training.png from all there is; `--limit 0` does that alone.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import measure
import numpy as np
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.host.training.recipes import RECIPES

from ..demo import MOTIONS
from ..interpreter import STATE
from .classroom import Classroom
from .training_report import CLOSE, write

RESULTS = STATE / "study" / "training"
FAST, PAPER = "fast", "paper: LAMP"
WIDTH = 320 / 64  # SD 1.x's narrowest width by the miniature's: AdamW's rate goes inversely with it
AHEAD = 10  # a paper's run ends once it has had so many times the steps that fast needed
COUNTS = (200, 400, 600, 800, 1000, 1250, 1600, 2000, 3000, 4000, 5000, 6000, 8000, 10000, 15000, 20000, 30000)
UNSEEN = 4


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

    @property
    def file(self) -> Path:
        """Where its figures are kept."""
        return RESULTS / f"{self.name}.json"

    def measured(self) -> dict[int, float]:
        """Steps -> path_error, as far as the run is."""
        if not self.file.exists():
            return {}
        found = json.loads(self.file.read_text(encoding="utf-8"))
        return {int(steps): measures["path_error"] for steps, measures in found.items()}

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

    def go_on(self, room: Classroom, steps: int) -> dict[str, float]:
        """Train to a step count, animate, measure; keeps and returns the measures, mean over the clips."""
        rate = WIDTH * {**RECIPES[FAST], **RECIPES[self.recipe]}["learning_rate"]
        adapter, _ = room.by_recipe(self.recipe, self.name, self.seed, steps, learning_rate=rate)
        model = apply_adapter(room.model, adapter)
        found = [measure.measure_clip(room.animated(model, case), case.scene, case.states) for case in room.cases()]
        means = {key: round(float(np.mean([clip[key] for clip in found])), 4) for key in found[0]}
        self._keep(steps, means)
        return means

    def _keep(self, steps: int, means: dict[str, float]) -> None:
        before = json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps({**before, str(steps): means}, indent=1) + "\n", encoding="utf-8")
        part.replace(self.file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--motions", nargs="+", default=list(MOTIONS), choices=MOTIONS)
    parser.add_argument("--recipes", nargs="+", default=[FAST, PAPER], choices=[FAST, PAPER])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--limit", type=int, default=max(COUNTS), help="no run is trained for more steps")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for motion in options.motions:
        room = None
        for recipe in options.recipes:
            attempts = [Attempt(recipe, motion, seed) for seed in options.seeds]
            while begun := [(count, attempt) for attempt in attempts if (count := attempt.next(options.limit))]:
                steps, attempt = min(begun, key=lambda pair: pair[0])  # all seeds come equally far
                room = room or Classroom(motion, UNSEEN, RESULTS / motion.replace(" ", "_"))
                error = attempt.go_on(room, steps)["path_error"]
                print(f"{attempt.name}: path_error {error:.2f} after {steps} steps", flush=True)
    runs = [
        (recipe, motion, seed, curve)
        for motion in MOTIONS
        for recipe in (FAST, PAPER)
        for seed in range(100)
        if (curve := Attempt(recipe, motion, seed).measured())
    ]
    write(runs, UNSEEN, WIDTH)


if __name__ == "__main__":
    main()
