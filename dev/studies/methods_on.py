"""The table of the methods on a checkpoint of one's own, Stable Diffusion 1.5 or its kin, for who has a GPU.

    python3 dev study methods --checkpoint sd15.safetensors --clips horses --prompts "a horse runs on the grass" \\
        --clip-file clip-vit-large-patch14.safetensors [--motion-module mm_sd_v15_v2.ckpt]

`--clips`: a folder of 8 to 16 videos of one motion, each with its caption in a .txt file of its name; LAMP, recurrent
attention and Tune-A-Video learn from them. The motion prior and TI2V-Zero want `--motion-module`, a file of
AnimateDiff's. First frames are the checkpoint's own, the same for LAMP and TI2V-Zero. As nothing knows the true course,
only what papers print is measured. Clips and table go into `.dev/study/methods_on/CHECKPOINT`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import folder_paths
import nodes
import numpy as np
import torch
from few_shot_motion.host.files.weights_file import fingerprint
from few_shot_motion.host.metrics.clip_file import from_file
from few_shot_motion.host.training.footage import Footage
from few_shot_motion.nodes.clips import LoadClips
from few_shot_motion.nodes.frame_noise import FrameNoise
from few_shot_motion.nodes.motion import LoadMotionAdapter
from few_shot_motion.nodes.repeat_and_slide import RepeatAndSlideSampler
from few_shot_motion.nodes.text_to_video_zero import TextToVideoZero
from few_shot_motion.samplers.noise import frame_noise
from few_shot_motion.samplers.text_to_video_zero import BACKGROUND_SMOOTHING, T0, T1

from ..interpreter import STATE
from . import harness, study_page
from .judge import Judge
from .methods_room import VARIANTS, Room, make
from .studio import pixels

MEASURES = ("warping_error", "alignment", "consistency", "clip_temp", "first_frame_jump", "unet_frames")
WITH_MODULE = ("TI2V-Zero, fast", "motion prior")
MOVE = (8.0, 0.0)  # Text2Video-Zero's, px from frame to frame
FRAMES, FPS, LATENT = 16, 8.0, 8  # px of a latent's side


@dataclass(frozen=True)
class Prompted:
    """A case of which the words alone are known."""

    caption: str
    states: Sequence[None]  # one per frame, of which nothing is known

    @property
    def start(self) -> dict[str, float]:
        """Nothing is known of how it begins."""
        return {}


class Own(Room):
    """All methods on a checkpoint."""

    def __init__(self, options: argparse.Namespace, results: Path):
        for kind, file in (("checkpoints", options.checkpoint), ("motion_adapters", options.motion_module)):
            if file:
                folder_paths.add_model_folder_path(kind, str(file.resolve().parent), is_default=True)
        folder_paths.set_output_directory(str(results))
        folder_paths.set_input_directory(str(options.clips.resolve().parent))
        self.options, self.noise, self._first_frames = options, None, {}
        self._adapters, self._learnt_models = {}, {}
        self.model, self.clip, self.vae = nodes.CheckpointLoaderSimple().load_checkpoint(options.checkpoint.name)
        films, self.captions = LoadClips.execute(options.clips.name).args
        size = (options.width, options.height)
        self.clips = [torch.cat(list(Footage(film, i, 1, FPS, size).chunks())) for i, film in enumerate(films, 1)]
        if options.motion_module:
            self.module = LoadMotionAdapter.execute(self.model, options.motion_module.name, 1.0).args[0]

    def cases(self, frames: int) -> list[Prompted]:
        """Every prompt, for every seed anew."""
        return [Prompted(prompt, (None,) * frames) for prompt in self.options.prompts] * self.options.seeds

    def shape(self, case: Prompted) -> torch.Size:
        """Of a case's latents."""
        sides = self.options.height // LATENT, self.options.width // LATENT
        return torch.Size((len(case.states), self.model.model.latent_format.latent_channels, *sides))

    def train(self, name: str, seed: int, steps: int, only: Sequence[int] | None = None, **learning):
        """An adapter by the recipe *fast*, and its losses."""
        inputs = {"recipe": "fast", "method": "LAMP", "width": 0, "height": 0, "learning_rate": 0.0, "rank": -1,
                  "precision": "auto", "sample_every": 0, "save_every": 250}  # fmt: skip
        inputs |= {"name": name, "seed": seed, "steps": steps, **learning}
        return self._train([], inputs, range(len(self.clips)) if only is None else only)

    def opening(self, case: Prompted, seed: int) -> dict:
        """The LATENT of a first frame, the checkpoint's own."""
        if (case.caption, seed) not in self._first_frames:
            eps, options = frame_noise(seed, torch.Size((1, *self.shape(case)[1:]))), self.options
            first = self.written(self.model, case.caption, eps, options.steps, options.cfg)
            self._first_frames[case.caption, seed] = {"samples": first}
        return self._first_frames[case.caption, seed]

    def lamp(self, settings: harness.Settings, case: Prompted, seed: int) -> np.ndarray:
        """From the first frame, by an adapter that learnt the clips."""
        model = self.learnt("lamp", 0, settings["training"], len(case.states))
        noise = FrameNoise.execute(seed, "shared", 0.2, False).args[0]  # as the node begins
        how = {"noise": noise, "steps": settings["steps"], "cfg": settings["cfg"]}
        return self.animated(model, case, self.opening(case, seed), seed=seed, **how)

    def zero(self, settings: harness.Settings, case: Prompted, seed: int) -> np.ndarray:
        """Text2Video-Zero, to the right."""
        model = TextToVideoZero.execute(self.model, *MOVE, T0, T1, BACKGROUND_SMOOTHING).args[0]
        return self._written(model, case, frame_noise(seed, self.shape(case)), settings)

    def prior(self, settings: harness.Settings, case: Prompted, seed: int) -> np.ndarray:
        """From words alone, by the motion module."""
        return self._written(self.module, case, frame_noise(seed, self.shape(case)), settings)

    def slid(self, settings: harness.Settings, case: Prompted, seed: int) -> np.ndarray:
        """TI2V-Zero: from the first frame, by the motion module."""
        frames = len(case.states)
        with torch.inference_mode():
            first = self.vae.decode(self.opening(case, seed)["samples"])
            made = RepeatAndSlideSampler.execute(
                self.module, self.encode(case.caption), self.encode(""), first, frames, settings["preset"], seed,
                settings["cfg"], frames, "latent", "euler", "ddim_uniform", 10, 0, 0.0, 1.0, 1, 0, True, "clean",
                "frames of one clip", self.vae,
            )  # fmt: skip
        return pixels(made.args[1])


