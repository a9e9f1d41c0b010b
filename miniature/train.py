"""Train the miniature's weights from nothing: `python3 dev train-miniature`.

Stages, each reproducible from --seed and resumable (state every 200 steps): the VAE's decoder on crops of eight cells,
the UNet with its text tower on latents of whole pictures, and over these two, once their file is written, the motion
prior (train_prior.py); by itself, CLIP's two towers (train_clip.py). Every step draws its own data from (seed, step),
so a resumed run sees what an unbroken one would have seen.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import config
import numpy as np
import torch
import vae
import world
from fitting import fit, report
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

SCENES = world.all_scenes()
WORDS = (list(world.COLOURS), list(world.SHAPES), list(world.BACKGROUNDS), ["", *world.MOTIONS])  # of a caption


# ---------------------------------------------------------------------------------------------------------- data


def pictures(seed: int, step: int, count: int) -> tuple[Tensor, list[str]]:
    """Pictures (count 3 128 128) in [0, 1] and their captions: half of them stills, half single frames of a motion,
    named with it or not.
    """
    rng = np.random.default_rng([seed, step])
    images, captions = [], []
    for _ in range(count):
        scene = SCENES[rng.integers(len(SCENES))]
        state, words = world.still_state(rng), ""
        if rng.random() < 0.5:
            motion = list(world.MOTIONS)[rng.integers(len(world.MOTIONS))]
            state = world.path(motion, world.start_state(motion, rng))[rng.integers(16)]
            words = motion if rng.random() < 0.7 or state.drops else ""
        images.append(world.draw(scene, state))
        captions.append("" if rng.random() < 0.1 else scene.caption(words))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255, captions


def crops(seed: int, step: int, count: int, cells: int = 8) -> Tensor:
    """Crops (count 3 p p) for the decoder: three quarters of them the world, the rest smooth random colours, so that a
    photograph comes back as its mosaic."""
    whole = pictures(seed + 1, step, count)[0]
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    smooth = F.interpolate(torch.rand(count // 4, 3, 7, 7, generator=generator), size=128, mode="bicubic").clamp(0, 1)
    whole[: count // 4] = smooth
    at = torch.randint(0, world.CELLS - cells + 1, (count, 2), generator=generator) * world.CELL
    side = cells * world.CELL
    return torch.stack([image[:, y : y + side, x : x + side] for image, (y, x) in zip(whole, at.tolist(), strict=True)])


# ---------------------------------------------------------------------------------------------------------- stages


def initialise(module: torch.nn.Module) -> None:
    """Core's layers come with memory as it was found: PyTorch's usual initialisation, and zero where a residual branch
    ends.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, torch.nn.Embedding):
            torch.nn.init.normal_(layer.weight, std=0.02)
        elif isinstance(layer, (torch.nn.LayerNorm, torch.nn.GroupNorm)):
            torch.nn.init.ones_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        elif isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d)):
            torch.nn.init.kaiming_uniform_(layer.weight, a=5**0.5)
            if layer.bias is not None:
                torch.nn.init.zeros_(layer.bias)
            if name.endswith(("proj_out", "out_layers.3", "out.2")):
                torch.nn.init.zeros_(layer.weight)


def autocast(device: str) -> torch.autocast:
    """bf16 where layers allow it."""
    return torch.autocast(device, dtype=torch.bfloat16)


def train_decoder(seed: int, steps: int, device: str, folder: Path) -> dict[str, Tensor]:
    """The VAE's weights, by their names in a checkpoint: a fixed encoder, and a decoder learnt to undo it."""
    from comfy.taesd.taesd import TAESD

    torch.manual_seed(seed)
    model = TAESD()
    initialise(model)
    model.taesd_encoder.load_state_dict(vae.encoder_weights(model.taesd_encoder))
    model.vae_scale.data.fill_(vae.SCALE)
    model.to(device)

    def loss_at(step: int) -> Tensor:
        picture = crops(seed, step, 16).to(device)
        generator = torch.Generator().manual_seed(seed * 2_000_003 + step)
        latents = vae.encode(picture)
        noise = torch.randn(latents.shape, generator=generator) * torch.rand(16, 1, 1, 1, generator=generator) * 0.2
        with autocast(device):
            drawn = model.taesd_decoder(latents + noise.to(device))  # shrugs off small errors of the UNet
        return F.l1_loss(drawn.float(), picture) + 2 * F.mse_loss(drawn.float(), picture)

    parameters = {key: value.requires_grad_(True) for key, value in model.taesd_decoder.named_parameters()}
    report("vae", fit("vae", parameters, loss_at, steps, 1e-3, folder), steps)
    return {f"first_stage_model.{key}": value.detach() for key, value in model.state_dict().items()}


