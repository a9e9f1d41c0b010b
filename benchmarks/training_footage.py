"""What reading clips for a training takes of main memory: long videos of a phone's size, a few frames at a time.

    .venv/bin/python benchmarks/training_footage.py COMFYUI [clips] [seconds]

Draws one video of 1920x1080 at 30 fps with a drifting pattern, reads it as that many clips at 8 fps and 512x320 as
Train Motion LoRA does, with a VAE that only averages, and prints the most memory the process has held.
"""

import importlib.util
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT, FPS = 1920, 1080, 30


def main(comfyui: str, clips: int = 16, seconds: int = 30) -> None:
    sys.path[:1] = [comfyui]  # in place of this folder
    import comfy.cli_args
    import torch

    torch.set_num_threads(1)
    comfy.cli_args.args.cpu = True
    spec: Any = importlib.util.spec_from_file_location(
        "few_shot_motion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    sys.modules["few_shot_motion"] = importlib.util.module_from_spec(spec)
    from comfy_api.latest import InputImpl
    from few_shot_motion.host.training.footage import Footage  # pyright: ignore

    with tempfile.TemporaryDirectory() as folder:
        file = _drawn(Path(folder) / "clip.mp4", seconds)
        before, start, kept = _peak(), time.monotonic(), []
        for number in range(1, clips + 1):
            footage = Footage(InputImpl.VideoFromFile(str(file)), number, 1, 8.0, (512, 320))
            latents = [torch.nn.functional.avg_pool2d(chunk.movedim(-1, 1), 8) for chunk in footage.chunks()]
            kept.append(torch.cat(latents))
        taken = time.monotonic() - start
    shape = tuple(kept[0].shape)
    print(
        f"{clips} clips of {seconds} s, {WIDTH}x{HEIGHT}: latents {shape} each, {taken / clips:.1f} s a clip, most "
        f"memory {_peak():.2f} GiB, {before:.2f} before"
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _drawn(file: Path, seconds: int) -> Path:
    import av
    import numpy as np

    y, x = np.mgrid[:HEIGHT, :WIDTH]
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "28"})
        stream.width, stream.height = WIDTH, HEIGHT
        for i in range(seconds * FPS):
            grey = ((x + 8 * i) // 64 + y // 64) % 2 * 180 + 40
            picture = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
