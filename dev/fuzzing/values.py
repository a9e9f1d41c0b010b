"""Values that core cannot make: of every type, and what is wrong with a picture, a latent, a prompt. Read here, and
inside the server as a part of the helper package (helper.py), so nothing of the pack or of `dev` is imported.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import comfy.samplers
import torch
from comfy_api.latest import InputImpl, Types

FRAMES, SIDE = 9, 64


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def _clip(seed: int) -> torch.Tensor:
    """A bright box that wanders over a plain ground, `f h w 3`."""
    pictures = 0.2 + 0.05 * _random(FRAMES, SIDE, SIDE, 3, seed=seed)
    for i in range(FRAMES):
        pictures[i, 8 + 4 * seed : 32 + 4 * seed, 3 * i : 3 * i + 24] += 0.6
    return pictures


def _masks() -> torch.Tensor:
    mask = torch.zeros(FRAMES, SIDE, SIDE)
    for i in range(FRAMES):
        mask[i, 8:32, 3 * i : 3 * i + 24] = 1
    return mask


# what a prompt that is not yet mutated begins with
BASE: dict[str, Callable[[], Any]] = {
    "clip": lambda: _clip(0), "other clip": lambda: _clip(1), "picture": lambda: _clip(0)[:1], "masks": _masks,
    "one mask": lambda: _masks()[:1], "latents": lambda: {"samples": 2 * _random(4, 4, 8, 8) - 1},
    "first latent": lambda: {"samples": 2 * _random(1, 4, 8, 8) - 1}, "words": lambda: "a red ball on grass",
    "other words": lambda: "a blue box",
}  # fmt: skip


class _Raises:
    def get_components(self):
        raise RuntimeError("made to fail")

    def generate_noise(self, latent):
        raise RuntimeError("made to fail")


# without half a letter and numbers of 5000 digits: ComfyUI's own history of what failed cannot be asked for with those
GARBAGE: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None, "a word": lambda: "abc", "no letters": lambda: "", "3": lambda: 3, "2.5": lambda: 2.5,
    "-1": lambda: -1, "0": lambda: 0, "huge": lambda: 10**30, "NaN": lambda: float("nan"),
    "inf": lambda: float("inf"), "yes": lambda: True, "a list": lambda: [1, "a"], "an empty list": lambda: [],
    "a dict": lambda: {"a": 1}, "an empty dict": lambda: {}, "bytes": lambda: b"\0\xff", "complex": lambda: 1j,
    "an object": object, "a class": lambda: dict, "a function": lambda: print, "a tuple": lambda: (1, 2),
    "a tensor": lambda: torch.zeros(2, 3), "a number's tensor": lambda: torch.tensor(5.0), "a layer": lambda:
    torch.nn.Linear(2, 2), "digits": lambda: "16", "a set": lambda: {1},
    "latent of a list": lambda: {"samples": [1, 2]}, "latent of nothing": lambda: {"samples": None},
    "what raises": _Raises,
}  # fmt: skip


def _put(value: torch.Tensor, number: float) -> torch.Tensor:
    value = value.clone()
    value.view(-1)[value.numel() // 2] = number
    return value


Bends = dict[str, Callable[[Any], Any]]
_TENSOR: Bends = {
    "NaN": lambda x: _put(x, float("nan")), "inf": lambda x: _put(x, float("inf")),
    "-inf": lambda x: _put(x, -float("inf")), "all NaN": lambda x: x * float("nan"), "no frames": lambda x: x[:0],
    "fp16": lambda x: x.half(), "bf16": lambda x: x.bfloat16(), "fp64": lambda x: x.double(),
    "whole numbers": lambda x: x.long(), "uint8": lambda x: (x * 255).byte(), "bool": lambda x: x > 0.5,
    "complex": lambda x: x.to(torch.complex64), "sparse": lambda x: x.to_sparse(), "meta": lambda x: x.to("meta"),
    "an axis more": lambda x: x[None], "an axis less": lambda x: x[0], "flat": lambda x: x.flatten(),
    "zeros": torch.zeros_like, "ones": torch.ones_like, "not in a row": lambda x: x.mT.contiguous().mT,
    "with a gradient": lambda x: x.clone().requires_grad_(), "a frame more": lambda x: torch.cat([x, x[:1]]),
    "one frame": lambda x: x[:1], "two frames": lambda x: x[:2],
}  # fmt: skip
_FAR: Bends = {"0 to 255": lambda x: x * 255, "-1 to 1": lambda x: x * 2 - 1, "1e30": lambda x: x + 1e30}
_PICTURES: Bends = _TENSOR | _FAR | {
    "grey": lambda x: x[..., :1], "transparent": lambda x: torch.cat([x, x[..., :1]], dim=-1),
    "two colours": lambda x: x[..., :2], "1x1": lambda x: x[:, :1, :1], "1 px high": lambda x: x[:, :1],
    "8x8": lambda x: x[:, :8, :8], "odd": lambda x: x[:, 3:, :45], "colours first": lambda x: x.movedim(-1, 1),
    "a little beyond": lambda x: x * 1.1 - 0.05, "no width": lambda x: x[:, :, :0],
}  # fmt: skip
_MASKS: Bends = _TENSOR | _FAR | {
    "another shape": lambda x: x[:, :16], "1x1": lambda x: x[:, :1, :1], "half the size": lambda x: x[:, ::2, ::2],
    "odd": lambda x: x[:, 3:, :45], "in part": lambda x: x * 0.5, "a hair beyond": lambda x: x * 1.001,
}  # fmt: skip
_SAMPLES: Bends = _TENSOR | {
    "16 channels": lambda x: x.repeat(1, 4, 1, 1), "1x1": lambda x: x[..., :1, :1], "odd": lambda x: x[..., 1:, :5],
    "1e30": lambda x: x * 1e30, "1e4": lambda x: x * 1e4, "of a video model": lambda x: x.movedim(0, 1)[None],
    "no width": lambda x: x[..., :0],
}  # fmt: skip
_LATENTS: Bends = {name: (lambda v, f=f: {**v, "samples": f(v["samples"])}) for name, f in _SAMPLES.items()} | {
    "no samples": lambda v: {}, "with a mask": lambda v: {**v, "noise_mask": torch.zeros(1, 1, 64, 64)},
}  # fmt: skip


def _words(name: str) -> Callable[[Any], Any]:
    return lambda value: [[_TENSOR[name](words), dict(options)] for words, options in value]


def _with(**options: Any) -> Callable[[Any], Any]:
    return lambda value: [[words, {**had, **options}] for words, had in value]


_PROMPTS: Bends = {name: _words(name) for name in ("NaN", "inf", "no frames", "fp16", "an axis more", "an axis less",
                                                  "whole numbers", "flat")} | {
    "empty": lambda v: [], "twice": lambda v: [*v, *v], "pairs of three": lambda v: [[*v[0], 1]],
    "no options": lambda v: [[v[0][0]]], "options are words": lambda v: [[v[0][0], "x"]],
    "wider": lambda v: [[torch.cat([words, words], -1), had] for words, had in v],
    "no tokens": lambda v: [[words[:, :0], had] for words, had in v],
    "one per frame": lambda v: [[words.repeat(4, 1, 1), had] for words, had in v],
    "pooled NaN": _with(pooled_output=torch.full((1, 8), float("nan"))), "pooled word": _with(pooled_output="x"),
    "an area": _with(area=(4, 4, 0, 0), strength=1.0), "a range": _with(start_percent=0.2, end_percent=0.6),
    "a mask": _with(mask=torch.ones(1, 64, 64), mask_strength=1.0),
}  # fmt: skip


class _Other:
    """A VAE of another model."""

    latent_dim, latent_channels = 3, 16

    def encode(self, pictures):
        return torch.zeros(1, 16, 1, pictures.shape[1] // 8, pictures.shape[2] // 8)

    decode = encode


class _Noise:
    seed = 0

    def __init__(self, made: Callable[[torch.Tensor], Any]):
        self.made = made

    def generate_noise(self, latent):
        return self.made(latent["samples"])


def _video(bend: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: InputImpl.VideoFromComponents(
        Types.VideoComponents(images=bend(_clip(0)), frame_rate=Fraction(8))
    )


BENDS: dict[str, Bends] = {
    "IMAGE": _PICTURES, "MASK": _MASKS, "LATENT": _LATENTS, "CONDITIONING": _PROMPTS,
    "VAE": {"another model's": lambda v: _Other()}, "MODEL": {"its UNet": lambda v: v.model},
    "NOISE": {
        "another shape": lambda v: _Noise(lambda x: torch.zeros(2, 2)),
        "NaN": lambda v: _Noise(lambda x: x * float("nan")),
        "nothing made": lambda v: _Noise(lambda x: None), "zeros": lambda v: _Noise(torch.zeros_like),
    },
    "SAMPLER": {name: lambda v, name=name: comfy.samplers.sampler_object(name) for name in
                comfy.samplers.SAMPLER_NAMES},
    "VIDEO": {name: _video(_PICTURES[name]) for name in ("NaN", "grey", "no frames", "1x1", "0 to 255", "one frame",
                                                         "transparent", "an axis less", "uint8", "ones")},
    "CLIP": {}, "CLIP_VISION": {"no config": lambda v: type("V", (), {"model": 1, "encode_image": 1, "config": {}})()},
}  # fmt: skip
NOT_FINITE = ("NaN", "inf", "-inf", "all NaN", "pooled NaN")