class Printed(Judge):
    """What papers print, by a CLIP of one's own."""

    def __init__(self, file: Path):
        folder_paths.add_model_folder_path("clip_vision", str(file.resolve().parent), is_default=True)
        self.pair = from_file(file.name)

    def _course(self, *_) -> dict[str, float]:
        return {}


def main(words: Sequence[str]) -> None:
    """The command."""
    options = _options(words)
    made_by = {"checkpoint": fingerprint(options.checkpoint), "clips": options.clips.name, "cfg": options.cfg,
               "size": [options.width, options.height], "training": options.training_steps, "steps": options.steps,
               "module": options.motion_module and fingerprint(options.motion_module)}  # fmt: skip
    variants = {
        row: {**settings, **made_by}
        for row, settings in VARIANTS.items()
        if options.motion_module or row not in WITH_MODULE
    }
    judge = Printed(options.clip_file)
    study = harness.Study(
        "methods", variants, MEASURES, (), lambda _, results: Own(options, results), make, judge=lambda _: judge
    )
    folder = STATE / "study" / "methods_on" / options.checkpoint.stem
    results = harness.measured(study, variants, folder, options.seeds, len(options.prompts), options.frames)
    study_page.put(folder / "results.json", results)
    print(f"{study_page.table(results)}\nin {folder}")


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 dev study methods", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    for name in ("--checkpoint", "--clips", "--clip-file"):
        parser.add_argument(name, type=Path, required=True, metavar="PATH")
    parser.add_argument("--motion-module", type=Path, metavar="PATH")
    parser.add_argument("--prompts", nargs="+", required=True, metavar="TEXT")
    for name, value in (("seeds", 3), ("frames", FRAMES), ("width", 512), ("height", 320), ("steps", 50),
                        ("training-steps", 2000)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--cfg", type=float, default=7.5)
    options = parser.parse_args(words)
    for path in (options.checkpoint, options.clips, options.clip_file, options.motion_module):
        if path and not path.exists():
            parser.error(f"there is no {path}")
    return options
