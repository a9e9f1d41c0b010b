"""The nodes, as ComfyUI lists them, and the folders of models they read."""

from comfy_api.latest import ComfyExtension

from ..host.files import folders
from ..host.inputs.gate import checked
from ..host.metrics import video_features
from . import (
    clips,
    frame_noise,
    inversion,
    masks,
    merging,
    metrics,
    modelscope,
    motion,
    repeat_and_slide,
    sampling,
    text_to_video_zero,
    training,
    training_settings,
)

_FAMILIES = [
    motion,
    modelscope,
    sampling,
    frame_noise,
    inversion,
    repeat_and_slide,
    text_to_video_zero,
    clips,
    training,
    training_settings,
    masks,
    merging,
    metrics,
]
NODES = [checked(node) for family in _FAMILIES for node in family.NODES]
folders.register()
video_features.register()


class FewShotMotion(ComfyExtension):
    """The pack as ComfyUI sees it."""

    async def get_node_list(self) -> list:
        """The node classes, in the order of the menu's rooms."""
        return NODES
