"""Every method of motion on the same first frames and prompts.

LAMP, the motion prior (AnimateDiff's way: layers taught beforehand) and what builds on it take the weights that come
along; Tune-A-Video learns one clip anew for every seed, recurrent attention the eight clips, once. Each samples with
the settings its own study has. `python3 dev study methods` writes docs/methods.md.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from few_shot_motion.nodes.frame_noise import FrameNoise
from few_shot_motion.nodes.inversion import DDIMInversion
from few_shot_motion.nodes.text_to_video_zero import TextToVideoZero
from few_shot_motion.samplers.noise import frame_noise
from few_shot_motion.samplers.text_to_video_zero import BACKGROUND_SMOOTHING, T0, T1
from testset import Case
from world import CELL, CELLS

from .classroom import SEED, Classroom, Shipped
from .harness import Settings
from .studio import Studio

_WORDS = {"first_frame": False}


class Room(Shipped):
    """All methods in one process."""

    def __init__(self, unseen: int, results: Path):
        super().__init__(unseen, results)
        self.studio = Studio()

    def lamp(self, settings: Settings, case: Case, seed: int) -> np.ndarray:
        """From the first frame, by the adapter that comes along."""
        noise = FrameNoise.execute(seed, "shared", 0.2, True).args[0]
        return self.animated(self.moving, case, seed=seed, noise=noise, steps=settings["steps"])

    def slid(self, settings: Settings, case: Case, seed: int) -> np.ndarray:
        """TI2V-Zero: from the first frame, by a prior that knows words alone."""
        frames = len(case.states)
        return self.studio.slide(case, [0], frames, frames, seed, settings["preset"])

    def prior(self, settings: Settings, case: Case, seed: int) -> np.ndarray:
        """From words alone, by layers that were taught all motions beforehand."""
        return self.studio.write(case, len(case.states), seed, settings["steps"])

    def zero(self, settings: Settings, case: Case, seed: int) -> np.ndarray:
        """Text2Video-Zero."""
        return text_to_video_zero(self, settings, case, seed)

    def recurrent(self, settings: Settings, case: Case, seed: int) -> np.ndarray:
        """From words alone, by layers that learnt eight clips."""
        beside = settings["motion_convolutions"]
        model = self.learnt(
            f"recurrent {'with' if beside else 'without'} convolutions", SEED, settings["training"], len(case.states),
            method="Recurrent", motion_convolutions=beside, lr_schedule="warm-up, linear decay",
        )  # fmt: skip
        return self._written(model, case, frame_noise(seed, self.shape(case), "shared"), settings)

    def tuned(self, settings: Settings, case: Case, seed: int) -> np.ndarray:
        """Tune-A-Video: one of the eight clips, learnt and inverted, drawn anew with the case's words."""
        frames, steps, clip = len(case.states), settings["steps"], seed % len(self.clips)
        model = self.learnt(
            f"tune-a-video {seed}", seed, settings["training"], frames, only=[clip], method="Tune-A-Video"
        )  # fmt: skip
        with torch.inference_mode(), self.precision():
            latent = {"samples": self.vae.encode(self.clips[clip][:frames])}
            inverted = DDIMInversion.execute(model, self.encode(""), latent, steps, "ddim_uniform", "inverted", 1.0)
        noise = inverted.args[1].generate_noise(latent)
        return self._written(model, case, noise, settings, scheduler="ddim_uniform")

    @staticmethod
    def shape(case: Case) -> torch.Size:
        """Of a case's latents."""
        return torch.Size((len(case.states), 4, CELLS, CELLS))

    def _written(self, model, case: Case, noise: torch.Tensor, settings: Settings, **how) -> np.ndarray:
        return self.drawn(self.written(model, case.caption, noise, settings["steps"], settings["cfg"], **how))


def text_to_video_zero(room: Classroom, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """From words alone and with nothing learnt; it is told how far the subject is to go."""
    first, last, frames = case.states[0], case.states[-1], len(case.states)
    move = [CELL * (b - a) / (frames - 1) for a, b in ((first.x, last.x), (first.y, last.y))]
    model = TextToVideoZero.execute(room.model, *move, T0, T1, BACKGROUND_SMOOTHING).args[0]
    eps = frame_noise(seed, torch.Size((frames, 4, CELLS, CELLS)))
    return room.drawn(room.written(model, case.caption, eps, settings["steps"], settings["cfg"]))


WAYS: dict[str, tuple[str, dict[str, Any]]] = {  # row -> the room's method, settings
    "LAMP": ("lamp", {"steps": 10}),
    "TI2V-Zero, fast": ("slid", {"preset": "fast"}),
    "motion prior": ("prior", {"steps": 20, **_WORDS}),
    "Text2Video-Zero": ("zero", {"steps": 20, "cfg": 3.0, **_WORDS}),
    "recurrent": ("recurrent", {"motion_convolutions": True, "training": 600, "steps": 10, "cfg": 2.0, **_WORDS}),
    "recurrent, without convolutions": (
        "recurrent", {"motion_convolutions": False, "training": 600, "steps": 10, "cfg": 2.0, **_WORDS}
    ),
    "Tune-A-Video": ("tuned", {"training": 300, "steps": 20, "cfg": 1.5, **_WORDS}),
}  # fmt: skip
VARIANTS: dict[str, Settings] = {name: {"method": name, **settings} for name, (_, settings) in WAYS.items()}


def make(room: Room, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """By the method that the settings name."""
    return getattr(room, WAYS[settings["method"]][0])(settings, case, seed)
