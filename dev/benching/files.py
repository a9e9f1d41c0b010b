"""Writing and reading an adapter's file at the width of real models: prints a JSON line, seconds of the processor."""

import json
import statistics
import tempfile
from pathlib import Path

import torch
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.released import load_adapter

from .case import parser, seconds_of
from .cases import FILES
from .real_widths import adapter, image_model


def main() -> None:
    """Save an adapter in half precision as the nodes do, load it, by turns."""
    options, device = parser().parse_args(), torch.device("cpu")
    motion = options.motion.removeprefix(FILES)
    learnt = adapter(image_model(options.family, torch.float32, "cpu"), motion)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "adapter.safetensors")
        turns = [[seconds_of(lambda: save_adapter(learnt, file), device), seconds_of(lambda: _load(file), device)]
                 for _ in range(options.repeats + 1)][1:]  # fmt: skip
        size = file.stat().st_size
    saved, loaded = (statistics.median(times) for times in zip(*turns, strict=True))
    print(json.dumps({"save": saved, "load": loaded, "bytes": size}))


def _load(file: Path) -> None:
    """Read, and looked at for values that are no numbers."""
    load_adapter(file, lambda name, shape: torch.zeros(*shape))
