"""The miniature in this process: eight clips of one motion with exact masks, adapters learnt from them, first frames
that no clip has shown, animated.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import clips
import comfy.sample
import comfy.samplers
import folder_paths
import numpy as np
import torch
import world
from comfy_api.latest import InputImpl
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.nodes.frame_noise import FrameNoise
from few_shot_motion.nodes.motion import LoadMotionAdapter
from few_shot_motion.nodes.sampling import FirstFrameKSampler
from few_shot_motion.nodes.training import TrainMotionLoRA
from testset import Case

from .. import machine
from ..interpreter import ROOT
from .studio import pixels

CLIPS, FRAMES, SEED = 8, 16, 1
TRAINING = {
    "method": "LAMP", "frames": FRAMES, "learning_rate": 1e-3, "rank": 0, "width": 0, "height": 0, "batch_size": 1,
            "query_rate": 0.1,
    "frame_step": 1, "flip": False, "group_norm": "joint", "precision": machine.training_precision(),
            "gradient_checkpointing": False,
    "weighting": "balanced",
}  # fmt: skip
SAMPLING = {"steps": 10, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "statistics": "match at the end"}


class Workshop:
    """A model in this process, clips that it can learn from, and what is made by it; who inherits it brings them."""

    model: Any
    clip: Any
    vae: Any
    clips: list[torch.Tensor]  # each `f h w 3` in [0, 1]
    masks: list[torch.Tensor]  # each `f h w`
    captions: list[str]

    def __init__(self, results: Path):
        """results: where runs that may be gone on with are kept."""
        import nodes

        asyncio.run(nodes.load_custom_node(str(ROOT / "miniature")))
        folder_paths.set_output_directory(str(results))
        torch.set_num_threads(1)  # the miniature is too small for more
        self.noise = FrameNoise.execute(SEED, "shared", 0.2, True).args[0]  # full variance: kept figures hang on it
        self._adapters, self._learnt_models = {}, {}

    def encode(self, text: str) -> list:
        """The CONDITIONING of a prompt."""
        return self.clip.encode_from_tokens_scheduled(self.clip.tokenize(text))

    def train(self, name: str, seed: int, steps: int, only: Sequence[int] = range(CLIPS), **learning):
        """An adapter, and its losses; `only`: from these of the clips; `learning`: other settings than TRAINING's, or
        masks.
        """
        masks, inputs = learning.pop("masks", []), {**TRAINING, "steps": steps, "seed": seed, **learning}
        return self._train(masks, {**inputs, "name": name, "save_every": 50}, only)

    def by_recipe(self, recipe: str, name: str, seed: int, steps: int, learning_rate: float):
        """The same by a recipe as the node has it, but for steps, rate and what the machine computes in best."""
        left = {"method": "LAMP", "width": 0, "height": 0, "precision": TRAINING["precision"], "sample_every": 0,
                "gradient_checkpointing": False, "save_every": 250, "frames": 0, "rank": -1}  # fmt: skip
        inputs = {"recipe": recipe, "name": name, "seed": seed, "steps": steps, "learning_rate": learning_rate}
        return self._train([], {**left, **inputs})

    def _train(self, masks: list, inputs: dict, only: Sequence[int] = range(CLIPS)):
        """The node's adapter and loss map; a run that is kept under the name goes on."""
        only = only[: inputs["steps"]]  # as many as there is time to look at
        films, captions = [self.clips[i] for i in only], [self.captions[i] for i in only]
        with torch.inference_mode():
            return TrainMotionLoRA.execute(
                [self.model], [self.vae], films, [self.encode(caption) for caption in captions],
                masks=masks[: len(only)], captions=captions, resume=[True],
                **{key: [value] for key, value in inputs.items()},
            ).args[:2]  # fmt: skip

    def taught(self, name: str, seed: int, steps: int, **learning) -> MotionAdapter:
        """The adapter of a run that is kept under a name, once in this process."""
        if name not in self._adapters:
            self._adapters[name], _ = self.train(name, seed, steps, **learning)
        return self._adapters[name]

    def learnt(self, name: str, seed: int, steps: int, frames: int, **learning):
        """The MODEL with such an adapter; steps and frames become part of its name."""
        name = f"{name}, {steps} steps, {frames} frames"
        if name not in self._learnt_models:
            self._learnt_models[name] = apply_adapter(
                self.model, self.taught(name, seed, steps, frames=frames, **learning)
            )
        return self._learnt_models[name]

    def animate(self, model, positive: list, negative: list, first: dict, frames: int = FRAMES, **changes) -> dict:
        """The LATENT of a clip that goes on from a first frame's; `changes`: of SAMPLING, or another seed or noise."""
        how = {"seed": SEED, "noise": self.noise, **SAMPLING, **changes}
        with self.precision():
            return FirstFrameKSampler.execute(model, positive, negative, first, frames, **how).args[0]

    def written(self, model, caption: str, noise: torch.Tensor, steps: int, cfg: float, scheduler: str = "normal",
                sampler=None, latents: torch.Tensor | None = None, seed: int = SEED) -> torch.Tensor:  # fmt: skip
        """Latents `f c h w` from words and noise, by core's advanced sampling: a SAMPLER, euler unless one is given,
        and the latents that a model conditioned on a first frame begins with.
        """
        sampler = sampler or comfy.samplers.sampler_object("euler")
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, steps)
        latents = torch.zeros_like(noise) if latents is None else latents
        with torch.inference_mode(), self.precision():
            words = self.encode(caption), self.encode("")
            return comfy.sample.sample_custom(
                model, noise, cfg, sampler, sigmas, *words, latents, disable_pbar=True, seed=seed
            )  # fmt: skip

    def drawn(self, latents: torch.Tensor) -> np.ndarray:
        """Pictures uint8 `f h w 3`."""
        with torch.inference_mode():
            return pixels(self.vae.decode(latents.float()))

    def precision(self) -> torch.autocast:
        """What the training computes in, for sampling too: bf16 where it pays, else fp32."""
        return torch.autocast("cpu", torch.bfloat16, enabled=TRAINING["precision"] == "bf16")


