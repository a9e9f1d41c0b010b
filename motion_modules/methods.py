"""What tells one method from another: where its layers sit, which layer a tensor belongs to, how its module is built,
and whether an adapter fits a UNet.

A module of layers has `layers[path]`, the layer at a site; `key_frames`, which frames spatial self-attention takes keys
and values from (key_frames.py); `max_frames`, how many frames it can tell apart (None: any number); `weight_deltas()`,
what it adds to the UNet's own weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from . import modelscope
from .adapter import AdapterError, MotionAdapter
from .animatediff import TemporalTransformers, animatediff_sites, extent, row_of
from .frame_conv import lay_out
from .module import MotionModule, site_of
from .sites import Site, block_sites, lamp_sites

MOTION_LORA = (
    "animatediff_lora"  # has no layers of its own: a change of a motion module's weights, see animatediff_lora.py
)
Layers = MotionModule | TemporalTransformers | modelscope.ModelScopeLayers
_BOTH = ("attn1", "attn2")
_FAMILY = re.compile(r"Stable Diffusion \d|ModelScope")  # families whose UNets have the same sizes


@dataclass(frozen=True)
class Method:
    """What a method adds to a UNet and where: all that loading, fitting and building an adapter asks about it; what its
    users call it stands in adapter.TITLES.
    """

    sites: Callable[[Mapping[str, torch.Size]], list[Site]]
    site_of: Callable[[str], str]
    build: Callable[[MotionAdapter, Iterable[Site], Any], Layers]
    optional: Callable[[Site], bool]  # may an adapter leave this site out?


def _lamp(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return MotionModule(sites, adapter.rank, operations, adapter.split, centred=adapter.centred)


def _recurrent(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return MotionModule(sites, adapter.rank, operations, tuned=_BOTH, recurrence=adapter.recurrence,
                        centred=adapter.centred)  # fmt: skip


def _tune_a_video(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return MotionModule(sites, adapter.rank, operations, key_frames=("first", "former"), tuned=_BOTH)


def _animatediff(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return TemporalTransformers(
        sites, **extent(adapter.tensors), joint_norm=adapter.joint_own_norm, operations=operations
    )


def _modelscope(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return modelscope.ModelScopeLayers(sites, modelscope.head_width(adapter.tensors), operations)


METHODS = {
    "lamp": Method(lamp_sites, site_of, _lamp, optional=lambda site: True),
    "animatediff": Method(animatediff_sites, row_of, _animatediff, optional=lambda site: site.path == "middle_block"),
    "modelscope": Method(modelscope.modelscope_sites, modelscope.site_of, _modelscope, optional=lambda site: False),
    "recurrent": Method(lamp_sites, site_of, _recurrent, optional=lambda site: not site.is_block),
    "tune-a-video": Method(block_sites, site_of, _tune_a_video, optional=lambda site: False),
}


def place(adapter: MotionAdapter, sites: Iterable[Site], dtype: torch.dtype, operations: Any = nn) -> Layers:
    """An adapter's layers to run, its tensors in them; only sites the adapter has get a layer."""
    method = METHODS[adapter.method]
    has = {method.site_of(name) for name in adapter.tensors}
    with torch.device("meta"):
        module = method.build(adapter, [site for site in sites if site.path in has], operations)
    tensors = {
        name: tensor.to(torch.float32 if name.endswith(".pe") else dtype) for name, tensor in adapter.tensors.items()
    }
    module.load_state_dict(tensors, assign=True)
    lay_out(module)
    return module.requires_grad_(False).eval()


def check_fits(adapter: MotionAdapter, sites: list[Site], base: str) -> None:
    """Raise AdapterError where an adapter has layers this UNet has no place for; `base` names the UNet's family."""
    method, made_for = METHODS[adapter.method], adapter.metadata.get("base", "another model")
    try:
        with torch.device("meta"):
            built = method.build(adapter, sites, torch.nn)
    except (LookupError, ValueError, ArithmeticError, RuntimeError) as error:
        raise AdapterError(
            f"This adapter's {len(adapter.tensors)} tensors, {next(iter(adapter.tensors))} for one, do not tell how "
            "large its layers are: download it or train it again."
        ) from error
    places = {name: tuple(value.shape) for name, value in built.state_dict().items()}
    for name, tensor in adapter.tensors.items():
        if places.get(name) != tuple(tensor.shape):
            place = places.get(name, "no such layer")
            raise AdapterError(
                f"This adapter was made for {made_for}, the model is {base}: its {name} is {tuple(tensor.shape)}, the "
                f"model has {place} there. "
                "Load the checkpoint family it was trained on, or train an adapter for this one."
            )
    has = {method.site_of(name) for name in adapter.tensors}
    if lacking := [name for name in places if method.site_of(name) in has and name not in adapter.tensors]:
        raise AdapterError(
            f"This adapter is incomplete: {lacking[0]} is missing in it, and {len(lacking) - 1} tensors more. Download "
            "it or train it again."
        )
    if lacking := [site.path for site in sites if site.path not in has and not method.optional(site)]:
        raise AdapterError(
            f"This adapter was made for {made_for}, the model is {base}: it has no layer for {len(lacking)} of the "
            "model's rows, "
            f"{lacking[0]} for one. Load the checkpoint family it was trained on, or download the file again."
        )
    families = [found[0] for name in (made_for, base) if (found := _FAMILY.match(name))]
    if len(families) == 2 and families[0] != families[1]:
        raise AdapterError(
            f"This adapter was made for {made_for}, the model is {base}: its layers have the right sizes, but were "
            "trained on other features. "
            "Load the checkpoint family it was trained on, or train an adapter for this one."
        )
