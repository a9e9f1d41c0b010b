"""Several adapters of one kind as one, and an adapter's matrices in another rank."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .adapter import AdapterError, MotionAdapter

MERGED = ("lamp", "recurrent", "tune-a-video")  # methods whose matrices may be thin
_DOWN, _UP = ".down.weight", ".up.weight"


def merge(adapters: Sequence[MotionAdapter], weights: Sequence[float], rank: int) -> tuple[MotionAdapter, list[float]]:
    """The mean of adapters' matrices, weighted, as thin ones of a rank (0: whole); and for each matrix how far it is
    off, as a share of its norm: 0 where nothing was left out.

    Raises AdapterError where they are not of one kind, or no weight counts.
    """
    _check(adapters, weights, rank)
    shares = [weight / sum(weights) for weight in weights]
    whole = [whole_matrices(adapter.tensors) for adapter in adapters]
    tensors = {name: _mean([each[name] for each in whole], shares) for name in whole[0]}
    errors: list[float] = []
    if rank:
        tensors, errors = thin_matrices(tensors, rank)
    first = adapters[0]
    names = [adapter.metadata.get("prompts", "") for adapter in adapters]
    metadata = {**first.metadata, "merged": ", ".join(f"{share:.3g}" for share in shares), "rank": str(rank)}
    metadata["prompts"] = names[0] if len(set(names)) == 1 else "; ".join(name for name in names if name)
    learnt = [adapter.mask_tensors for adapter in adapters]
    same_masks = len({frozenset(each) for each in learnt}) == 1
    masks = {name: _mean([each[name] for each in learnt], shares) for name in learnt[0]} if same_masks else {}
    queries = {name: _mean([each.queries[name] for each in adapters], shares) for name in first.queries}
    merged = replace(first, tensors=tensors, rank=rank, metadata=metadata, mask_tensors=masks, queries=queries)
    return merged, errors


def _check(adapters: Sequence[MotionAdapter], weights: Sequence[float], rank: int) -> None:
    first = adapters[0]
    if first.method not in MERGED:
        raise AdapterError(
            f"Merged are motions that this pack trains, this one is {first.describe()}: stack such motions with Apply "
            "Motion Adapter."
        )
    for other in adapters[1:]:
        a, b = _kind(first), _kind(other)
        if different := [name for name in a if a[name] != b[name]]:
            found = " and ".join(f"{name} {a[name]} and {b[name]}" for name in different)
            raise AdapterError(
                f"These motions are of two kinds ({found}), which have no mean: stack them with Apply Motion Adapter."
            )
    if min(weights) < 0 or sum(weights) <= 0:
        raise AdapterError(
            f"The weights are {', '.join(f'{weight:g}' for weight in weights)}: give every motion 0 or more, and one "
            "of them more than 0."
        )
    if rank and first.queries:
        raise AdapterError("A release keeps its tuned queries whole, to be right on every checkpoint: choose rank 0.")


def _kind(adapter: MotionAdapter) -> dict[str, object]:
    whole = {name: tuple(value.shape) for name, value in whole_matrices(adapter.tensors, shapes_only=True).items()}
    return {
        "method": adapter.method,
        "base": adapter.metadata.get("base", "unknown"),
        "group norm": "joint" if adapter.joint_norm else "per frame",
        "recurrence": adapter.recurrence or "none",
        "split": adapter.split,
        "convolution": adapter.convolution,
        "first frame": "learnt" if adapter.learnt_first_frames else "given",
        "release": bool(adapter.queries),
        "number of layers": len(whole),
        "sizes": hash(tuple(sorted(whole.items()))),
    }


def _mean(values: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    return torch.stack([share * value.float() for share, value in zip(shares, values, strict=True)]).sum(dim=0)


def whole_matrices(tensors: Mapping[str, Tensor], shapes_only: bool = False) -> dict[str, Tensor]:
    """An adapter's tensors with every pair of thin matrices as the one they stand for; shapes_only: on no device."""
    found = {}
    for name, value in tensors.items():
        if name.endswith(_DOWN):
            stem = name.removesuffix(_DOWN)
            up, down = tensors[f"{stem}{_UP}"].float(), value.float()
            up, down = (up.to("meta"), down.to("meta")) if shapes_only else (up, down)
            found[f"{stem}.weight"] = (up.flatten(1) @ down.flatten(1)).unflatten(1, down.shape[1:])
        elif ".up." not in name:
            found[name] = value
        elif name.endswith(".up.bias"):
            found[name.replace(".up.bias", ".bias")] = value
    return found


def thin_matrices(tensors: Mapping[str, Tensor], rank: int) -> tuple[dict[str, Tensor], list[float]]:
    """The inverse, by singular values: the nearest pair of that rank for every matrix (linear layers, and convolutions
    over the frames), and how far each is off, as a share of its norm.
    """
    found, errors = {}, []
    for name, value in tensors.items():
        stem = name.removesuffix(".weight")
        if name.endswith(".weight") and value.ndim in (2, 3):
            matrix = value.float().flatten(1)
            left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
            kept, root = min(rank, len(sizes)), sizes[:rank].sqrt()
            down, up = matrix.new_zeros(rank, matrix.shape[1]), matrix.new_zeros(len(matrix), rank)
            down[:kept], up[:, :kept] = root[:, None] * right[:kept], left[:, :kept] * root
            found[f"{stem}{_DOWN}"] = down.unflatten(1, value.shape[1:])
            found[f"{stem}{_UP}"] = up[..., None] if value.ndim == 3 else up
            errors.append(float(sizes[rank:].norm() / sizes.norm().clamp_min(1e-12)))
        elif name.endswith(".bias") and (there := tensors.get(name.replace(".bias", ".weight"))) is not None:
            is_thin = there.ndim in (2, 3)
            found[name.replace(".bias", ".up.bias") if is_thin else name] = value
        else:
            found[name] = value
    return found, errors
