"""LAMP's table 1 on the miniature: every method of motion on the same first frames and prompts, and what each costs.

LAMP, the motion prior (AnimateDiff's way: layers taught beforehand) and what builds on it take the weights that come
along; Tune-A-Video learns one clip anew for every seed, recurrent attention the eight clips, once. Each samples with
the settings its own study has. `python3 dev study methods` writes docs/methods.md.
"""

from pathlib import Path

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
from .harness import Settings, Study, run
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

    def recurrent(self, settings: Settings, case: Case, seed: int) -> np.ndarray:
        """From words alone, by layers that learnt eight clips."""
        beside = settings["motion_convolutions"]
        model = self.learnt(
            f"recurrent {'with' if beside else 'without'} convolutions", SEED, settings["training"], len(case.states),
            method="Recurrent", motion_convolutions=beside, lr_schedule="warm-up, linear decay",
        )  # fmt: skip
        return _written(self, model, case, frame_noise(seed, _shape(case), "shared"), settings)

    def tuned(self, settings: Settings, case: Case, seed: int) -> np.ndarray:
        """Tune-A-Video: one of the eight clips, learnt and inverted, drawn anew with the case's words."""
        frames, steps = len(case.states), settings["steps"]
        model = self.learnt(
            f"tune-a-video {seed}", seed, settings["training"], frames, only=[seed], method="Tune-A-Video"
        )  # fmt: skip
        with torch.inference_mode(), self.precision():
            latent = {"samples": self.vae.encode(self.clips[seed][:frames])}
            inverted = DDIMInversion.execute(model, self.encode(""), latent, steps, "ddim_uniform", "inverted", 1.0)
        noise = inverted.args[1].generate_noise(latent)
        return _written(self, model, case, noise, settings, scheduler="ddim_uniform")


def text_to_video_zero(room: Classroom, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """From words alone and with nothing learnt; it is told how far the subject is to go."""
    first, last = case.states[0], case.states[-1]
    move = [CELL * (b - a) / (len(case.states) - 1) for a, b in ((first.x, last.x), (first.y, last.y))]
    model = TextToVideoZero.execute(room.model, *move, T0, T1, BACKGROUND_SMOOTHING).args[0]
    return _written(room, model, case, frame_noise(seed, _shape(case)), settings)


def _shape(case: Case) -> torch.Size:
    """Of a case's latents."""
    return torch.Size((len(case.states), 4, CELLS, CELLS))


def _written(room: Classroom, model, case: Case, noise: torch.Tensor, settings: Settings, **how) -> np.ndarray:
    return room.drawn(room.written(model, case.caption, noise, settings["steps"], settings["cfg"], **how))


METHODS = {
    "LAMP": (Room.lamp, {"steps": 10}),
    "TI2V-Zero, fast": (Room.slid, {"preset": "fast"}),
    "motion prior": (Room.prior, {"steps": 20, **_WORDS}),
    "Text2Video-Zero": (text_to_video_zero, {"steps": 20, "cfg": 3.0, **_WORDS}),
    "recurrent": (Room.recurrent, {"motion_convolutions": True, "training": 600, "steps": 10, "cfg": 2.0, **_WORDS}),
    "recurrent, without convolutions": (
        Room.recurrent, {"motion_convolutions": False, "training": 600, "steps": 10, "cfg": 2.0, **_WORDS}
    ),
    "Tune-A-Video": (Room.tuned, {"training": 300, "steps": 20, "cfg": 1.5, **_WORDS}),
}  # fmt: skip


def make(room: Room, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """By the method that the settings name."""
    return METHODS[settings["method"]][0](room, settings, case, seed)


STUDY = Study(
    "methods",
    {name: {"method": name, **settings} for name, (_, settings) in METHODS.items()},
    ("direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept", "background_change",
     "warping_error", "alignment", "consistency", "clip_temp", "first_frame_jump", "unet_frames"),
    ("path_error", "alignment", "consistency", "warping_error"),
    Room,
    make,
    quick={"steps": 2, "training": 2},
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