class Classroom(Workshop):
    """Eight clips of one motion, their masks and captions, and `unseen` first frames of the same motion."""

    def __init__(self, motion: str, unseen: int, results: Path, count: int = CLIPS):
        """results: where the clips, and runs that may be gone on with, are kept; count: clips, the first CLIPS of them
        always the same.
        """
        super().__init__(results)
        import nodes

        self.motion, self._wanted, self._shown = motion, unseen, count
        self.model, self.clip, self.vae = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
        folder, masks = results / "clips", results / "clips_masks"
        clips.write_training_set(folder, motion, count, FRAMES, SEED, masks)
        self.clips, self.masks, self.captions = read_set(folder, masks)
        self.unseen = self._unseen(motion)

    def _unseen(self, motion: str) -> list[tuple[world.Scene, world.State]]:
        seen = [scene for scene, _ in clips.training_set(motion, self._shown, SEED)]
        return clips.first_frames(motion, self._wanted, SEED, exclude=seen)

    def cases(self, frames: int = FRAMES, motion: str | None = None) -> list[Case]:
        """The unseen first frames with their exact courses; of another motion, that one's."""
        motion = motion or self.motion
        return [Case(scene, motion, world.path(motion, start, frames)) for scene, start in self._unseen(motion)]

    def first_frame(self, scene: world.Scene, start: world.State) -> dict:
        """The exact first frame, as a LATENT."""
        return {"samples": self.vae.encode(torch.from_numpy(world.draw(scene, start))[None].float() / 255)}

    def animated(self, model, case: Case, first: dict | None = None, **changes) -> np.ndarray:
        """The clip uint8 `f h w 3` that a first frame's LATENT becomes, the case's own unless one is given."""
        with torch.inference_mode():
            first = first or self.first_frame(case.scene, case.states[0])
            words = self.encode(case.caption), self.encode("")
            return self.drawn(self.animate(model, *words, first, len(case.states), **changes)["samples"])


class Shipped(Classroom):
    """With the adapters that come along, "moves right" above all, so that nothing has to be learnt."""

    def __init__(self, unseen: int, results: Path, count: int = CLIPS):
        super().__init__("moves right", unseen, results, count)
        self.moving = self.adapted("moves right")

    @cache  # noqa: B019 - a room lasts as long as its study
    def adapted(self, what: str):
        """The MODEL with the adapter of a motion that comes along, or of another name."""
        name = f"miniature_{what.replace(' ', '_')}.safetensors"
        return LoadMotionAdapter.execute(self.model, name, 1.0).args[0]


def read_set(folder: Path, masks: Path) -> tuple[list[torch.Tensor], list[torch.Tensor], list[str]]:
    """A training set as its writer numbered it: clips `f h w 3` in [0, 1], masks `f h w`, captions."""
    files = sorted(folder.glob("*.mp4"), key=lambda file: int(file.stem.rsplit("_", 1)[1]))
    captions = [file.with_suffix(".txt").read_text(encoding="utf-8").strip() for file in files]
    return [_read(file) for file in files], [_read(masks / file.name)[..., 0] for file in files], captions


def _read(file: Path) -> torch.Tensor:
    return InputImpl.VideoFromFile(str(file)).get_components().images
