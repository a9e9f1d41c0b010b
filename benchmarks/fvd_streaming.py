"""How long many videos take through Fréchet Video Distance on this CPU, and how much memory: `.venv/bin/python
benchmarks/fvd_streaming.py`.

Real video files of 16 frames of 256 x 256 are decoded one by one and seen by I3D with DeepMind's weights (fetched once,
about 47 MB). A few files are written and referred to many times over; each reference is decoded anew.
"""

import argparse
import importlib.util
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FRAMES, SIDE = 16, 256
FILES = 20
REFERENCE = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comfyui", type=Path, default=ROOT / ".dev" / "ComfyUI", metavar="DIR")
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--threads", type=int, help="all where nothing is said")
    options = parser.parse_args()
    sys.path[:1] = [str(options.comfyui.resolve()), str(ROOT / "miniature")]
    from comfy.cli_args import args

    args.cpu = True
    for name, folder in (("few_shot_motion", ROOT), ("dev", ROOT / "dev")):
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        sys.modules[name] = importlib.util.module_from_spec(spec)
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        measure(Path(scratch), options.videos, torch.get_num_threads())


def measure(scratch: Path, count: int, threads: int) -> None:
    import folder_paths
    import torch
    from comfy_api.latest import InputImpl
    from few_shot_motion.nodes.frechet_metrics import FrechetVideoDistance

    from dev import i3d_weights

    folder_paths.output_directory = str(scratch)
    weights = i3d_weights.prepare()
    folder_paths.add_model_folder_path("i3d", str(weights.parent))
    files = [write(scratch / f"{i}.mp4", i) for i in range(FILES)]
    videos, reference = ([InputImpl.VideoFromFile(str(files[i % FILES])) for i in range(n)] for n in (count, REFERENCE))
    before, start = peak_memory(), time.monotonic()
    given = {
        "i3d": weights.name,
        "frames": FRAMES,
        "kept_reference": "none",
        "keep_reference_as": "",
        "resamples": 0,
        "table": "",
    }
    with torch.inference_mode():
        found = FrechetVideoDistance.execute(
            videos=videos, reference=reference, **{key: [value] for key, value in given.items()}
        )
    seconds = time.monotonic() - start
    print(found.args[3])
    print(f"{count} videos and {REFERENCE} to compare with, {FRAMES} frames of {SIDE}x{SIDE}: {seconds:.0f} s on "
          f"{threads} threads, "
          f"{seconds / (count + REFERENCE):.2f} s each; peak memory {peak_memory():.2f} GB, {before:.2f} GB before the "
          "first video")  # fmt: skip


def write(file: Path, seed: int) -> Path:
    """Smooth random colours that drift."""
    import clips
    import torch

    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 9, 9, generator=generator)
    whole = torch.nn.functional.interpolate(small, (SIDE + 4 * FRAMES,) * 2, mode="bicubic")[0].clamp(0, 1)
    frames = torch.stack([whole[:, 4 * i : 4 * i + SIDE, 2 * i : 2 * i + SIDE] for i in range(FRAMES)])
    clips.write_clip(file, (frames * 255).round().byte().movedim(1, -1).contiguous().numpy())
    return file


def peak_memory() -> float:
    """GB, of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


if __name__ == "__main__":
    main()
