"""Train a motion prior of the second edition: motion layers taught what figures do by captions, without a first frame.

    python3 dev/inside.py COMFYUI train_figure_prior --folder DIR [--steps 2600] [--first 900] [--begin]

As train_prior.py does it for the first edition, over figures.safetensors, which Load Checkpoint has to find, but in
clips of eight frames alone: most of a turn of every gait, the window it is used with, and half the time of 16. The text
tower needs no words beside its own: its training made it tell them apart. Resumable, and quicker on two cores as
train_figures.py is (`torchrun`); writes
models/motion_adapters/figures_motion.safetensors, and in models/loras/figures_words.safetensors how the image model
hears the motions, for Load LoRA.
"""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import camera
import numpy as np
import stage
import torch
import train_figures
import train_prior
import train_words
from fitting import share
from gaits import GAITS
from safetensors.torch import load_file
from stage import Shot
from torch import Tensor
from train_prior import SHORT, Lessons

if TYPE_CHECKING:
    from few_shot_motion.motion_modules.adapter import MotionAdapter

MOTIONS = list(GAITS)
FIRST = "walks"
MODELS = Path(__file__).parent / "models"
FILES = MODELS / "motion_adapters" / "figures_motion.safetensors", MODELS / "loras" / "figures_words.safetensors"
CHECKPOINT = "figures.safetensors"
FOCUS = 0.75  # share of the loss where a clip changes, as the demo learns: an arm that waves is little of a picture
_SCENES = 24  # captions of each motion by which it is found how the tower says it


def shot_of(motion: str, seed: int, frames: int = SHORT) -> Shot:
    """One figure on the spot before a still camera; of one seed, the same whatever it does, and never at rest as the
    clip begins, as in train_prior.course."""
    rng = np.random.default_rng(seed)
    who, ground, land = stage.random_actor(motion, rng), str(rng.choice(list(camera.GROUNDS))), int(rng.integers(2**31))
    phase = who.phase if GAITS[motion].endless else -who.phase  # at most so far into a motion that ends
    return Shot((replace(who, phase=phase),), ground, seed=land, frames=frames)


def twins(rng: np.random.Generator) -> list[Shot]:
    """One figure in two motions."""
    seed = int(rng.integers(2**31))
    return [shot_of(motion, seed) for motion in rng.permutation(MOTIONS)[:2].tolist()]


@torch.no_grad()
def heard(text) -> tuple[Tensor, float, Tensor]:
    """Of a CLIP: directions (d k) in which its outputs behind a caption say motions, how far they reach in them, and
    outputs (n d) at captions' own words."""
    shots = [[shot_of(motion, seed) for seed in range(_SCENES)] for motion in MOTIONS]
    tokens = [[token for token, _ in text.tokenize(shot.caption())["l"][0]] for row in shots for shot in row]
    outputs = text.cond_stage_model.clip_l(tokens)[0].float().unflatten(0, (len(MOTIONS), _SCENES))
    said = outputs[:, :, train_figures.BEHIND :].mean(dim=(1, 2))
    apart = said - said.mean(dim=0)
    along = torch.linalg.svd(apart, full_matrices=False).Vh[: len(MOTIONS) - 1].T
    return along, float(apart.norm(dim=1).mean()), outputs[:, ::6, 1 : train_figures.BEHIND : 4].flatten(0, 2)


def lessons(device: str) -> Lessons:
    """The world of figures over its checkpoint."""
    import folder_paths
    import nodes

    model, text, _ = nodes.CheckpointLoaderSimple().load_checkpoint(CHECKPOINT)
    file = Path(folder_paths.get_full_path_or_raise("checkpoints", CHECKPOINT))
    encode = train_figures.encoding(train_figures.autoencoder_of(load_file(file)).encoder, device)

    def latents(shots: list[Shot]) -> Tensor:
        clips = [torch.from_numpy(stage.draw_clip(shot)).movedim(-1, 1).float() / 255 for shot in shots]
        return encode(torch.cat(clips)).cpu().unflatten(0, (len(clips), -1))

    def first(rng: np.random.Generator) -> tuple[Tensor, list[str]]:
        shots = [shot_of(FIRST, int(rng.integers(2**31))) for _ in range(2)]
        return latents(shots), [shot.caption() for shot in shots]

    def then(rng: np.random.Generator) -> tuple[Tensor, list[str]]:
        shots = twins(rng)
        return latents(shots), ["", ""] if rng.random() < 0.05 else [shot.caption() for shot in shots]

    return Lessons(model, text, *heard(text), MOTIONS, first, then, SHORT)


def learnt(taught: Lessons) -> tuple["MotionAdapter", dict[str, Tensor]]:
    """What FILES hold, as train_prior gave it."""
    from few_shot_motion.host.patching.image_model import base_query
    from few_shot_motion.motion_modules.released import load_adapter

    ends = "diffusion_model.", ".diff"
    words = {name.removeprefix(ends[0]).removesuffix(ends[1]): value for name, value in load_file(FILES[1]).items()}
    return load_adapter(FILES[0], base_query(taught.model)), {f"{name}.weight": words[name] for name in words}


def main() -> None:
    import nodes
    from few_shot_motion.motion_modules.adapter_file import save_adapter

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2600, help="of all motions")
    parser.add_argument("--first", type=int, default=train_prior.ALONE, help=f'steps of "{FIRST}" alone, before')
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--folder", type=Path, required=True, help="where training state is kept")
    parser.add_argument("--begin", action="store_true", help="go on from the two files, in place of one motion alone")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(nodes.load_custom_node(str(Path(__file__).parent)))  # Load Checkpoint knows the miniature from here on
    place, _ = share()
    taught = lessons(options.device)
    adapter, readings = train_prior.train_prior(
        taught, options.seed, options.steps, options.device, options.folder, options.first, FOCUS,
        learnt(taught) if options.begin else None,
    )  # fmt: skip
    if place == 0:
        save_adapter(adapter, FILES[0])
        train_words.write(train_words.named("diffusion_model", readings), FILES[1])


if __name__ == "__main__":
    sys.exit(main())
