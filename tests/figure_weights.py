"""Files of the miniature's second edition as its trainers write them, of weights that have learnt nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import fitting
import image_model
import torch
import train_autoencoder
import train_figure_prior
import train_figures
import train_prior
import train_words
from few_shot_motion.motion_modules.adapter_file import save_adapter


def write(folder: Path) -> Path:
    """figures.safetensors in the folder, an autoencoder of one step under a UNet of none."""
    parameters = dict(train_autoencoder.begun(1).named_parameters())
    (_,) = fitting.fit("autoencoder", parameters, lambda _: 0 * next(iter(parameters.values())).sum(), 1, 0.0, folder)
    model, _ = train_autoencoder.load(folder)
    weights = image_model.train_image("figures", train_figures.lessons(model, "cpu"), 1, 0, "cpu", folder)
    train_figures.write(model, _alive(weights), folder / "figures.safetensors")
    return folder / "figures.safetensors"


def write_prior(folder: Path) -> None:
    """Its prior and its words, in the folder of the checkpoint, which Load Checkpoint has to find."""
    lessons = train_figure_prior.lessons("cpu")
    adapter, readings = train_prior.train_prior(lessons, 1, 0, "cpu", folder, first=0)
    motion, words = (folder / file.name for file in train_figure_prior.FILES)
    save_adapter(replace(adapter, tensors=_alive(adapter.tensors)), motion)
    train_words.write(train_words.named("diffusion_model", readings), words)


def _alive(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Zeros at the ends of branches, where trainings begin, become a little noise: else nothing is heard of them."""
    torch.manual_seed(1)
    return {name: value if value.any() else 0.02 * torch.randn(value.shape) for name, value in tensors.items()}
