"""Real walks in this process: four to learn from, two to be animated from their first frame, and who judges that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import folder_paths
import numpy as np
import torch
from few_shot_motion.host.files.weights_file import fingerprint
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.metrics import first_frame
from few_shot_motion.metrics.flow import lucas_kanade
from few_shot_motion.metrics.warping import warping_error
from few_shot_motion.nodes.frame_noise import FrameNoise
from few_shot_motion.nodes.inversion import DDIMInversion
from few_shot_motion.nodes.masks import PredictMask

from ..classroom import SEED, Workshop
from ..studio import pixels
from . import clips, measures, unet

ALPHA = 0.2  # of shared noise, as the node has it


@dataclass(frozen=True)
class Walk:
    """A real clip uint8 `f h w 3`, its caption, and where the person is, bool `f h w`; `number` of the walk."""

    number: int
    caption: str
    clip: np.ndarray
    masks: np.ndarray

    @property
    def start(self) -> dict[str, int]:
        """Which walk it is, for names of files."""
        return {"walk": self.number}


class Filmed(Workshop):
    """The six walks, a UNet that has seen their frames, and TAESD, both by core's own loaders."""

    def __init__(
        self, unseen: int, folder: Path, real: Path, training: int, tuning: int, frames: int = clips.FRAMES
    ):  # fmt: skip
        """unseen: how many cases there are to be; folder: where the UNet's state is, and runs that may be gone on with;
        training, tuning: steps of motion layers, LAMP's on four walks and Tune-A-Video's on one."""
        super().__init__(folder)
        import nodes

        file, self.unet_steps = unet.checkpoint(folder)
        self.unseen = unseen
        self.training, self.tuning, self.frames = training, tuning, frames
        self.made_by = [fingerprint(file), f"{training} steps", f"{tuning} steps"]  # for names of files
        folder_paths.add_model_folder_path("checkpoints", str(file.parent))
        self.model, self.clip, _ = nodes.CheckpointLoaderSimple().load_checkpoint(file.name)
        self.vae = clips.autoencoder(real)
        films = [clips.clip(real, name) for name in clips.WALKS]
        where = [clips.masks(real, name) for name in clips.WALKS]
        self.plate = measures.plate([pixels(film) for film in films], [mask.numpy() >= 0.5 for mask in where])
        self.clips, self.masks = [film[:frames] for film in films], [mask[:frames] for mask in where]
        self.captions = [clips.CAPTIONS[name] for name in clips.WALKS]
        self.walks = [
            Walk(number, caption, pixels(film), mask.numpy() >= 0.5)
            for number, (caption, film, mask) in enumerate(zip(self.captions, self.clips, self.masks, strict=True))
        ]

    def cases(self, frames: int) -> list[Walk]:
        """The walks that motion layers have not seen, over and over: every seed animates the same."""
        walks = self.walks[len(clips.SEEN) :]
        return [walks[i % len(walks)] for i in range(self.unseen)]

    def finds(self) -> tuple[list[float], list[float]]:
        """How well people are found in the real walks: overlap with the given masks, and their middles' distance from
        those of these, in px; one of each for every walk."""
        found = [measures.people(walk.clip, self.plate) for walk in self.walks]
        pairs = [(one, walk.masks) for one, walk in zip(found, self.walks, strict=True)]
        courses = [(measures.course(one), measures.course(given)) for one, given in pairs]
        width = self.plate.shape[1]
        return [measures.overlap(*pair) for pair in pairs], [measures.course_error(*pair, width) for pair in courses]

    def of_walks(self, masked: bool):
        """The adapter that learnt four walks by LAMP, with a mask predictor beside or without."""
        masks = {"mask_input": "x0", "masks": self.masks[: len(clips.SEEN)]} if masked else {}
        return self._taught("lamp, masks" if masked else "lamp", SEED, self.training, range(len(clips.SEEN)), **masks)

    def _taught(self, name: str, seed: int, steps: int, only: Sequence[int], **learning):
        name = f"{name}, {steps} steps, {self.frames} frames, unet {self.unet_steps}"
        return self.taught(name, seed, steps, only=only, frames=self.frames, **learning)

    def still(self, walk: Walk, seed: int, steps: int) -> np.ndarray:
        """The first frame and nothing else: what a clip has to be better than."""
        return walk.clip[:1].repeat(len(walk.clip), axis=0)

    def coded(self, walk: Walk, seed: int, steps: int) -> np.ndarray:
        """The real clip through the autoencoder: as near as any clip can come."""
        return self.drawn(self.encoded(walk.clip))

    def encoded(self, clip: np.ndarray) -> torch.Tensor:
        """Latents `f c h w` of a clip uint8 `f h w 3`, as a LATENT holds them."""
        with torch.inference_mode():
            return self.vae.encode(torch.from_numpy(clip).float() / 255)

    def plain(self, walk: Walk, seed: int, steps: int) -> np.ndarray:
        """From the first frame, by the image model alone."""
        return self._animated(self.model, walk, seed, steps)

    def lamp(self, walk: Walk, seed: int, steps: int, masked: bool = False, alpha: float = ALPHA) -> np.ndarray:
        """From the first frame, by an adapter that learnt the four other walks; alpha: what frames' noise shares."""
        return self._animated(apply_adapter(self.model, self.of_walks(masked)), walk, seed, steps, alpha)

    def _animated(self, model, walk: Walk, seed: int, steps: int, alpha: float = ALPHA) -> np.ndarray:
        noise = FrameNoise.execute(seed, "shared", alpha, True).args[0]
        first = {"samples": self.encoded(walk.clip[:1])}
        with torch.inference_mode():
            words = self.encode(walk.caption), self.encode("")
            made = self.animate(model, *words, first, len(walk.clip), seed=seed, noise=noise, steps=steps)
        return self.drawn(made["samples"])

    def tuned(self, walk: Walk, seed: int, steps: int, words: str = "") -> np.ndarray:
        """Tune-A-Video: the walk itself, learnt and inverted, drawn anew with its own words or others."""
        adapter = self._taught(
            f"tune-a-video {walk.number} {seed}", seed, self.tuning, [walk.number], method="Tune-A-Video"
        )  # fmt: skip
        model, latent = apply_adapter(self.model, adapter), {"samples": self.encoded(walk.clip)}
        with torch.inference_mode(), self.precision():
            inverted = DDIMInversion.execute(model, self.encode(""), latent, steps, "ddim_uniform", "inverted", 1.0)
        noise = inverted.args[1].generate_noise(latent)
        return self.drawn(self.written(model, words or walk.caption, noise, steps, 1.5, "ddim_uniform"))


