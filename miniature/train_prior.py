"""The miniature's motion prior: AnimateDiff's layers over the frozen image model, taught the world's motions by their captions.

What a real motion module is to Stable Diffusion: it knows every motion of the world and moves any scene as its caption says. Pictures do
not show which way a thing moves, so the image model makes little of those words; a change of their keys and values is learnt along, as
AnimateDiff v3's domain adapter is.
"""

import asyncio
from pathlib import Path

import numpy as np
import torch
import vae
import world
from torch import Tensor

FRAMES, CLIPS = 16, 4
SCENES, MOTIONS = world.all_scenes(), list(world.MOTIONS)
FILE = Path(__file__).parent / "models" / "motion_adapters" / "miniature_motion.safetensors"
CYCLES = ("bounces", "orbits", "stands in the rain")


def course(motion: str, rng: np.random.Generator) -> list[world.State]:
    """A clip as videos show it: the motion from anywhere in its cycle, three in ten after a while at rest. Without those no model could
    know how a motion goes on, or that it may begin, and repeat-and-slide asks for both."""
    offset = int(rng.integers(FRAMES)) if motion in CYCLES else 0
    rest = int(rng.integers(1, FRAMES)) if rng.random() < 0.3 else 0
    path = world.path(motion, world.start_state(motion, rng), FRAMES + offset)
    return [path[offset + max(0, frame - rest)] for frame in range(FRAMES)]


def clips(seed: int, step: int, count: int) -> tuple[Tensor, list[str]]:
    """Latents (count f 4 16 16) of clips drawn by the world, and their captions; every tenth caption is left out."""
    rng = np.random.default_rng([seed, step, 3])
    latents, captions = [], []
    for _ in range(count):
        scene, motion = SCENES[rng.integers(len(SCENES))], MOTIONS[rng.integers(len(MOTIONS))]
        drawn = world.draw_clip(scene, course(motion, rng))
        latents.append(vae.encode(torch.from_numpy(drawn).movedim(-1, 1).float() / 255))
        captions.append("" if rng.random() < 0.1 else scene.caption(motion))
    return torch.stack(latents), captions


def train_prior(seed: int, steps: int, device: str, folder: Path) -> dict[str, Tensor]:
    """The motion module's tensors, as Load Motion Adapter reads them; the image model is the released checkpoint."""
    import nodes
    from few_shot_motion.motion_modules import animatediff
    from few_shot_motion.nodes import bridge, training_host
    from train import fit, report

    asyncio.run(nodes.load_custom_node(str(Path(__file__).parent)))
    model, text, _ = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
    base = training_host.trainable_model(model)
    torch.manual_seed(seed)
    weights = base.model.diffusion_model.named_parameters()
    read = {
        name.removesuffix(".weight"): weight.shape for name, weight in weights if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))
    }
    module = animatediff.initialise(animatediff.TemporalTransformers(bridge.sites_of(base, "animatediff"), text=read)).to(device).train()
    options = training_host.attach(base, module, joint_norm=False, checkpointing=False)
    sampling = base.model.model_sampling
    encoded: dict[str, dict[str, Tensor]] = {}

    def condition(caption: str, clip: Tensor) -> dict[str, Tensor]:
        if caption not in encoded:
            context = text.encode_from_tokens(text.tokenize(caption))
            encoded[caption] = training_host.model_conditions(base, [[[context, {}]]], clip)[0]
        return encoded[caption]

    def loss_at(step: int) -> Tensor:
        x0, captions = clips(seed, step, CLIPS)
        generator = torch.Generator().manual_seed(seed * 4_000_037 + step)
        # a common part per frame and channel, as in the image model's own training
        eps = torch.randn(x0.shape, generator=generator) + 0.2 * torch.randn(*x0.shape[:3], 1, 1, generator=generator)
        sigma = sampling.sigmas[torch.randint(0, 1000, (CLIPS,), generator=generator)].to(device)
        level = sigma.view(-1, 1, 1, 1, 1)
        x0, eps = x0.to(device), eps.to(device)
        predict = training_host.denoiser(base, options, [condition(c, x0[0]) for c in captions], torch.bfloat16)
        error = (x0 - predict(x0 + level * eps, sigma)) / level  # = predicted eps - eps
        return ((1 + level**2) * error.float().square()).mean()  # as of v: the course of a motion is laid out where noise is high

    parameters = dict(module.named_parameters())
    report("prior", fit("prior", parameters, loss_at, steps, 1e-3, folder), steps)
    return {name: value.detach() for name, value in parameters.items()}


def write(tensors: dict[str, Tensor]) -> None:
    """The released file: AnimateDiff's layers with the change of the text projections, in fp16, on the image model's own noise schedule."""
    from few_shot_motion.motion_modules.adapter import MotionAdapter, save_adapter
    from few_shot_motion.motion_modules.animatediff import frame_positions

    attentions = [name.removesuffix(".to_q.weight") for name in tensors if name.endswith(".to_q.weight")]
    positions = {f"{path}.pos_encoder.pe": frame_positions(32, len(tensors[f"{path}.to_q.weight"])) for path in attentions}
    notes = {"kind": "AnimateDiff motion module of the miniature", "base": "Miniature", "frames": str(FRAMES), "width": "128", "height": "128",
             "prompts": ", ".join(MOTIONS), "licence": "Apache-2.0"}  # fmt: skip
    save_adapter(MotionAdapter("animatediff", {**tensors, **positions}, joint_norm=False, metadata=notes), FILE)
