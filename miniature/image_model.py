"""The miniature's image model: a UNet of Stable Diffusion 1.x's shape and its text tower, learnt from pictures and
captions; of which world is its trainer's affair.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import config
import numpy as np
import torch
from fitting import fit, report, share
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Lessons:
    """What a world teaches. pictures: of (seed, step, count), pictures (count 3 h w) in [0, 1] and their captions;
    encode: those to latents (count 4 h/8 w/8), where they are not latents already; words: how many there are of each
    kind of word; captions: of a generator and a count, captions and which word of each kind is in them, int (count
    kinds); behind: the first of the 77 tokens that is behind every caption."""

    pictures: Callable[[int, int, int], tuple[Tensor, list[str]]]
    encode: Callable[[Tensor], Tensor]
    words: list[int]
    captions: Callable[[np.random.Generator, int], tuple[list[str], np.ndarray]]
    behind: int


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


def precision(device: str) -> torch.dtype | None:
    """bf16, or None for fp32: a CPU that has no bf16 of its own imitates it, in three times the time of fp32."""
    has = torch.cpu.get_capabilities()
    return None if device == "cpu" and not (has["avx512_bf16"] or has["amx_bf16"]) else torch.bfloat16


def autocast(device: str) -> torch.autocast:
    """bf16 where layers allow it and the device has it."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision(device) is not None)


def train_image(
    stage: str, lessons: Lessons, seed: int, steps: int, device: str, folder: Path, shape: dict = config.UNET,
    batch: int = 32, save_every: int | None = None, begin: Mapping[str, Tensor] | None = None,
    learning_rate: float = 1e-3,
) -> dict[str, Tensor]:  # fmt: skip
    """The UNet's and the text tower's weights, by their names in a checkpoint; shape: the UNet's, as core takes it;
    begin: a checkpoint to begin with, in place of nothing; learning_rate: behind the warm-up, before it falls."""
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
    from comfy.sd1_clip import SD1Tokenizer

    rank, processes = share()
    own = seed + rank * 1_000_003  # of what this process draws
    torch.manual_seed(seed)
    unet = UNetModel(**shape, dtype=torch.float32, operations=comfy.ops.disable_weight_init)
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
    width, count = config.TEXT["hidden_size"], sum(lessons.words)
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
        captions, drawn = lessons.captions(rng, 48 // processes)
        context = text(tokens_of(captions))[0]
        places = rng.integers(lessons.behind, 77, size=8)
        guesses = (context[:, places] @ (2 * signs)).flatten(0, 1).split(lessons.words, dim=1)
        rights = torch.from_numpy(drawn.repeat(8, axis=0).T).to(device)
        return sum(F.cross_entropy(guess, right) for guess, right in zip(guesses, rights, strict=True))

    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    abar = torch.cumprod(1 - betas, 0).float().to(device)

    def loss_at(step: int) -> Tensor:
        picture, captions = lessons.pictures(own, step, batch // processes)
        generator = torch.Generator().manual_seed(own * 3_000_017 + step)
        x0 = lessons.encode(picture).to(device)
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
            np.random.default_rng([own, step, 1])
        )

    modules = {"model.diffusion_model": unet, "cond_stage_model.transformer": text.transformer}
    parameters = {
        f"{prefix}.{key}": value.requires_grad_(True)
        for prefix, module in modules.items()
        for key, value in module.named_parameters()
        if not key.startswith("text_projection")
    }
    for key, value in parameters.items() if begin else ():
        value.data.copy_(begin[key])
    report(stage, fit(stage, parameters, loss_at, steps, learning_rate, folder, save_every=save_every), steps)
    return {key: value.detach() for key, value in parameters.items()}
