"""Which frames a frame's self-attention takes keys and values from.

A rule is a tuple of words: `first`, frame 0; `former`, the frame before (frame 0 is before itself). () is the image
model's own rule, each frame itself. LAMP and Text2Video-Zero: ("first",). Tune-A-Video: ("first", "former"). Axes as in
layers.py.
"""

import torch
from torch import Tensor

Rule = tuple[str, ...]


def key_tokens(tokens: Tensor, rule: Rule, frames: int, strength: float = 1.0) -> Tensor:
    """What every frame takes keys or values from, one key frame behind the other, `(b f) l c -> (b f) (k l) c`.

    Below full strength each key frame is mixed with the frame's own tokens. At 0 these stand there k times, which a
    softmax does not see.
    """
    own = tokens.unflatten(0, (-1, frames))
    taken = [_first(own) if word == "first" else _former(own) for word in rule]
    return torch.cat(taken if strength == 1 else [torch.lerp(own, other, strength) for other in taken], dim=2).flatten(
        0, 1
    )


def _first(clips: Tensor) -> Tensor:
    return clips[:, :1].expand_as(clips)


def _former(clips: Tensor) -> Tensor:
    return torch.cat([clips[:, :1], clips[:, :-1]], dim=1)


def first_frame_only(tokens: Tensor, frames: int) -> Tensor:
    """The first frame's tokens of every clip, `(b f) l c` -> `b l c`."""
    return tokens.unflatten(0, (-1, frames))[:, 0]


def fold_frames(tokens: Tensor, frames: int) -> Tensor:
    """All frames of a clip as one query sequence, `(b f) l c -> b (f l) c`: every frame asks the same keys, projected
    once.
    """
    return tokens.unflatten(0, (-1, frames)).flatten(1, 2)


def unfold_frames(tokens: Tensor, frames: int) -> Tensor:
    """The inverse of `fold_frames`, `b (f l) c -> (b f) l c`."""
    return tokens.unflatten(1, (frames, -1)).flatten(0, 1)


class NoLayers:
    """A rule for self-attention alone, where a motion module would stand: nothing is learnt, nothing is added."""

    max_frames = None

    def __init__(self, key_frames: Rule):
        self.key_frames = key_frames
        self.layers: dict = {}
