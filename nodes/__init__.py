"""The nodes, as ComfyUI lists them, and the folders of models they read."""

from comfy_api.latest import ComfyExtension

from ..host.files import folders
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

NODES = [
    *motion.NODES,
    *modelscope.NODES,
    *sampling.NODES,
    *frame_noise.NODES,
    *inversion.NODES,
    *repeat_and_slide.NODES,
    *text_to_video_zero.NODES,
    *clips.NODES,
    *training.NODES,
    *training_settings.NODES,
    *masks.NODES,
    *merging.NODES,
    *metrics.NODES,
]
folders.register()
video_features.register()


class FewShotMotion(ComfyExtension):
    """The pack as ComfyUI sees it."""

    async def get_node_list(self) -> list:
        """The node classes, in the order of the menu's rooms."""
        return NODES
