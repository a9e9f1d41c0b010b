"""The miniature with its motion prior in this process: clips by repeat-and-slide and from words alone, kept on disk,
measured.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import comfy.sample
import measure
import numpy as np
import torch
import world
from few_shot_motion.host.files import folders
from few_shot_motion.host.sampling.presets import PRESETS
from few_shot_motion.nodes.motion import LoadMotionAdapter
from few_shot_motion.nodes.repeat_and_slide import RepeatAndSlideSampler
from testset import Case

from .. import machine
from ..interpreter import ROOT
from ..second_opinion import MEASURES

PRIOR, WORDS = "miniature_motion.safetensors", "miniature_words.safetensors"
CFG = 3.0


class Studio:
    """The image model, its words for motions, its prior and its VAE, loaded once; SystemExit without a prior."""

    def __init__(self, checkpoint: str = "miniature.safetensors", prior: str = PRIOR, words: str = WORDS,
                 made_by: str = "python3 dev train-miniature --stage prior"):  # fmt: skip
        """Names of files in their loaders' lists; made_by: the command that trains the last two."""
        import nodes

        asyncio.run(nodes.load_custom_node(str(ROOT / "miniature")))
        if prior not in folders.adapter_names():
            raise SystemExit(f"error: there is no motion prior {prior} yet: train it with `{made_by}`")
        self.prior = prior
        image_model, text, self.vae = nodes.CheckpointLoaderSimple().load_checkpoint(checkpoint)
        self.image_model, self.text = nodes.LoraLoader().load_lora(image_model, text, words, 1.0, 1.0)
        self.half = machine.training_precision() == "bf16"
        torch.set_num_threads(1)  # the miniature is too small for more; start a second study beside it

    def words(self, caption: str) -> list:
        """The CONDITIONING of a caption."""
        return [[self.text.encode_from_tokens(self.text.tokenize(caption)), {}]]

    def moving(self, strength: float = 1.0):
        """The MODEL with the prior at a strength."""
        return LoadMotionAdapter.execute(self.image_model, self.prior, strength).args[0]

    def precision(self) -> torch.autocast:
        """What clips are made in: bf16 where it pays, else fp32."""
        return torch.autocast("cpu", torch.bfloat16, enabled=self.half)

    def slide(
        self,
        case: Case,
        given: Sequence[int],
        frames: int,
        window: int,
        seed: int,
        preset: str = "custom",
        cfg: float = CFG,
        strength: float = 1.0,
        pictures: np.ndarray | None = None,
        **settings,
    ) -> np.ndarray:
        """A clip of which the frames `given` are known, exact ones unless there are other `pictures`, by the node;
        settings as its own, steps 10 and no resampling by default.
        """
        exact = torch.from_numpy(case.draw()[:frames] if pictures is None else pictures).float() / 255
        known = torch.zeros(frames, 8, 8)
        known[list(given)] = 1
        custom = {
            "steps": 10,
            "resample": 0,
            "resample_start": 0.0,
            "resample_end": 1.0,
            "new_frames": 1,
            "inversion": True,
            **settings,
        }
        with torch.inference_mode(), self.precision():
            out = RepeatAndSlideSampler.execute(
                self.moving(strength), self.words(case.caption), self.words(""), exact if len(given) > 1 else exact[:1],
                                                frames, preset, seed, cfg, window,
                "latent", "euler", "ddim_uniform", context=0, end="clean", batch="frames of one clip", vae=self.vae,
                known_frames=known if len(given) > 1 else None, **custom,
            )  # fmt: skip
        return pixels(out.args[1])

    def write(self, case: Case, frames: int, seed: int, steps: int = 20) -> np.ndarray:
        """A clip from the caption alone: the prior's own text to video."""
        shape = (frames, 4, world.CELLS, world.CELLS)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode(), self.precision():
            latent = comfy.sample.sample(self.moving(), noise, steps, CFG, "euler", "ddim_uniform",
                                         self.words(case.caption), self.words(""),
                                         torch.zeros(shape), disable_pbar=True, seed=seed)  # fmt: skip
            return pixels(self.vae.decode(latent.float()))


def calls_per_frame(preset: str) -> float:
    """Calls of the model per new frame, cond and uncond together, as the node's help page has them."""
    steps, resample, end, new_frames = PRESETS[preset]
    return (steps + resample * round(steps * end)) / new_frames


def pixels(images: torch.Tensor) -> np.ndarray:
    """Pictures in [0, 1] as uint8."""
    return (images.float().clamp(0, 1) * 255).round().byte().numpy()


def kept(file: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in this file, made unless it is there."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        array, part = make(), file.with_suffix(".part")
        with part.open("wb") as opened:
            np.savez_compressed(opened, array=array)
        part.replace(file)
    return np.load(file)["array"]


def followed(clip: np.ndarray, case: Case) -> dict[str, float]:
    """How a clip without a given first frame follows its caption: held against the exact course from where its subject
    begins.
    """
    begins = measure.find_subject(clip[0], (case.scene.shape,))
    if begins is None:
        return {**dict.fromkeys(MEASURES, 0.0), "path_error": world.CELLS / 2}
    course = world.path(case.motion, world.State(begins.x, begins.y, begins.size), len(clip))
    return measure.measure_clip(clip, case.scene, course)
