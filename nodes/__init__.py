"""ComfyUI's side of the pack: nodes, and the only room that imports ComfyUI."""

from . import folders, metrics, modelscope, motion, repeat_and_slide, sampling, training

NODES = [*motion.NODES, *modelscope.NODES, *sampling.NODES, *repeat_and_slide.NODES, *training.NODES, *metrics.NODES]
folders.register()
