"""Train the autoencoder of the miniature's second edition: `python3 miniature/train_autoencoder.py --folder DIR`.

`torchrun --nproc-per-node 2` in python's place uses two cores. Resumable (state every 200 steps, atomically),
reproducible from --seed and the number of processes; a few numbers about pictures it never saw every 1,000 steps in
DIR/autoencoder.tsv. First crops of eight cells, four fifths of them around a figure, then whole pictures.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import autoencoder
import numpy as np
import stage
import torch
import world
from fitting import fit, report, share
from image_model import autocast
from torch import Tensor
from torch.nn import functional as F

CROP = 64  # px
FIGURE = 3.0  # how much more an error on a figure weighs
NOISE = 0.06  # at most, on latents of a spread of 1: the decoder shrugs off small errors of an image model
WHOLE = 0.75  # of the steps, then whole pictures
HELD_OUT = 7_777  # seed of the pictures that measure
_SHOWS_FIGURES = 7 / 8  # the others are of the world's first edition


# ---------------------------------------------------------------------------------------------------------- data


def picture(rng: np.random.Generator, actors: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A frame of any shot, uint8 (128, 128, 3), and the share of every pixel (128, 128) that is a figure's; actors: how
    many, at random where 0."""
    shot = stage.random_shot(rng, actors=actors or (2 if rng.random() < 0.25 else 1))
    canvas = stage.paint(shot, int(rng.integers(stage.FRAMES)), parts=True)
    return canvas.levels(), stage.body(canvas.masks or {})


