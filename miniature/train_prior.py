"""The miniature's motion prior: LAMP's layers over the frozen image model, taught the world's motions by their captions, without a first frame.

What a real motion module is to Stable Diffusion: it knows every motion of the world and moves any scene as its caption says. AnimateDiff's layers
see one position at a time and did not learn a course in an hour; LAMP's convolutions over frames, between the image model's own, do. How the
image model hears the words of train_words.py is learnt along, and stands in their LoRA, as AnimateDiff v3 has its domain adapter beside it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import train_words
import vae
import world
from safetensors.torch import load_file
from torch import Tensor

if TYPE_CHECKING:
    from few_shot_motion.motion_modules.adapter import MotionAdapter

FRAMES = 16
SCENES, MOTIONS = world.all_scenes(), list(world.MOTIONS)
FILE = Path(__file__).parent / "models" / "motion_adapters" / "miniature_motion.safetensors"
# how loud a motion is at first among the other words; of the values at 0.4, a fiftieth reaches the convolutions
HEARD = {"to_k": 0.4, "to_v": 7.0}
CYCLES = ("bounces", "orbits", "stands in the rain")


def course(motion: str, rng: np.random.Generator) -> list[world.State]:
    """A clip as videos show it: the motion from anywhere in its cycle, two in ten after a while at rest. Without those no model could
    know how a motion goes on, or that it may begin, and repeat-and-slide asks for both."""
    offset = int(rng.integers(FRAMES)) if motion in CYCLES else 0
    rest = int(rng.integers(1, FRAMES)) if rng.random() < 0.2 else 0
    path = world.path(motion, world.start_state(motion, rng), FRAMES + offset)
    return [path[offset + max(0, frame - rest)] for frame in range(FRAMES)]


def twins(seed: int, step: int) -> tuple[Tensor, list[str]]:
    """Latents (2 f 4 16 16) of one scene in two motions, drawn by the world, and their captions, in one step of twenty left out. All but the motion
    is the same, so what differs in the two gradients is what the word has to say."""
    rng = np.random.default_rng([seed, step, 3])
    scene, start = SCENES[rng.integers(len(SCENES))], int(rng.integers(2**31))
    motions = [MOTIONS[i] for i in rng.permutation(len(MOTIONS))[:2]]
    drawn = [world.draw_clip(scene, course(motion, np.random.default_rng(start))) for motion in motions]
    latents = torch.stack([vae.encode(torch.from_numpy(clip).movedim(-1, 1).float() / 255) for clip in drawn])
    return latents, ["", ""] if rng.random() < 0.05 else [scene.caption(motion) for motion in motions]


def train_prior(seed: int, steps: int, device: str, folder: Path) -> tuple[MotionAdapter, dict[str, Tensor]]:
    """The motion layers, as Load Motion Adapter reads them, and the change of the text keys and values by weight; the image model is the
    released checkpoint, its words those of train_words.py, whose file must be there."""
    import comfy.sd
    import comfy.utils
    import nodes
    from few_shot_motion.motion_modules.adapter import MotionAdapter
    from few_shot_motion.motion_modules.layers import WeightDelta
    from few_shot_motion.motion_modules.module import MotionModule, initialise
    from few_shot_motion.nodes import training_host
    from few_shot_motion.nodes.image_model import sites_of
    from few_shot_motion.training.loop import new_run
    from few_shot_motion.training.loop import train as train_run
    from few_shot_motion.training.loss import video_loss
    from few_shot_motion.training.schedule import warm_up_and_decay

    model, text, _ = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
    outputs = train_words.outputs_of(text)
    along, typical = train_words.directions(outputs).to(device), outputs[::37, 1::9].flatten(0, 1).to(device)
    text = comfy.sd.load_lora_for_models(None, text, comfy.utils.load_torch_file(str(train_words.FILE)), 0, 1)[1]
    base = training_host.trainable_model(model)
    torch.manual_seed(seed)
    module = initialise(MotionModule(sites_of(base))).to(device).train()
    readings: dict[str, WeightDelta] = {}
    for name, weight in base.model.diffusion_model.named_parameters():
        if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight")):
            readings[name] = WeightDelta(weight.shape[1], weight.shape[0]).to(device)
            readings[name].delta.weight.data = _first_reading(
                weight.detach().to(device).float(), along, typical, HEARD[name.split(".")[-2]]
            )
            base.add_weight_wrapper(f"diffusion_model.{name}", readings[name])
    options = training_host.attach(base, module, joint_norm=True, checkpointing=False)
    sampling = base.model.model_sampling
    encoded: dict[str, dict[str, Tensor]] = {}
    heard: list[float] = []  # the loss with the twins' captions exchanged, over the loss: 1 as long as words make no difference

    def condition(caption: str, clip: Tensor) -> dict[str, Tensor]:
        if caption not in encoded:
            context = text.encode_from_tokens(text.tokenize(caption)).detach()
            encoded[caption] = training_host.model_conditions(base, [[[context, {}]]], clip)[0]
        return encoded[caption]

    def loss_at(step: int, generator: torch.Generator) -> Tensor:
        x0, captions = twins(seed, step)
        # a common part per frame and channel, as in the image model's own training
        eps = torch.randn(x0[:1].shape, generator=generator) + 0.2 * torch.randn(1, *x0.shape[1:3], 1, 1, generator=generator)
        # words are needed where noise hides the course: such levels are drawn more often, and weighed by the error of v
        sigma = sampling.sigmas[(1000 * torch.rand(1, generator=generator).sqrt()).long()].expand(2).to(device)

        def loss(captions: list[str]) -> Tensor:
            predict = training_host.denoiser(base, options, [condition(caption, x0[0]) for caption in captions], torch.bfloat16)
            return video_loss(predict, x0.to(device), eps.expand_as(x0).to(device), sigma, torch.ones_like(sigma), power=1.0)

        right = loss(captions)
        if step % 10 == 0:
            with torch.no_grad():
                heard.append(float(loss(captions[::-1]) / right))
        return right

    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    trained |= {name: reading.delta.weight for name, reading in readings.items()}
    run = new_run(trained, 1e-3, {".to_q.delta.": 0.1})
    state = folder / "prior.state"
    if state.exists():
        run.restore(torch.load(state, weights_only=True))
    start, first = time.monotonic(), len(run.losses)
    for done in train_run(run, loss_at, steps, seed, rate=warm_up_and_decay):
        if done.step % 50 == 0:
            left = (time.monotonic() - start) / (done.step - first) * (steps - done.step)
            print(
                f"prior {done.step}/{steps}  loss {np.mean(run.losses[-200:]):.5f}  words {np.mean(heard[-20:]):.3f}  {left / 60:.0f} min left",
                flush=True,
            )
        if done.step % 200 == 0 or done.step == steps:
            torch.save(run.state(), state.with_suffix(".part"))
            state.with_suffix(".part").replace(state)
    notes = {"kind": "Motion prior of the miniature", "base": "Miniature", "frames": str(FRAMES), "width": "128", "height": "128",
             "prompts": ", ".join(MOTIONS), "steps": str(steps), "licence": "Apache-2.0"}  # fmt: skip
    adapter = MotionAdapter("lamp", {name: value.detach() for name, value in module.state_dict().items()}, metadata=notes)
    return adapter, {name: reading.delta.weight.detach() for name, reading in readings.items()}


def _first_reading(weight: Tensor, along: Tensor, typical: Tensor, loud: float) -> Tensor:
    """Change of a projection that hears motions at random, and nothing else in their directions: layers that are to move by a word learn nothing as
    long as the word makes no difference, and it makes none as long as they do not use it."""
    loudness = (typical @ weight.T).norm(dim=-1).mean() / train_words.LOUD
    random = torch.nn.functional.normalize(torch.randn(weight.shape[0], along.shape[1], device=weight.device), dim=0)
    return (loud * loudness * random - weight @ along) @ along.T


def write(adapter: MotionAdapter, readings: dict[str, Tensor]) -> None:
    from few_shot_motion.motion_modules.adapter import save_adapter

    save_adapter(adapter, FILE)
    train_words.write({**load_file(train_words.FILE), **train_words.named("diffusion_model", readings)})
