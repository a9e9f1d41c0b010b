"""ComfyUI's side of the pack: nodes, and the only room that imports ComfyUI."""

from . import folders, motion, sampling, training

NODES = [*motion.NODES, *sampling.NODES, *training.NODES]
folders.register()
