"""What tells one method from another: where its layers sit, which layer a tensor belongs to, and how its module is
built.

A module of layers has `layers[path]`, the layer at a site; `key_frames`, which frames spatial self-attention takes keys
and values from (key_frames.py); `max_frames`, how many frames it can tell apart (None: any number); `weight_deltas()`,
what it adds to the UNet's own weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from . import modelscope
from .animatediff import TemporalTransformers, animatediff_sites, extent, row_of
from .module import MotionModule, site_of
from .sites import Site, block_sites, lamp_sites

if TYPE_CHECKING:
    from .adapter import MotionAdapter

MOTION_LORA = (
    "animatediff_lora"  # has no layers of its own: a change of a motion module's weights, see animatediff_lora.py
)
Layers = MotionModule | TemporalTransformers | modelscope.ModelScopeLayers
_BOTH = ("attn1", "attn2")


@dataclass(frozen=True)
class Method:
    """What a method adds to a UNet and where: all that loading, fitting and building an adapter asks about it."""

    title: str  # as its users call it
    sites: Callable[[Mapping[str, torch.Size]], list[Site]]
    site_of: Callable[[str], str]
    build: Callable[[MotionAdapter, Iterable[Site], Any], Layers]
    optional: Callable[[Site], bool]  # may an adapter leave this site out?


def _lamp(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return MotionModule(sites, adapter.rank, operations, adapter.split)


def _recurrent(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return MotionModule(sites, adapter.rank, operations, tuned=_BOTH, recurrence=adapter.recurrence)


def _tune_a_video(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return MotionModule(sites, adapter.rank, operations, key_frames=("first", "former"), tuned=_BOTH)


def _animatediff(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return TemporalTransformers(
        sites, **extent(adapter.tensors), joint_norm=adapter.joint_own_norm, operations=operations
    )


def _modelscope(adapter: MotionAdapter, sites: Iterable[Site], operations: Any) -> Layers:
    return modelscope.ModelScopeLayers(sites, modelscope.head_width(adapter.tensors), operations)


METHODS = {
    "lamp": Method("LAMP", lamp_sites, site_of, _lamp, optional=lambda site: True),
    "animatediff": Method(
        "AnimateDiff", animatediff_sites, row_of, _animatediff, optional=lambda site: site.path == "middle_block"
    ),
    "modelscope": Method(
        "ModelScope", modelscope.modelscope_sites, modelscope.site_of, _modelscope, optional=lambda site: False
    ),
    "recurrent": Method("Recurrent", lamp_sites, site_of, _recurrent, optional=lambda site: not site.is_block),
    "tune-a-video": Method("Tune-A-Video", block_sites, site_of, _tune_a_video, optional=lambda site: False),
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
    return module.requires_grad_(False).eval()
