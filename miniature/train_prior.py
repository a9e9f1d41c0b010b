"""The miniature's motion prior: AnimateDiff's layers over the frozen image model, taught the world's motions by their captions.

What a real motion module is to Stable Diffusion: it knows every motion of the world and moves any scene as its caption says. Pictures do
not show which way a thing moves, so the image model hardly reads those words (1 % of what its text layers say); a change of their keys
and values is learnt along, as AnimateDiff v3's domain adapter is.
"""

import asyncio
from pathlib import Path

import numpy as np
import torch
import vae
import world
from torch import Tensor
from torch.nn import functional as F

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
    if not (folder / "prior.state").exists():
        with torch.inference_mode(False), torch.enable_grad():
            speak_up(base, text, module, seed)
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


def speak_up(base, text, module, seed: int, steps: int = 800) -> None:
    """Make the text layers say loudly which motion a caption names, before anything else is learnt.

    Each is taught to add a direction of its own per motion to what it says anyway. Without this a run of 1,000 steps left the words unread: the text tower
    tells "right" from "left" by a tenth of that one token, which gets 2 % of the attention.
    """
    from few_shot_motion.nodes import training_host

    heard: dict[str, Tensor] = {}
    layers = {name.removesuffix(".to_k.weight"): base.model.diffusion_model.get_submodule(name.removesuffix(".to_k.weight"))
              for name in module.weight_deltas() if name.endswith(".to_k.weight")}  # fmt: skip
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, path=path: heard.update({path: inputs[0].detach()}))
        for path, layer in layers.items()
    ]
    x0, captions = clips(seed, 0, CLIPS)
    conditions = [training_host.model_conditions(base, [[[text.encode_from_tokens(text.tokenize(c)), {}]]], x0[0])[0] for c in captions]
    sigma = torch.tensor([0.5, 2.0, 5.0, 12.0])
    with torch.no_grad():
        training_host.denoiser(base, {}, conditions, None)(x0 + sigma.view(-1, 1, 1, 1, 1) * torch.randn(x0.shape), sigma)
    for hook in hooks:
        hook.remove()
    rng, deltas = np.random.default_rng([seed, 4]), module.weight_deltas()
    directions = {path: torch.linalg.qr(torch.randn(x.shape[-1], len(MOTIONS)))[0].T for path, x in heard.items()}
    optimizer = torch.optim.AdamW([delta.delta.weight for delta in deltas.values()], lr=3e-3, weight_decay=0)
    for step in range(steps):
        told = [(SCENES[rng.integers(len(SCENES))], int(rng.integers(len(MOTIONS)))) for _ in range(32)]
        context = torch.cat([text.encode_from_tokens(text.tokenize(scene.caption(MOTIONS[m]))) for scene, m in told]).clone()
        motions, losses = torch.tensor([m for _, m in told]), []
        for path, layer in layers.items():
            x = heard[path][torch.from_numpy(rng.integers(len(heard[path]), size=len(told)))][:, :: max(1, heard[path].shape[1] // 32)]
            with torch.no_grad():
                said = _attend(layer, x, context)
            wanted = said + 0.5 * said.norm(dim=-1).mean() * directions[path][motions][:, None]
            louder = _attend(layer, x, context, *(deltas[f"{path}.to_{part}.weight"].delta.weight for part in "kv"))
            losses.append((louder - wanted).square().mean() / (wanted - said).square().mean())
        loss = torch.stack(losses).mean()
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 50 == 0:
            print(f"words {step + 1}/{steps}  unheard {loss.item():.3f}", flush=True)


def _attend(layer, x: Tensor, context: Tensor, keys: Tensor | float = 0.0, values: Tensor | float = 0.0) -> Tensor:
    """One of the UNet's text attentions, its keys' and values' weights changed."""
    q, k, v = layer.to_q(x), F.linear(context, layer.to_k.weight + keys), F.linear(context, layer.to_v.weight + values)
    q, k, v = (y.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for y in (q, k, v))
    return layer.to_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def write(tensors: dict[str, Tensor]) -> None:
    """The released file: AnimateDiff's layers with the change of the text projections, in fp16, on the image model's own noise schedule."""
    from few_shot_motion.motion_modules.adapter import MotionAdapter, save_adapter
    from few_shot_motion.motion_modules.animatediff import frame_positions

    attentions = [name.removesuffix(".to_q.weight") for name in tensors if name.endswith(".to_q.weight")]
    positions = {f"{path}.pos_encoder.pe": frame_positions(32, len(tensors[f"{path}.to_q.weight"])) for path in attentions}
    notes = {"kind": "AnimateDiff motion module of the miniature", "base": "Miniature", "frames": str(FRAMES), "width": "128", "height": "128",
             "prompts": ", ".join(MOTIONS), "licence": "Apache-2.0"}  # fmt: skip
    save_adapter(MotionAdapter("animatediff", {**tensors, **positions}, joint_norm=False, metadata=notes), FILE)
