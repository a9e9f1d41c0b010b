"""ComfyUI's side of the pack: nodes, and the only room that imports ComfyUI."""

from . import folders, frame_noise, metrics, modelscope, motion, repeat_and_slide, sampling, training

NODES = [
    *motion.NODES,
    *modelscope.NODES,
    *sampling.NODES,
    *frame_noise.NODES,
    *repeat_and_slide.NODES,
    *training.NODES,
    *metrics.NODES,
]
folders.register()
