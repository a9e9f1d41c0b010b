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

import image_model
import numpy as np
import torch
import vae
import world
from fitting import fit, report, write
from image_model import autocast, initialise
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


def captions_of(rng: np.random.Generator, count: int) -> tuple[list[str], np.ndarray]:
    """Captions drawn word by word, and the words' numbers (count 4), for the text tower."""
    drawn = rng.integers([len(words) for words in WORDS], size=(count, len(WORDS)))
    scenes = [world.Scene(*(words[i] for words, i in zip(WORDS[:3], row, strict=False))) for row in drawn]
    return [scene.caption(WORDS[3][row[3]]) for scene, row in zip(scenes, drawn, strict=True)], drawn


def train_image(seed: int, steps: int, device: str, folder: Path) -> dict[str, Tensor]:
    """The UNet's and the text tower's weights, by their names in a checkpoint."""
    lessons = image_model.Lessons(pictures, vae.encode, [len(words) for words in WORDS], captions_of, behind=12)
    return image_model.train_image("image", lessons, seed, steps, device, folder)


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
        write(weights, options.output)
    if options.stage in ("prior", "all"):
        import nodes
        import train_prior
        import train_words

        # Load Checkpoint knows the miniature from here on
        asyncio.run(nodes.load_custom_node(str(Path(__file__).parent)))
        train_words.write(train_words.train_words(options.seed, options.words_steps))
        taught = train_prior.shapes()
        train_prior.write(
            *train_prior.train_prior(taught, options.seed, options.prior_steps, options.device, options.folder)
        )
    if options.stage in ("clip", "all"):
        import train_clip

        train_clip.write(train_clip.train_clip(options.seed, options.clip_steps, options.folder))


if __name__ == "__main__":
    sys.exit(main())
