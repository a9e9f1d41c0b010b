"""ComfyUI's side of the pack: nodes, and the only room that imports ComfyUI."""

from . import folders, metrics, motion, repeat_and_slide, sampling, training

NODES = [*motion.NODES, *sampling.NODES, *repeat_and_slide.NODES, *training.NODES, *metrics.NODES]
folders.register()