class Judge:
    """Holds clips against the real continuation."""

    def __init__(self, room: Filmed):
        self.room = room

    def of(self, clip: np.ndarray, case: Walk, given: bool, wanted: Sequence[str]) -> dict[str, float]:
        """A clip uint8 `f h w 3`. given: its first frame was the real one."""
        video = torch.from_numpy(clip).movedim(-1, 1).float() / 255
        people = measures.people(clip, self.room.plate)
        found, real = measures.course(people), measures.course(case.masks)
        by_hand: dict[str, Callable[[], float]] = {
            "course_error": lambda: measures.course_error(found, real, clip.shape[2]),
            "displacement_ratio": lambda: measures.displacement_ratio(found, real),
            "person_iou": lambda: measures.overlap(people, case.masks),
            "found": lambda: float(people.any(axis=(1, 2)).mean()),
            "background_change": lambda: measures.background_change(clip, people | case.masks),
            "psnr": lambda: measures.psnr(clip, case.clip),
            "warping_error": lambda: warping_error(video, lucas_kanade).mean,
            "first_frame_jump": lambda: first_frame.steps(video).luminance_jump,
            "predicted_iou": lambda: measures.overlap(self._predicted(clip), people),
        }
        if not given:
            del by_hand["first_frame_jump"]
        return {name: by_hand[name]() for name in wanted if name in by_hand}

    def together(self, made: Sequence[np.ndarray], wanted: Sequence[str]) -> dict[str, float]:
        """Nothing is measured of several clips."""
        return {}

    def _predicted(self, clip: np.ndarray) -> np.ndarray:
        """Where the mask predictor sees somebody, bool `f h w`."""
        latent = {"samples": self.room.encoded(clip)}
        with torch.inference_mode():
            return (PredictMask.execute(self.room.of_walks(True), latent, "picture").args[0] >= 0.5).numpy()