def train_image(seed: int, steps: int, device: str, folder: Path) -> dict[str, Tensor]:
    """The UNet's and the text tower's weights, by their names in a checkpoint."""
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
    from comfy.sd1_clip import SD1Tokenizer

    torch.manual_seed(seed)
    unet = UNetModel(**config.UNET, dtype=torch.float32, operations=comfy.ops.disable_weight_init)
    text = config.MiniatureTextTower(dtype=torch.float32)
    initialise(unet)
    initialise(text)
    for layer in text.modules():  # core adds residuals in place, onto what these layers keep for their gradient
        if isinstance(layer, torch.nn.LayerNorm):
            layer.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),))
    unet.to(device)
    text.to(device)
    tokenizer = SD1Tokenizer()
    tokens: dict[str, list[int]] = {}
    width, count = config.TEXT["hidden_size"], sum(map(len, WORDS))
    signs = torch.linalg.qr(torch.randn(width, count, generator=torch.Generator().manual_seed(seed)))[0].to(
        device
    )  # a direction for every word

    def tokens_of(captions: list[str]) -> list[list[int]]:
        for caption in captions:
            if caption not in tokens:
                tokens[caption] = [token for token, _ in tokenizer.tokenize_with_weights(caption)["l"][0]]
        return [tokens[caption] for caption in captions]

    def unread(rng: np.random.Generator) -> Tensor:
        """How badly captions can be read off any token behind them, each word in a direction of its own. Pictures do
        not show which way a thing moves, so a tower that is taught by pictures alone forgets those words; CLIP, which
        is taught by captions, does not."""
        drawn = rng.integers([len(words) for words in WORDS], size=(48, len(WORDS)))
        scenes = [world.Scene(*(words[i] for words, i in zip(WORDS[:3], row, strict=False))) for row in drawn]
        context = text(tokens_of([scene.caption(WORDS[3][row[3]]) for scene, row in zip(scenes, drawn, strict=True)]))[
            0
        ]
        guesses = (
            (context[:, rng.integers(12, 77, size=8)] @ (2 * signs))
            .flatten(0, 1)
            .split([len(words) for words in WORDS], dim=1)
        )
        rights = torch.from_numpy(drawn.repeat(8, axis=0).T).to(device)
        return sum(F.cross_entropy(guess, right) for guess, right in zip(guesses, rights, strict=True))

    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    abar = torch.cumprod(1 - betas, 0).float().to(device)

    def loss_at(step: int) -> Tensor:
        picture, captions = pictures(seed, step, 32)
        generator = torch.Generator().manual_seed(seed * 3_000_017 + step)
        x0 = vae.encode(picture).to(device)
        timestep = torch.randint(0, 1000, (len(x0),), generator=generator).to(device)
        # noise with a common part per channel (0.2): else the input's mean gives the background away in training, and
        # the words go unread
        eps = (
            torch.randn(x0.shape, generator=generator) + 0.2 * torch.randn(*x0.shape[:2], 1, 1, generator=generator)
        ).to(device)
        a = abar[timestep].view(-1, 1, 1, 1)
        context = text(tokens_of(captions))[0]
        with autocast(device):
            predicted = unet(a.sqrt() * x0 + (1 - a).sqrt() * eps, timestep, context=context, transformer_options={})
        # by noise alone an error of the whole picture's colour weighs next to nothing where it is decided, at the
        # highest levels
        weight = (1 / a).sqrt()
        return (weight * (predicted.float() - eps).square()).mean() + 0.05 * unread(
            np.random.default_rng([seed, step, 1])
        )

    modules = {"model.diffusion_model": unet, "cond_stage_model.transformer": text.transformer}
    parameters = {
        f"{prefix}.{key}": value.requires_grad_(True)
        for prefix, module in modules.items()
        for key, value in module.named_parameters()
        if not key.startswith("text_projection")
    }
    report("image", fit("image", parameters, loss_at, steps, 1e-3, folder), steps)
    return {key: value.detach() for key, value in parameters.items()}


STAGES = {"vae": train_decoder, "image": train_image}  # what the checkpoint is made of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=[*STAGES, "prior", "clip", "all"], default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vae-steps", type=int, default=4000)
    parser.add_argument("--image-steps", type=int, default=5500)
    parser.add_argument("--words-steps", type=int, default=2000)
    parser.add_argument("--prior-steps", type=int, default=4000)
    parser.add_argument("--clip-steps", type=int, default=5000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--folder", type=Path, required=True, help="where training state is kept")
    parser.add_argument("--output", type=Path, help="the checkpoint to write, once every stage is done")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    steps = {"vae": options.vae_steps, "image": options.image_steps}
    weights: dict[str, Tensor] = {}
    for stage in STAGES if options.stage == "all" else [options.stage] if options.stage in STAGES else []:
        weights |= STAGES[stage](options.seed, steps[stage], options.device, options.folder)
    if options.output and options.stage == "all":
        part = options.output.with_suffix(".part")
        save_file({key: value.half().cpu().contiguous() for key, value in weights.items()}, part)
        part.replace(options.output)
    if options.stage in ("prior", "all"):
        import nodes
        import train_prior
        import train_words

        # Load Checkpoint knows the miniature from here on
        asyncio.run(nodes.load_custom_node(str(Path(__file__).parent)))
        train_words.write(train_words.train_words(options.seed, options.words_steps))
        train_prior.write(*train_prior.train_prior(options.seed, options.prior_steps, options.device, options.folder))
    if options.stage in ("clip", "all"):
        import train_clip

        train_clip.write(train_clip.train_clip(options.seed, options.clip_steps, options.folder))


if __name__ == "__main__":
    sys.exit(main())
