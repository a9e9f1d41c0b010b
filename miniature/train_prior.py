"""The miniature's motion prior: LAMP's layers over the frozen image model, taught the world's motions by their
captions, without a first frame.

What a real motion module is to Stable Diffusion: it moves any scene as its caption says. AnimateDiff's layers see one
position at a time and did not learn a course in an hour; LAMP's convolutions over frames, between the image model's
own, do in minutes. How the image model hears the words of train_words.py is learnt along, and stands in their LoRA, as
AnimateDiff v3 has its domain adapter beside it. README.md says what else was tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import image_model
import numpy as np
import torch
import train_words
import vae
import world
from safetensors.torch import load_file
from torch import Tensor, nn

if TYPE_CHECKING:
    from few_shot_motion.motion_modules.adapter import MotionAdapter

FRAMES, SHORT = 16, 8  # frames of a clip, and of every fourth: for a window of either length
SCENES, MOTIONS = world.all_scenes(), list(world.MOTIONS)
FILE = Path(__file__).parent / "models" / "motion_adapters" / "miniature_motion.safetensors"
# Layers that are to move by a word learn nothing as long as the word makes no difference, and it makes none as long as
# they do not move. So they learn one motion alone first, and words are loud from the start: 2.8 times a usual text
# value.
FIRST, ALONE = "moves right", 900  # that motion, its steps
HEARD = {"to_k": 0.16, "to_v": 2.8}
Pair = Callable[[np.random.Generator], tuple[Tensor, list[str]]]  # latents (2 f 4 16 16) and their captions


@dataclass(frozen=True)
class Lessons:
    """What a world teaches. model, text: core's MODEL and CLIP; along: directions (d k) of the tower's outputs in which
    it says motions, as far as `reach`; typical: outputs (n d), to tell how loud they are; first: pairs of one motion
    alone, then: pairs of all of them; frames: at most so many in a clip."""

    model: Any
    text: Any
    along: Tensor
    reach: float
    typical: Tensor
    motions: list[str]
    first: Pair
    then: Pair
    frames: int = FRAMES


# ---------------------------------------------------------------------------------------------------------- data


def course(motion: str, rng: np.random.Generator) -> list[world.State]:
    """A clip's course; a motion with a cycle begins anywhere in it half of the time, as the later windows of a long
    clip do. Never at rest: a prior that has seen rests takes the repeated first frame of repeat-and-slide for one, and
    stays where it is."""
    offset = int(rng.integers(FRAMES)) if motion in world.ENDLESS and rng.random() < 0.5 else 0
    return world.path(motion, world.start_state(motion, rng), FRAMES + offset)[offset:]


def latents_of(scene: world.Scene, motion: str, seed: int, frames: int = FRAMES) -> Tensor:
    """A clip `f 4 16 16`, drawn by the world."""
    clip = world.draw_clip(scene, course(motion, np.random.default_rng(seed))[:frames])
    return vae.encode(torch.from_numpy(clip).movedim(-1, 1).float() / 255)


def alone(rng: np.random.Generator) -> tuple[Tensor, list[str]]:
    """Latents (2 f 4 16 16) of two scenes in the first motion, and their captions."""
    scenes = [SCENES[i] for i in rng.integers(len(SCENES), size=2)]
    return torch.stack([latents_of(scene, FIRST, int(rng.integers(2**31))) for scene in scenes]), [
        scene.caption(FIRST) for scene in scenes
    ]


def twins(rng: np.random.Generator) -> tuple[Tensor, list[str]]:
    """Latents (2 f 4 16 16) of one scene in two motions, a quarter of the time straight ones, and their captions, in
    one step of twenty left out. All but the motion is the same, so what differs in the two gradients is what the word
    has to say."""
    scene, seed, frames = (
        SCENES[rng.integers(len(SCENES))],
        int(rng.integers(2**31)),
        SHORT if rng.random() < 0.25 else FRAMES,
    )
    motions = rng.permutation(world.STRAIGHT if rng.random() < 0.25 else MOTIONS)[:2].tolist()
    captions = ["", ""] if rng.random() < 0.05 else [scene.caption(motion) for motion in motions]
    return torch.stack([latents_of(scene, motion, seed, frames) for motion in motions]), captions


def noise(generator: torch.Generator, frames: int) -> Tensor:
    """Noise `1 f 4 16 16` with a common part per channel, of a frame and of the clip: else the input's mean gives
    colours away, and words go unread.
    """
    position, frame, clip = (
        torch.randn(1, *shape, generator=generator) for shape in ((frames, 4, 16, 16), (frames, 4, 1, 1), (1, 4, 1, 1))
    )
    return position + 0.1 * frame + 0.15 * clip


# ---------------------------------------------------------------------------------------------------------- training


class Muon(torch.optim.Optimizer):
    """torch's Muon for matrices, kernels as matrices too, and AdamW for the rest: here a third fewer steps than AdamW
    for all.
    """

    def __init__(self, parameters: list[Tensor], lr: float):
        super().__init__(parameters, {"lr": lr})
        self.views = [(value, value.detach().view(len(value), -1)) for value in parameters if value.ndim > 1]
        rest = [value for value in parameters if value.ndim == 1]
        self.matrices = torch.optim.Muon(
            [view for _, view in self.views], lr=lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
        )
        self.rest = torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.99), weight_decay=0)

    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step of both, at the rate a schedule has set in this one's own group."""
        for value, view in self.views:
            view.grad = None if value.grad is None else value.grad.flatten(1)
        for optimizer in (self.matrices, self.rest):
            optimizer.param_groups[0]["lr"] = self.param_groups[0]["lr"]
            optimizer.step()

    def state_dict(self) -> dict:
        """Of both, to go on with."""
        return {"matrices": self.matrices.state_dict(), "rest": self.rest.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on from what `state_dict` gave."""
        self.matrices.load_state_dict(state_dict["matrices"])
        self.rest.load_state_dict(state_dict["rest"])


def shapes() -> Lessons:
    """The world's first edition over the released checkpoint, its words those of train_words.py, whose file must be
    there."""
    import comfy.sd
    import comfy.utils
    import nodes

    model, text, _ = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
    outputs = train_words.outputs_of(text)
    along, typical = train_words.directions(outputs), outputs[::37, 1::9].flatten(0, 1)
    text = comfy.sd.load_lora_for_models(None, text, comfy.utils.load_torch_file(str(train_words.FILE)), 0, 1)[1]
    return Lessons(model, text, along, train_words.LOUD, typical, MOTIONS, alone, twins)


def train_prior(
    lessons: Lessons, seed: int, steps: int, device: str, folder: Path, first: int = ALONE, focus: float = 0.0,
    begin: tuple[MotionAdapter, dict[str, Tensor]] | None = None,
) -> tuple[MotionAdapter, dict[str, Tensor]]:  # fmt: skip
    """The motion layers, as Load Motion Adapter reads them, and the change of the text keys and values by weight.
    first: steps of one motion alone, before the others'; focus: the share of the loss that goes by how much a position
    changes; begin: what this gave before, to go on from in place of one motion alone."""
    from few_shot_motion.host.patching.image_model import sites_of
    from few_shot_motion.host.training import model as training_host
    from few_shot_motion.host.training.base_model import trainable_model
    from few_shot_motion.host.training.conditions import model_conditions
    from few_shot_motion.motion_modules.adapter import MotionAdapter
    from few_shot_motion.motion_modules.layers import WeightDelta
    from few_shot_motion.motion_modules.module import MotionModule, initialise
    from few_shot_motion.training.loss import video_loss
    from fitting import fit, report, share

    text = lessons.text
    base = trainable_model(lessons.model)
    torch.manual_seed(seed)
    module = initialise(MotionModule(sites_of(base))).to(device).train()
    readings: dict[str, WeightDelta] = {}
    for name, weight in base.model.diffusion_model.named_parameters():
        if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight")):
            readings[name] = WeightDelta(weight.shape[1], weight.shape[0]).to(device)
            nn.init.zeros_(readings[name].delta.weight)
            base.add_weight_wrapper(f"diffusion_model.{name}", readings[name])
    options = training_host.attach(base, module, joint_norm=True, checkpointing=False)
    sigmas = base.model.model_sampling.sigmas
    encoded: dict[tuple[str, int], dict[str, Tensor]] = {}

    def condition(caption: str, clip: Tensor) -> dict[str, Tensor]:
        key = caption, len(clip)
        if key not in encoded:
            context = text.encode_from_tokens(text.tokenize(caption)).detach()
            encoded[key] = model_conditions(base, [[[context, {}]]], clip)[0]
        return encoded[key]

    def loss_of(pair, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed * 3_000_017 + step)
        x0, captions = pair(np.random.default_rng([seed, step, 3]))
        place, processes = share()
        x0, captions = x0[place::processes], captions[place::processes]
        # where noise hides the course the motion is decided: four in five levels are of the noisier half, and weighed
        # by the error of v
        level = torch.rand(2, generator=generator)
        level = level[:1] if level[1] < 0.2 else (1 + level[:1]) / 2
        sigma = sigmas[(level * len(sigmas)).long()].expand(len(x0)).to(device)
        predict = training_host.denoiser(
            base, options, [condition(caption, x0[0]) for caption in captions], image_model.precision(device)
        )
        eps = noise(generator, x0.shape[1]).expand_as(x0)
        return video_loss(predict, x0.to(device), eps.to(device), sigma, torch.ones_like(sigma), power=1.0, focus=focus)

    layers = {name: value for name, value in module.named_parameters() if value.requires_grad}
    if begin is None:
        alone = fit("prior_alone", layers, lambda step: loss_of(lessons.first, step), first, 2e-3, folder, Muon)
        report("prior, one motion", alone, first)
        weights = {name: base.model.diffusion_model.get_parameter(name).detach().float() for name in readings}
        heard = {name: _first_reading(weights[name], lessons, HEARD[name.split(".")[-2]]) for name in readings}
    else:
        adapter, heard = begin
        module.load_state_dict({name: value.float() for name, value in adapter.tensors.items()})
        first = int(adapter.metadata["steps"])
    for name, reading in readings.items():
        reading.delta.weight.data = heard[name].float().to(device)
    trained = layers | {name: reading.delta.weight for name, reading in readings.items()}
    records = fit("prior", trained, lambda step: loss_of(lessons.then, first + step), steps, 1e-3, folder, Muon)
    report("prior", records, steps)
    notes = {"kind": "Motion prior of the miniature", "base": "Miniature", "frames": str(lessons.frames),
             "width": "128", "height": "128",
             "prompts": ", ".join(lessons.motions), "steps": str(first + steps), "licence": "Apache-2.0"}  # fmt: skip
    adapter = MotionAdapter(
        "lamp", {name: value.detach() for name, value in module.state_dict().items()}, metadata=notes
    )
    return adapter, {name: reading.delta.weight.detach() for name, reading in readings.items()}


def _first_reading(weight: Tensor, lessons: Lessons, loud: float) -> Tensor:
    """Change of a projection that hears motions at random, and nothing else in their directions."""
    along, typical = lessons.along.to(weight.device), lessons.typical.to(weight.device)
    loudness = (typical @ weight.T).norm(dim=-1).mean() / lessons.reach
    random = torch.nn.functional.normalize(torch.randn(weight.shape[0], along.shape[1], device=weight.device), dim=0)
    return (loud * loudness * random - weight @ along) @ along.T


def write(adapter: MotionAdapter, readings: dict[str, Tensor]) -> None:
    """Both files: the adapter, and the changed readings beside the words."""
    from few_shot_motion.motion_modules.adapter_file import save_adapter

    save_adapter(adapter, FILE)
    train_words.write({**load_file(train_words.FILE), **train_words.named("diffusion_model", readings)})
