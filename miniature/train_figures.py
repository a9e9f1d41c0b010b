"""Train the image model of the miniature's second edition over its autoencoder, from nothing.

    python3 dev/inside.py COMFYUI train_figures --folder DIR [--begin FILE.safetensors] [--output FILE.safetensors]

DIR is where train_autoencoder.py left its state, whose mean weights are taken as they are; a checkpoint to go on from
brings its own. Resumable (state every 200 steps), reproducible from --seed; two processes share every batch where
`torchrun --nproc-per-node 2` begins them.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import autoencoder
import camera
import figures
import fitting
import image_model
import judge_autoencoder
import numpy as np
import stage
import torch
import train_autoencoder
from gaits import GAITS
from safetensors.torch import load_file
from torch import Tensor
from world import COLOURS

BEHIND = 33  # of the 77 tokens: the longest caption of one figure has 30, and one before and one behind
_GOES = [motion for motion in GAITS if GAITS[motion].stride]
MOVES = ["", *GAITS, *(f"{motion} {way}" for motion in _GOES for way in ("left", "right"))]
WORDS = {"height": list(figures.HEIGHTS), "hair": list(figures.HAIR), "hat": ["", *COLOURS], "shirt": list(COLOURS),
         "trousers": list(COLOURS), "ground": list(camera.GROUNDS), "moves": MOVES,
         "camera": list(camera.CAMERAS), "skin": list(figures.SKIN)}  # fmt: skip


def pictures(seed: int, step: int, count: int) -> tuple[Tensor, list[str]]:
    """Frames of shots (count 3 128 128) in [0, 1], and their captions: a third with what happens, every tenth empty,
    every eighth with two figures."""
    rng = np.random.default_rng([seed, step, 6])
    images, captions = [], []
    for _ in range(count):
        shot = stage.random_shot(rng, actors=2 if rng.random() < 1 / 8 else 1)
        images.append(stage.paint(shot, int(rng.integers(stage.FRAMES))).levels())
        caption = shot.caption(motion=bool(rng.random() < 1 / 3))
        captions.append("" if rng.random() < 0.1 else caption)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255, captions


class Pool:
    """What a step is shown, latents (count 4 16 16) and captions, of (seed, step, count). A picture takes half as long
    to draw and to encode as a step over it, so HELD batches are made at once and each picture is in SHOWN of the steps
    that follow, every time in other company; its noise is the trainer's."""

    HELD, SHOWN = 64, 4

    def __init__(self, encode: Callable[[Tensor], Tensor]):
        self.encode, self.made = encode, None

    def __call__(self, seed: int, step: int, count: int) -> tuple[Tensor, list[str]]:
        block, place = divmod(step, self.HELD * self.SHOWN)
        if self.made != (seed, block, count):
            drawn = (pictures(seed, block * self.HELD + k, count) for k in range(self.HELD))
            made = [(self.encode(x), captions) for x, captions in drawn]
            self.latents, self.captions = torch.cat([z for z, _ in made]), [said for _, each in made for said in each]
            rng = np.random.default_rng([seed, block, 8])
            self.order = np.concatenate([rng.permutation(len(self.captions)) for _ in range(self.SHOWN)])
            self.made = (seed, block, count)
        chosen = self.order[place * count : (place + 1) * count]
        return self.latents[chosen], [self.captions[i] for i in chosen]


def captions_of(rng: np.random.Generator, count: int) -> tuple[list[str], np.ndarray]:
    """Captions drawn word by word, and the words' numbers (count 9), for the text tower."""
    drawn = rng.integers([len(words) for words in WORDS.values()], size=(count, len(WORDS)))
    moves, seen = (list(WORDS).index(kind) for kind in ("moves", "camera"))
    drawn[:, seen] *= drawn[:, moves] > 0  # the camera is said behind what happens
    captions = []
    for row in drawn:
        said = {kind: words[i] for (kind, words), i in zip(WORDS.items(), row, strict=True)}
        who = figures.Figure(said["height"], said["hair"], said["shirt"], said["trousers"], said["skin"], said["hat"])
        behind = f"{said['moves']} {camera.CAMERAS[said['camera']]}".strip()
        captions.append(f"{who.caption()} on {said['ground']} {behind}".strip())
    return captions, drawn


def encoding(encoder: torch.nn.Module, device: str) -> Callable[[Tensor], Tensor]:
    """Pictures (b 3 h w) in [0, 1] to latents (b 4 h/8 w/8)."""
    encoder.to(device)

    @torch.no_grad()
    def encode(x: Tensor) -> Tensor:
        with image_model.autocast(device):
            return encoder(x.to(device).contiguous(memory_format=torch.channels_last)).float()

    return encode


def lessons(model: train_autoencoder.Autoencoder, device: str) -> image_model.Lessons:
    """The world of figures through an autoencoder."""
    pool = Pool(encoding(model.encoder, device))
    return image_model.Lessons(pool, lambda z: z, [len(words) for words in WORDS.values()], captions_of, BEHIND)


def write(model: train_autoencoder.Autoencoder, weights: dict[str, Tensor], output: Path) -> None:
    """The checkpoint, in half precision."""
    decoder = {f"first_stage_model.{key}": value for key, value in judge_autoencoder.weights(model).items()}
    fitting.write(weights | decoder, output)


def autoencoder_of(weights: dict[str, Tensor]) -> train_autoencoder.Autoencoder:
    """A checkpoint's, as narrow as it was learnt and as quick: TAESD's width gives the same."""
    model = train_autoencoder.Autoencoder()
    for name, half in (("taesd_encoder", model.encoder), ("taesd_decoder", model.decoder)):
        prefix = f"first_stage_model.{name}."
        autoencoder.narrow(half, {key.removeprefix(prefix): value.float() for key, value in weights.items()})
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--folder", type=Path, required=True, help="where training state is kept")
    parser.add_argument(
        "--begin", type=Path, help="a checkpoint to go on from, autoencoder and all, in place of nothing"
    )
    parser.add_argument("--output", type=Path, help="the checkpoint to write at the end")
    options = parser.parse_args()
    begin = load_file(options.begin) if options.begin else None
    model = autoencoder_of(begin) if begin else train_autoencoder.load(options.folder)[0]
    weights = image_model.train_image(
        "figures", lessons(model, options.device), options.seed, options.steps, options.device, options.folder,
        begin=begin,
    )  # fmt: skip
    if options.output and fitting.share()[0] == 0:
        write(model, weights, options.output)


if __name__ == "__main__":
    sys.exit(main())
