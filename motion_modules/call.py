"""What one call of the UNet needs to know of its motion, and the names of the layers it will meet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .key_frames import NoLayers, Rule
from .layers import MotionConv, joint_group_norm, silu_in_order
from .mask_predictor import resize_masks
from .methods import Layers
from .recurrent import Memory

Residual = Tensor | tuple[Tensor, Tensor]  # what a layer adds to features, `b f …`, or a gate and what it lets through
KEY = "few_shot_motion"  # our place in ComfyUI's transformer_options
GATES = "few_shot_motion_gates"  # there, in training: a list for what split layers take for the subject


@dataclass(frozen=True)
class Places:
    """The layers of one UNet by identity, so that a layer another pack puts between them moves no name.

    names: id of a layer -> its path, `input_blocks.1.0`. ends: id of a row's last ResBlock or transformer -> the row,
    `input_blocks.1`; of the middle block, the layer in front of its second ResBlock.
    """

    unet: Any = field(repr=False)
    names: Mapping[int, str] = field(repr=False)
    ends: Mapping[int, str] = field(repr=False)


def places_of(unet: Any) -> Places:
    """The places of a UNet as ComfyUI builds it; layers of a kind it does not build itself are not counted."""
    rows = [("middle_block", _own(unet.middle_block))]
    for side in ("input_blocks", "output_blocks"):
        rows += [(f"{side}.{i}", _own(row)) for i, row in enumerate(getattr(unet, side))]
    names = {id(layer): f"{row}.{j}" for row, layers in rows for j, layer in enumerate(layers)}
    ends = {}
    for row, layers in rows:
        features = [layer for layer in layers if hasattr(layer, "in_layers") or hasattr(layer, "transformer_blocks")]
        if row == "middle_block":
            features = features[:-1]
        ends |= {id(layer): row for layer in features[-1:]}
    return Places(unet, names, ends)


def _own(row: Iterable[nn.Module]) -> list[nn.Module]:
    """The ResBlocks, transformers, convolutions, down- and upsamplers of a row."""
    kinds = ("in_layers", "transformer_blocks", "op", "conv")
    return [layer for layer in row if isinstance(layer, nn.Conv2d) or any(hasattr(layer, kind) for kind in kinds)]


@dataclass(frozen=True)
class Acting:
    """One adapter in a call of the UNet. Nothing is looked up by its identity: compiled code would be its own."""

    module: Layers | NoLayers
    strength: float = 1.0
    mask: Tensor | None = field(default=None, repr=False)  # what split layers take for the subject, `f h w`
    where: tuple[Tensor, ...] = field(default=(), repr=False)  # how much it may add there: masks `f h w` or `1 h w`
    sized: dict[tuple, Tensor] = field(default_factory=dict, repr=False)  # their product, by size of features


@dataclass
class Call:
    """One call of the UNet: how many frames a clip has, which adapters act and how strongly.

    `joint_norm` and `key_strength` say how far group norms go from the image model's way (0) to one norm over all
    frames (1), and self-attention to the frames `key_frames` names.
    """

    frames: int
    places: Places
    adapters: list[Acting]
    joint_norm: float
    key_frames: Rule = ()
    key_strength: float = 1.0
    checkpointing: bool = False
    gates: list[Tensor] | None = field(default=None, repr=False)  # what split layers in training take for the subject
    last: Tensor | None = field(default=None, repr=False)  # what the newest layer of any kind gave
    silu: tuple[Tensor, Tensor] | None = field(default=None, repr=False)  # of the newest embedding: itself and its SiLU
    whole: bool = False  # is this the UNet's own forward, whose last layers are ours to follow?

    @property
    def folds(self) -> bool:
        """Do all frames ask the first one, and it alone? Then they may ask at once."""
        return self.key_frames == ("first",) and self.key_strength == 1 and self.frames > 1

    @property
    def ends_outside_blocks(self) -> bool:
        """Do the UNet's last layers, which are in no block, take part?"""
        return self.joint_norm > 0 or any("out.2" in it.module.layers for it in self.adapters)

    def name(self, layer: nn.Module) -> str:
        """The path of a layer, `input_blocks.1.0`."""
        return self.places.names[id(layer)]

    def row_end(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Behind a row's last features, in front of its upsampler: the temporal transformers of that row."""
        row = self.places.ends.get(id(layer), "")
        acting = [it for it in self.adapters if row in it.module.layers]
        return _plus(x, [(it.module.layers[row](x, self.frames), it.strength, _where(it, x.shape, x)) for it in acting])

    def conv(self, path: str, y: Tensor) -> Tensor:
        """Follow the 2-D convolution, or the whole ResBlock, at `path` with its motion layers, `(b f) c h w`."""
        acting = [it for it in self.adapters if path in it.module.layers]
        return _plus(y, [(self._motion(it, path, y), it.strength, _where(it, y.shape, y)) for it in acting])

    def _motion(self, acting: Acting, path: str, y: Tensor) -> Residual:
        layer = acting.module.layers[path]
        if isinstance(layer, MotionConv):
            return layer(y, self.frames, acting.mask, self.gates)
        return layer(y, self.frames)

    def attend(self, path: str, x: Tensor, heads: int, size: Sequence[int]) -> Tensor:
        """End the transformer block at `path` with its temporal attention, `(b f) l c`, of features of this size (h,
        w).
        """
        residuals = []
        for acting in self.adapters:
            if path in acting.module.layers:
                where = _where(acting, size, x)
                where = None if where is None else where.flatten(1)[..., None]
                residuals.append((acting.module.layers[path](x, self.frames, heads), acting.strength, where))
        return _plus(x, residuals)

    def memory(self, path: str) -> tuple[Memory, float] | None:
        """The memory in the self-attention of the block at `path`, and its strength."""
        found = ((getattr(it.module.layers.get(path), "memory", None), it.strength) for it in self.adapters)
        return next(((memory, strength) for memory, strength in found if memory is not None), None)

    def norm_and_silu(self, layers: Any, x: Tensor) -> Tensor:
        """The first two of `layers`: a group norm, as far over all frames of a clip as the call says, and SiLU; x `(b
        f) c h w`.
        """
        norm, silu = layers[:2]
        if self.joint_norm == 0:
            return silu(norm(x))
        joint = joint_group_norm(norm, x, self.frames)
        if self.joint_norm == 1:
            return silu_in_order(joint)
        return silu(torch.lerp(norm(x), joint.flatten(0, 1), self.joint_norm))

    def embedded(self, layers: Any, emb: Tensor) -> Tensor:
        """SiLU, which is the same for all ResBlocks of a call, and a block's own projection, of a timestep's embedding
        `(b f) c`.
        """
        if torch.is_grad_enabled():  # blocks that are computed again have to do alike each time
            return layers(emb)
        if self.silu is None or self.silu[0] is not emb:
            self.silu = emb, layers[0](emb)
        return layers[1:](self.silu[1])

    def run(self, block, *inputs: Tensor | None) -> Tensor:
        """A block; with checkpointing nothing but its output is kept of it."""
        out: Any = checkpoint(block, *inputs, use_reentrant=False) if self.checkpointing else block(*inputs)
        return out


def _where(acting: Acting, size: Sequence[int], like: Tensor) -> Tensor | None:
    """How much an adapter's residuals count at each position of features of this size (… h, w), `f 1 h w`; None: all
    of it.
    """
    if not acting.where:
        return None
    key = (int(size[-2]), int(size[-1]))
    if key not in acting.sized:
        found = [resize_masks(mask.to(like.device), *key) for mask in acting.where]
        acting.sized[key] = torch.stack(torch.broadcast_tensors(*found)).prod(dim=0)[:, None].to(like)
    return acting.sized[key]


def _plus(x: Tensor, residuals: Iterable[tuple[Residual, float, Tensor | None]]) -> Tensor:
    """x `(b f) …` plus every residual `b f …` times its strength, and as far as its mask `f …` lets it."""
    for residual, strength, where in residuals:
        gate, motion = residual if isinstance(residual, tuple) else (None, residual)
        motion = motion if where is None else motion * where
        clips = x.unflatten(0, motion.shape[:2])
        if gate is None:
            clips = torch.add(clips, motion.to(x), alpha=strength)
        else:
            clips = torch.addcmul(clips, gate.to(x), motion.to(x), value=strength)
        x = clips.flatten(0, 1)
    return x
