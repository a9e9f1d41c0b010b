"""The nodes, as ComfyUI lists them, and the folders of models they read."""

from ..host.files import folders
from ..host.metrics import video_features
from . import (
    frame_noise,
    inversion,
    masks,
    metrics,
    modelscope,
    motion,
    repeat_and_slide,
    sampling,
    text_to_video_zero,
    training,
)

NODES = [
    *motion.NODES,
    *modelscope.NODES,
    *sampling.NODES,
    *frame_noise.NODES,
    *inversion.NODES,
    *repeat_and_slide.NODES,
    *text_to_video_zero.NODES,
    *training.NODES,
    *masks.NODES,
    *metrics.NODES,
]
folders.register()
video_features.register()
