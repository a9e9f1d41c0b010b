"""Repeat-and-slide: a text-to-video model animates an image it was never trained to take (TI2V-Zero, Ni et al., CVPR
2024, arXiv 2404.16306).

Written from the paper; where it leaves a choice, the numbers of the release decide. Everything is frames first, `f c h
w`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from .noising import Noising
from .slides import Slide, nearest_known

Noise = Callable[
    [str, Tensor], Tensor
]  # what for ("start", "context", "held", "again", "step"), a tensor of the wanted shape -> noise
Sample = Callable[
    [Callable, Tensor, Tensor], Tensor
]  # model, x at sigmas[0], sigmas -> x at sigmas[-1], as k-diffusion's samplers


def seeded_noise(seed: int) -> Noise:
    """Noise in the order it is asked for, drawn on the CPU: the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    return lambda role, like: torch.randn(like.shape, generator=generator).to(like)


def repeats_at(sigmas: Tensor, resample: int, high: float = float("inf"), low: float = 0.0) -> list[int]:
    """How often each step is resampled: `resample` times where it starts between the noise levels `high` and `low`."""
    return [resample if low <= float(sigma) <= high else 0 for sigma in sigmas[:-1]]


def calls_per_slide(repeats: Sequence[int]) -> int:
    """Calls of the model for one slide, guidance counted as one: every step once, and once more for each resampling."""
    return len(repeats) + sum(repeats)


def replace(x: Tensor, frames: Tensor, known: Tensor) -> Tensor:
    """Equation 7b: the known slots of x hold `frames`."""
    x = x.clone()
    x[known] = frames.to(x)
    return x


def invert(q: Tensor, known: Sequence[bool], sigma: Tensor, noising: Noising, noise: Noise) -> Tensor:
    """DDPM-based inversion: every slot starts as its nearest known frame under noise of its own."""
    z = q[nearest_known(known)]
    return noising.at(sigma, z, noise("start", z))


def sample_slide(sample: Sample, model: Callable, q: Tensor, known: Sequence[bool], sigmas: Tensor,
                 repeats: Sequence[int], noising: Noising,
                 noise: Noise, inversion: bool = True) -> Tensor:  # fmt: skip
    """Algorithm 1 for one slide: the window at sigmas[-1], given its known frames in `q` (its other slots are not
    looked at).

    At each step the known slots hold the clean frames under fresh noise. With repeats the step is taken, undone by
    noise and taken again; all repeats of a step see the known slots under one noise, as in the release. `sample` is
    called for one step at a time, so it must not remember the last.
    """
    slots = torch.tensor(known, device=q.device)
    context = q[slots]
    if inversion:
        x = invert(q, known, sigmas[0], noising, noise)
    else:
        x = noising.pure_noise(sigmas[0]) * noise("start", q)
    for i, (high, low) in enumerate(pairwise(sigmas)):
        x = replace(x, noising.at(high, context, noise("context", context)), slots)
        held = noising.at(low, context, noise("held", context)) if repeats[i] else context
        for _ in range(repeats[i]):
            x = replace(sample(model, x, sigmas[i : i + 2]), held, slots)
            x = noising.back(low, high, x, noise("again", x))
        x = sample(model, x, sigmas[i : i + 2])
    return x


class Frames(NamedTuple):
    """What one slide made."""

    indices: tuple[int, ...]
    latents: Tensor
    pixels: Tensor | None  # with a pixel queue: the frames as decoded


def repeat_and_slide(slides: Sequence[Slide], known: Mapping[int, Tensor], solve: Callable[[Tensor, Slide], Tensor],
                     decode: Callable[[Tensor], Tensor] | None = None,
                     encode: Callable[[Tensor], Tensor] | None = None) -> Iterator[Frames]:  # fmt: skip
    """Make a clip slide by slide; the caller keeps what comes out.

    known: index -> clean latent `c h w`. solve(q, slide): a window's frames, clean, from those that are known. With
    `decode` and `encode` new frames take the way through pixels into the queue, as in the release; without, they enter
    it as latents, as in the paper. What no later slide shows is forgotten, so memory does not grow with the clip.
    Raises ValueError where known frames differ in size.
    """
    sizes = {tuple(frame.shape) for frame in known.values()}
    if len(sizes) > 1:
        found = ", ".join("x".join(map(str, size)) for size in sorted(sizes))
        raise ValueError(f"The given frames have latents of different sizes ({found}): scale them to one size first.")
    last_shown = {frame: n for n, slide in enumerate(slides) for frame in slide.frames}
    queue = {frame: latent for frame, latent in known.items() if frame in last_shown}
    for n, slide in enumerate(slides):
        blank = torch.zeros_like(queue[slide.frames[slide.known.index(True)]])
        new = solve(torch.stack([queue.get(frame, blank) for frame in slide.frames]), slide)[slide.slots]
        pixels = decode(new) if decode else None
        yield Frames(slide.new, new, pixels)
        is_shown_again = any(last_shown[frame] > n for frame in slide.new)
        queued = encode(pixels) if encode and pixels is not None and is_shown_again else new
        queue.update(zip(slide.new, queued, strict=True))
        queue = {frame: latent for frame, latent in queue.items() if last_shown[frame] > n}


def frames_meet(model: Callable, x: Tensor, known: Sequence[bool], sigma: Tensor) -> bool:
    """Whether the known frames of a window have a say in what the model makes of the others: asked of the model, in two
    calls.
    """
    slots = torch.tensor(known, device=x.device)
    other = replace(x, x[slots].flip(-1).neg() + float(x.std()), slots)
    first, second = model(x, sigma), model(other, sigma)
    change = (second - first).abs()
    return not bool(
        change[~slots].max() <= 1e-4 * change[slots].max()
    )  # a model that answers nan is not refused for this
