"""How exactly sampling gives back a clip whose noise DDIM Inversion found: by the number of steps, and by the prompt.

Clips of "moves right" that nothing was learnt from, by the miniature as it is, in fp32. `python3 dev study inversion`
writes docs/inversion.md.
"""

from itertools import product
from pathlib import Path

import numpy as np
import torch
from few_shot_motion.nodes.inversion import DDIMInversion
from testset import Case

from .classroom import Classroom
from .harness import Settings, Study, run

PROMPTS, STEPS = ("empty prompt", "caption"), (10, 20, 50)
SCHEDULER = "ddim_uniform"


class Room(Classroom):
    """The miniature in fp32, since what is asked is how exact it is."""

    def __init__(self, unseen: int, results: Path):
        super().__init__("moves right", unseen, results)

    def precision(self) -> torch.autocast:
        """None but the weights' own."""
        return torch.autocast("cpu", enabled=False)


def drawn_again(room: Classroom, model, pictures: torch.Tensor, inverted_with: str, wanted: str, steps: int,
                cfg: float) -> np.ndarray:  # fmt: skip
    """A clip `f h w 3` in [0, 1], inverted under one prompt and sampled under another, uint8."""
    with torch.inference_mode(), room.precision():
        latent = {"samples": room.vae.encode(pictures)}
        words = room.encode(inverted_with)
        noise = DDIMInversion.execute(model, words, latent, steps, SCHEDULER, "inverted", 1.0).args[1]
    return room.drawn(room.written(model, wanted, noise.generate_noise(latent), steps, cfg, scheduler=SCHEDULER))


def make(room: Room, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3`; without any step, what the autoencoder makes of it."""
    pictures = torch.from_numpy(case.draw()).float() / 255
    if not settings["steps"]:
        with torch.inference_mode():
            return room.drawn(room.vae.encode(pictures))
    words = case.caption if settings["prompt"] == "caption" else ""
    return drawn_again(room, room.model, pictures, words, words, settings["steps"], 1.0)


STUDY = Study(
    "inversion",
    {f"{prompt}, {steps} steps": {"prompt": prompt, "steps": steps} for prompt, steps in product(PROMPTS, STEPS)}
    | {"autoencoder alone": {"prompt": "", "steps": 0}},
    ("psnr", "path_error", "shape_iou", "colour_kept", "background_change", "unet_frames"),
    ("psnr", "shape_iou"),
    Room,
    make,
    quick={"steps": 1},
    frames=8,
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
