"""How the blocks of ComfyUI's UNet run with motion layers.

Nothing in the UNet is replaced or written to: these functions run a block's own sublayers and add the motion layers
between them. What one call of the UNet needs to know travels in a `Call` inside that call's options.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .key_frames import NoLayers, Rule, first_frame_only, fold_frames, key_tokens, unfold_frames
from .layers import MotionConv, joint_group_norm
from .methods import Layers
from .recurrent import Memory

KEY = "few_shot_motion"  # our place in ComfyUI's transformer_options
GATES = "few_shot_motion_gates"  # there, in training: a list for what split layers take for the subject


@dataclass
class Call:
    """One call of the UNet: how many frames a clip has, which adapters act and how strongly.

    `joint_norm` and `key_strength` say how far group norms go from the image model's way (0) to one norm over all
    frames (1), and self-attention to the frames `key_frames` names.
    """

    frames: int
    names: dict[int, str]
    adapters: list[tuple[Layers | NoLayers, float]]
    joint_norm: float
    key_frames: Rule = ()
    key_strength: float = 1.0
    checkpointing: bool = False
    ends: dict[int, str] = field(default_factory=dict)  # of row_ends
    last: Tensor | None = field(default=None, repr=False)  # the newest block's output
    masks: dict[int, Tensor] = field(
        default_factory=dict, repr=False
    )  # id of split layers' module -> the user's mask, `f h w`
    gates: list[Tensor] | None = field(
        default=None, repr=False
    )  # what split layers in training take for the subject is added here

    @property
    def folds(self) -> bool:
        """Do all frames ask the first one, and it alone? Then they may ask at once."""
        return self.key_frames == ("first",) and self.key_strength == 1 and self.frames > 1

    def name(self, layer: nn.Module) -> str:
        """Where a convolution or block of this UNet sits, in ComfyUI's names."""
        return self.names[id(layer)]

    def row_end(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Behind a row's last features, in front of its upsampler: the temporal transformers of that row."""
        row = self.ends.get(id(layer), "")
        return _plus(x, [(m.layers[row](x, self.frames), s) for m, s in self.adapters if row in m.layers])

    def conv(self, path: str, y: Tensor) -> Tensor:
        """Follow the 2-D convolution, or the whole ResBlock, at `path` with its motion layers."""
        return _plus(y, [(self._motion(m, m.layers[path], y), s) for m, s in self.adapters if path in m.layers])

    def _motion(self, module: Layers | NoLayers, layer: nn.Module, y: Tensor) -> Tensor:
        if isinstance(layer, MotionConv):
            return layer(y, self.frames, self.masks.get(id(module)), self.gates)
        return layer(y, self.frames)

    def attend(self, path: str, x: Tensor, heads: int) -> Tensor:
        """End the transformer block at `path` with its temporal attention."""
        return _plus(x, [(m.layers[path](x, self.frames, heads), s) for m, s in self.adapters if path in m.layers])

    def memory(self, path: str) -> tuple[Memory, float] | None:
        """The memory in the self-attention of the block at `path`, and its strength."""
        found = ((getattr(m.layers.get(path), "memory", None), strength) for m, strength in self.adapters)
        return next(((memory, strength) for memory, strength in found if memory is not None), None)

    def norm(self, norm: nn.Module, x: Tensor) -> Tensor:
        """A group norm of `(b f) c h w`: per frame, over all frames of a clip, or mixed of both by `joint_norm`."""
        if self.joint_norm == 0:
            return norm(x)
        joint = joint_group_norm(norm, x, self.frames)
        return joint if self.joint_norm == 1 else torch.lerp(norm(x), joint, self.joint_norm)

    def run(self, block, *inputs: Tensor | None) -> Tensor:
        """Keep the block's output as the newest, and with checkpointing nothing else of it."""
        out: Any = checkpoint(block, *inputs, use_reentrant=False) if self.checkpointing else block(*inputs)
        self.last = out
        return out


def _plus(x: Tensor, residuals: Iterable[tuple[Tensor, float]]) -> Tensor:
    for residual, strength in residuals:
        x = x + (residual if strength == 1 else strength * residual).to(x)
    return x


def block_names(unet: Any) -> dict[int, str]:
    """id of every layer that may be handled -> its path, `input_blocks.1.0`.

    A few dozen entries, so made anew for every call.
    """
    rows = [("input_blocks", i, row) for i, row in enumerate(unet.input_blocks)]
    rows += [("output_blocks", i, row) for i, row in enumerate(unet.output_blocks)]
    names = {id(layer): f"{side}.{i}.{j}" for side, i, row in rows for j, layer in enumerate(row)}
    return names | {id(layer): f"middle_block.{j}" for j, layer in enumerate(unet.middle_block)}


def row_ends(unet: Any) -> dict[int, str]:
    """id of a row's last ResBlock or transformer -> the row, `input_blocks.1`; of the middle block, the layer in front
    of its second ResBlock.
    """
    ends = {}
    for side in ("input_blocks", "output_blocks"):
        for i, row in enumerate(getattr(unet, side)):
            if features := [
                layer for layer in row if hasattr(layer, "in_layers") or hasattr(layer, "transformer_blocks")
            ]:
                ends[id(features[-1])] = f"{side}.{i}"
    return ends | {id(layer): "middle_block" for layer in list(unet.middle_block)[-2:-1]}


# --------------------------------------------------------------------------- the blocks, as their own forward runs them


def res_block(layer: Any, x: Tensor, emb: Tensor, call: Call) -> Tensor:
    """A ResBlock of SD 1.x, 2.x or SDXL (no scale-shift norm, no resampling inside)."""
    path = call.name(layer)

    def run(x: Tensor, emb: Tensor) -> Tensor:
        h = call.norm(layer.in_layers[0], x)
        h = call.conv(f"{path}.in_layers.2", layer.in_layers[1:](h))
        h = h + layer.emb_layers(emb).type(h.dtype)[..., None, None]
        h = call.norm(layer.out_layers[0], h)
        h = call.conv(f"{path}.out_layers.3", layer.out_layers[1:](h))
        h = call.conv(path, call.conv(f"{path}.skip_connection", layer.skip_connection(x)) + h)
        return call.row_end(layer, h)

    return call.run(run, x, emb)


def spatial_transformer(layer: Any, x: Tensor, context: Tensor | None, options: dict, call: Call) -> Tensor:
    """A SpatialTransformer with temporal attention at the end of each of its blocks."""
    path = call.name(layer)

    def run(x: Tensor, context: Tensor | None) -> Tensor:
        height, width = x.shape[-2:]
        options["activations_shape"] = list(x.shape)
        tokens = layer.norm(x)
        if not layer.use_linear:
            tokens = layer.proj_in(tokens)
        tokens = tokens.movedim(1, 3).flatten(1, 2).contiguous()
        if layer.use_linear:
            tokens = layer.proj_in(tokens)
        for i, block in enumerate(layer.transformer_blocks):
            options["block_index"] = i
            tokens = transformer_block(block, f"{path}.transformer_blocks.{i}", tokens, context, options, call)
        if layer.use_linear:
            tokens = layer.proj_out(tokens)
        tokens = tokens.unflatten(1, (height, width)).movedim(3, 1).contiguous()
        if not layer.use_linear:
            tokens = layer.proj_out(tokens)
        return call.row_end(layer, tokens + x)

    out = call.run(run, x, context)
    options["transformer_index"] += 1
    return out


def transformer_block(
    block: Any, path: str, tokens: Tensor, context: Tensor | None, options: dict, call: Call
) -> Tensor:
    """A block, then its temporal attention; tokens `(b f) l c`.

    Where another node has replaced its self-attention (PAG, SAG), that gets the image model's own keys and values.
    """
    if _is_replaced(options):
        options = {name: value for name, value in options.items() if name != KEY}
    elif memory := call.memory(path):
        options = _with_attention(options, partial(_recur, *memory, block, call.frames))
    tokens = block(tokens, context=context, transformer_options=options)
    return call.attend(path, tokens, block.n_heads)


def _recur(
    memory: Memory, strength: float, block: Any, frames: int, q: Tensor, k: Tensor, v: Tensor, extra: dict
) -> Tensor:
    """Self-attention with a memory, in the place of a block's own."""
    return memory(
        q, k, v, block.n_heads, frames, lambda tokens: (block.attn1.to_k(tokens), block.attn1.to_v(tokens)), strength
    )


def _with_attention(options: dict, attention: Callable) -> dict:
    """Options in which the self-attention of the block at hand is replaced, behind others' patches of its input."""
    replaced = options.get("patches_replace", {})
    here = {(*options["block"], options["block_index"]): attention}
    return {**options, "patches_replace": {**replaced, "attn1": {**replaced.get("attn1", {}), **here}}}


def _is_replaced(options: dict) -> bool:
    replaced, row = options.get("patches_replace", {}).get("attn1", {}), tuple(options.get("block", ()))
    return row in replaced or (*row, options["block_index"]) in replaced


def plain_layer(layer: nn.Module, suffix: str, y: Tensor, call: Call) -> Tensor:
    """Behind a layer that is one convolution: conv_in, a downsampler (`.op`), an upsampler (`.conv`); y is that layer's
    output.
    """
    y = call.conv(f"{call.name(layer)}{suffix}", y)
    call.last = y
    return y


def conv_out(out: Any, y: Tensor, call: Call) -> Tensor:
    """The UNet's last layers; they are no block that could be handled, so they are run again on what went into them.

    y: the UNet's output without motion, reused where its group norm is not over frames.
    """
    if call.joint_norm and call.last is not None:
        y = out[1:](call.norm(out[0], call.last.type(y.dtype)))
    return call.conv("out.2", y)


# ------------------------------------------------------------------------------- self-attention to other frames


def take_key_frames(n: Tensor, keys: Tensor, values: Tensor, extra: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Queries from every frame, keys and values from the frames the call's rule names. An `attn1_patch` of ComfyUI."""
    call: Call | None = extra.get(KEY)
    if call is None or not call.key_frames or call.frames == 1 or "memory" in call.key_frames:
        return n, keys, values
    if call.folds:
        keys, values = (first_frame_only(tokens, call.frames) for tokens in (keys, values))
        return fold_frames(n, call.frames), keys, values
    keys, values = (key_tokens(tokens, call.key_frames, call.frames, call.key_strength) for tokens in (keys, values))
    return n, keys, values


def give_frames_back(n: Tensor, extra: dict) -> Tensor:
    """Undo the folding of `take_key_frames` behind the attention. An `attn1_output_patch` of ComfyUI."""
    call: Call | None = extra.get(KEY)
    return unfold_frames(n, call.frames) if call is not None and call.folds else n
