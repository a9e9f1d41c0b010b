"""TI2V-Zero's own ablation, inversion and resampling, on figures that walk and wave; ti2v.py has it on shapes.

Nothing is learnt: the prior taught articulated motions by captions (miniature/train_figure_prior.py) goes on from first
frames. `python3 dev study gaits_ti2v` writes docs/gaits_ti2v.md; it wants the second edition's weights and that prior.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import stage
from few_shot_motion.host.files.weights_file import fingerprint

from ..base import FIGURES
from .figure_case import FigureCase
from .figure_room import OF_FIGURES, FigureRoom
from .harness import Settings, Study, run
from .studio import Studio

PRIOR, WORDS = "figures_motion.safetensors", "figures_words.safetensors"
TRAINING = ".venv/bin/python dev/inside.py .dev/ComfyUI train_figure_prior --folder .dev/miniature2"
WINDOW = 8  # half the work of 16, and what the prior has learnt
_HOW = ("steps", "inversion", "resample", "strength")
_ROWS: dict[str, dict[str, Any]] = {
    "no inversion": {"inversion": False},
    "inversion": {"inversion": True},
    "inversion, resample 2": {"inversion": True, "resample": 2},
    "inversion, resample 4": {"inversion": True, "resample": 4},
    "no inversion, strength 0.25": {"inversion": False, "strength": 0.25},
    "inversion, strength 0.25": {"inversion": True, "strength": 0.25},
    "inversion, four known": {"inversion": True, "known": 4},
}
_STILL = {"camera": "still", "actors": 1, "alike": False, "steps": 10}  # the prior has seen every moment of a gait


class Room(FigureRoom):
    """With the prior."""

    def __init__(self, unseen: int, results: Path):
        super().__init__(unseen, results)
        self.studio = Studio(FIGURES.name, PRIOR, WORDS, TRAINING)
        files = [folder_paths.get_full_path(*of) for of in (("motion_adapters", PRIOR), ("loras", WORDS))]
        self.made_by += [fingerprint(Path(file)) for file in files if file]

    def cases(self, frames: int, motion: str, camera: str, actors: int, alike: bool = True) -> list[FigureCase]:
        """On the spot, as the prior has seen them."""
        cases = super().cases(frames, motion, camera, actors, alike)
        return [FigureCase(replace(case.shot, actors=tuple(replace(who, goes=False) for who in case.shot.actors)))
                for case in cases]  # fmt: skip


def make(room: Room, settings: Settings, case: FigureCase, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3` by repeat-and-slide, without guidance; where more than its first frame is known, exact
    ones before it, which are left out in the end.
    """
    frames, how = case.shot.frames, {name: settings[name] for name in _HOW if name in settings}
    earlier = settings.get("known", 1) - 1
    pictures = np.stack([stage.paint(case.shot, i).levels() for i in range(-earlier, frames)])
    given = range(earlier + 1)
    return room.studio.slide(
        case, given, earlier + frames, min(WINDOW, frames), seed, cfg=1.0, pictures=pictures, **how
    )[earlier:]


STUDY = Study(
    "gaits_ti2v",
    {f"{motion}, {row}": {**_STILL, "motion": motion, **how} for motion in ("walks", "waves")
     for row, how in _ROWS.items()},
    ("limb_correlation", "period_error", "colours_kept", "found", "path_error", "background_change", "unet_frames"),
    ("limb_correlation", "period_error", "path_error", "background_change"),
    Room,
    make,
    quick={"steps": 2},
    scenes=3,
    **OF_FIGURES,
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