def batch(rng: np.random.Generator, count: int, whole: bool) -> tuple[Tensor, Tensor]:
    """Pictures (count 3 p p) in [0, 1] and where figures are in them (count 1 p p); two crops of each drawn picture."""
    images, figures = [], []
    for _ in range(count if whole else count // 2):
        if rng.random() < _SHOWS_FIGURES:
            image, mask = picture(rng)
        else:
            scenes = world.all_scenes()
            image, mask = world.draw(scenes[rng.integers(len(scenes))], world.still_state(rng)), np.zeros((128, 128))
        for _ in range(1 if whole else 2):
            top, left = (0, 0) if whole else _place(mask, rng)
            side = len(image) if whole else CROP
            images.append(image[top : top + side, left : left + side])
            figures.append(mask[top : top + side, left : left + side])
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    return x, torch.from_numpy(np.stack(figures)).float()[:, None]


def _place(mask: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """Top and left of a crop on whole cells: four of five around a figure, where there is one."""
    most = (len(mask) - CROP) // world.CELL
    if rng.random() < 0.8 and mask.max() > 0.5:
        rows, columns = np.nonzero(mask > 0.5)
        k = int(rng.integers(len(rows)))
        corner = (np.array([rows[k], columns[k]]) - rng.integers(8, CROP - 8, 2)) / world.CELL
        top, left = (int(np.clip(round(float(c)), 0, most)) * world.CELL for c in corner)
        return top, left
    top, left = (int(k) * world.CELL for k in rng.integers(0, most + 1, 2))
    return top, left


# ---------------------------------------------------------------------------------------------------------- training


class Autoencoder(torch.nn.Module):
    """Both halves, laid out for the CPU's matrix units."""

    def __init__(self):
        super().__init__()
        self.encoder = autoencoder.new_encoder().to(memory_format=torch.channels_last)
        self.decoder = autoencoder.new_decoder().to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        latents = self.encoder(x.contiguous(memory_format=torch.channels_last)).float()
        given = latents if noise is None else latents + noise * torch.randn_like(latents)
        return self.decoder(given).float(), latents


def loss_of(model: Autoencoder, x: Tensor, figures: Tensor) -> Tensor:
    """Absolute and squared error, figures weighed more; and latents held at a mean of 0 and a spread of 1 a channel."""
    noise = NOISE * torch.rand(len(x), 1, 1, 1, device=x.device)
    with autocast(x.device.type):
        drawn, latents = model(x, noise)
    weight = 1 + FIGURE * figures
    weight = weight / weight.mean()
    error = (weight * (drawn - x).abs()).mean() + 8 * (weight * (drawn - x).square()).mean()
    spread = latents.mean(dim=(0, 2, 3)).square() + (latents.std(dim=(0, 2, 3)) - 1).square()
    return error + 0.03 * spread.mean()


@torch.no_grad()
def quality(model: Autoencoder, count: int = 64) -> dict[str, float]:
    """PSNR in dB over pictures that training never draws: of whole pictures, of the pixels that figures take, of what
    is around them within four pixels and on them; and the spread of the latents, smallest and largest of a channel."""
    rng = np.random.default_rng(HELD_OUT)
    errors, on, near, latents = [], [], [], []
    for _ in range(count):
        image, mask = picture(rng, 1)
        x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        drawn, z = model(x)
        error = (drawn.clamp(0, 1) - x).square().mean(dim=1)[0].numpy()
        around = F.max_pool2d(torch.from_numpy(mask)[None, None].float(), 9, 1, 4)[0, 0].numpy() > 0.5
        errors.append(error.mean())
        on.append(error[mask > 0.5].mean())
        near.append(error[around].mean())
        latents.append(z)
    spread = torch.cat(latents).std(dim=(0, 2, 3))
    means = {
        name: float(np.mean(-10 * np.log10(np.array(each))))
        for name, each in (("whole", errors), ("figure", on), ("around", near))
    }
    return means | {"least": float(spread.min()), "most": float(spread.max())}


@torch.no_grad()
def begun(seed: int) -> Autoencoder:
    """Before its first step: random weights, latents of a spread of 1."""
    model = Autoencoder()
    latents = model.encoder(batch(np.random.default_rng([seed, 7]), 8, False)[0])
    mean, spread = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    model.encoder[-1].weight.div_(spread.view(-1, 1, 1, 1))
    model.encoder[-1].bias.copy_(-mean / spread)
    return model


class _Steps(torch.utils.data.Dataset):
    """What every step sees, by its number: drawn wherever there is time, the same everywhere."""

    def __init__(self, seed: int, steps: int, count: int):
        self.seed, self.steps, self.count = seed, steps, count

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        whole, (rank, processes) = step >= WHOLE * self.steps, share()
        count = self.count // processes
        return batch(np.random.default_rng([self.seed, step, 5, rank]), count // 4 if whole else count, whole)


def train(seed: int, steps: int, folder: Path, device: str, workers: int, count: int = 16) -> Autoencoder:
    """The mean weights after `steps` steps of `count` crops, or a quarter as many whole pictures; workers: processes
    that draw, 0 for none beside this one."""
    torch.manual_seed(seed)
    model = begun(seed).to(device)
    parameters = dict(model.named_parameters())
    data, drawn = _Steps(seed, steps, count), []  # the second begins where the first step is taken

    def loss_at(step: int) -> Tensor:
        if not drawn:
            loader = torch.utils.data.DataLoader(
                data, batch_size=None, sampler=range(step, steps), num_workers=workers, pin_memory=device != "cpu"
            )
            drawn.append(iter(loader))
        x, figures = (each.to(device, non_blocking=True) for each in next(drawn[0]))
        torch.manual_seed(seed * 7_000_003 + step + share()[0] * 1_000_003)
        return loss_of(model, x, figures)

    def watched() -> Iterator[tuple[int, float]]:
        for step, loss in fit("autoencoder", parameters, loss_at, steps, 1e-3, folder):
            if step and step % 1000 == 0 and share()[0] == 0:  # what was saved is the mean of the weights
                mean, done = load(folder)
                _note(folder, done, quality(mean))
            yield step, loss

    report("autoencoder", watched(), steps)
    if share()[0] == 0:
        _note(folder, steps, quality(model.cpu()))
    return model


def _note(folder: Path, step: int, numbers: dict[str, float]) -> None:
    file = folder / "autoencoder.tsv"
    head = "" if file.exists() else "\t".join(["step", *numbers]) + "\n"
    with file.open("a", encoding="utf-8") as out:
        out.write(head + "\t".join([str(step), *(f"{value:.3f}" for value in numbers.values())]) + "\n")


def load(folder: Path) -> tuple[Autoencoder, int]:
    """The mean weights of a training under way or done, and after how many steps."""
    state = torch.load(folder / "autoencoder.state", weights_only=True, map_location="cpu")
    model = Autoencoder()
    model.load_state_dict(state["mean"])
    return model.eval(), state["step"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--folder", type=Path, required=True, help="where training state is kept")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--workers", type=int, default=0, help="processes that draw: a GPU is quicker than one core draws"
    )
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    train(options.seed, options.steps, options.folder, options.device, options.workers)


if __name__ == "__main__":
    sys.exit(main())
