"""ComfyUI's side of the pack: nodes, and the only room that imports ComfyUI."""

from ..host.files import folders
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
