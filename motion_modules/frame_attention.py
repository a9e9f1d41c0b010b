"""Spatial self-attention that looks at other frames, inside ComfyUI's transformer blocks.

Other nodes may patch a block's tokens on the way to its attention: ToMe merges queries, HyperTile cuts them into tiles
`(b f) l c -> (b f g) l/g c`. So ours is the last patch in front of the attention and the first behind it, for one block
of one call: no other patch meets tokens in a shape it does not expect.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from .call import KEY, Call
from .key_frames import first_frame_only, fold_frames, key_tokens, unfold_frames


def with_frames(options: dict, block: Any, path: str, tokens: Tensor, call: Call) -> dict:
    """The options with which a transformer block at `path` attends to the frames the call's rule names.

    tokens: what the block will get, `(b f) l c`. Where another node has replaced its self-attention (PAG, SAG), that
    gets the image model's own keys and values.
    """
    if _is_replaced(options):
        return {name: value for name, value in options.items() if name != KEY}
    memory = call.memory(path)
    if memory:
        return _with_attention(options, partial(_recur, *memory, block, tokens.shape, call.frames))
    if not call.key_frames or call.frames == 1:
        return options
    clips = len(tokens) // call.frames
    patches = options.get("patches", {})
    take = [*patches.get("attn1_patch", ()), partial(_take_key_frames, call, clips)]
    give = [partial(_give_frames_back, call, clips), *patches.get("attn1_output_patch", ())]
    return {**options, "patches": {**patches, "attn1_patch": take, "attn1_output_patch": give}}


def _take_key_frames(call: Call, clips: int, n: Tensor, keys: Tensor, values: Tensor, extra: dict):
    """Queries from every frame, keys and values from the frames of the rule. An `attn1_patch` of ComfyUI."""
    keys, values = (_tiled_like(n, tokens) for tokens in (keys, values))
    n, keys, values = (_frames_last(tokens, clips, call.frames) for tokens in (n, keys, values))
    if call.folds:
        keys, values = (first_frame_only(tokens, call.frames) for tokens in (keys, values))
        return fold_frames(n, call.frames), keys, values
    keys, values = (key_tokens(tokens, call.key_frames, call.frames, call.key_strength) for tokens in (keys, values))
    return n, keys, values


def _give_frames_back(call: Call, clips: int, n: Tensor, extra: dict) -> Tensor:
    """Undo what `_take_key_frames` did to the queries' shape. An `attn1_output_patch` of ComfyUI."""
    n = unfold_frames(n, call.frames) if call.folds else n
    return _frames_first(n, clips, call.frames)


def _recur(memory, strength: float, block: Any, shape: Any, frames: int, q: Tensor, k: Tensor, v: Tensor, extra: dict):
    """Self-attention with a memory, in the place of a block's own; shape: of the block's tokens, `(b f) l c`.

    Raises ValueError where positions were merged: the memory of a place would be read at another one.
    """
    clips, tiles = shape[0] // frames, len(q) // shape[0]
    if q.shape[1] * tiles != shape[1]:
        raise ValueError(
            f"Recurrent attention remembers every place of the picture, and another node (Token Merging or the like) "
            f"left {q.shape[1] * tiles} of {shape[1]} places, others in every frame: take that node out of this model."
        )
    k, v = (_tiled_like(q, tokens) for tokens in (k, v))
    q, k, v = (_frames_last(tokens, clips, frames) for tokens in (q, k, v))
    project = lambda tokens: (block.attn1.to_k(tokens), block.attn1.to_v(tokens))  # noqa: E731
    return _frames_first(memory(q, k, v, block.n_heads, frames, project, strength), clips, frames)


def _tiled_like(q: Tensor, tokens: Tensor) -> Tensor:
    """Keys or values in as many parts as the queries are in, as core's attention takes them: `(b f) l c ->
    (b f g) l/g c`.
    """
    return tokens if len(tokens) == len(q) else tokens.reshape(len(q), -1, tokens.shape[-1])


def _frames_last(tokens: Tensor, clips: int, frames: int) -> Tensor:
    """`(b f g) l c -> (b g f) l c`: every tile is a clip of its own."""
    if len(tokens) == clips * frames:
        return tokens
    return tokens.unflatten(0, (clips, frames, -1)).transpose(1, 2).flatten(0, 2)


def _frames_first(tokens: Tensor, clips: int, frames: int) -> Tensor:
    """The inverse of `_frames_last`."""
    if len(tokens) == clips * frames:
        return tokens
    return tokens.unflatten(0, (clips, -1, frames)).transpose(1, 2).flatten(0, 2)


def _with_attention(options: dict, attention: Callable) -> dict:
    """Options in which the self-attention of the block at hand is replaced, behind others' patches of its input."""
    replaced = options.get("patches_replace", {})
    here = {(*options["block"], options["block_index"]): attention}
    return {**options, "patches_replace": {**replaced, "attn1": {**replaced.get("attn1", {}), **here}}}


def _is_replaced(options: dict) -> bool:
    replaced, row = options.get("patches_replace", {}).get("attn1", {}), tuple(options.get("block", ()))
    return row in replaced or (*row, options["block_index"]) in replaced
