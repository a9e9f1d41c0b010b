"""How fast and how large the pack is at the width of real models: counted on no device, timed on this one, beside the
image model in the same process; docs/performance.md.
"""

import argparse
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import archives, interpreter, markdown
from .trouble import Trouble

PAGE = interpreter.ROOT / "docs" / "performance.md"
RESULTS = interpreter.STATE / "bench.json"
DIFFUSERS = "diffusers' UNetMotionModel"
CASES = (  # family, motion, clips, more words; each takes at most 7 GB where ComfyUI computes in fp32
    ("SD 1.5", "LAMP", 1, ()),
    ("SD 1.5", "LAMP", 2, ()),
    ("SD 1.5", "LAMP rank 32", 1, ()),
    ("SD 1.5", "LAMP rank 32", 2, ()),
    ("SD 1.5", "AnimateDiff v2", 1, ()),
    ("SD 1.5", DIFFUSERS, 1, ()),
    ("SD 1.5", "Recurrent", 1, ()),
    ("SD 1.5", "Tune-A-Video", 1, ()),
    ("SD 1.5", "Text2Video-Zero", 1, ()),
    ("ModelScope", "ModelScope", 1, ()),
    ("SD 1.5", "training: LAMP rank 32", 1, ()),
    ("SD 1.5", "training: LAMP rank 32", 1, ("--checkpointing",)),
    ("SD 1.5", "training: LAMP", 1, ("--checkpointing",)),
    ("SD 1.5", "training: Recurrent rank 32", 1, ()),
    ("SD 1.5", "training: Tune-A-Video rank 32", 1, ()),
)


def run(comfyui: Path, words: list[str]) -> None:
    """Count and time everything, or what is named; what was made before stays in the page."""
    parser = argparse.ArgumentParser(prog="python3 dev bench", allow_abbrev=False)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="cases whose names hold one of these; counts: count")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(16, 16), help="height and width in latents, 8 px each")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(words)
    archives.fetch(archives.DIFFUSERS)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if _wanted(options, "counts"):
        lines = _inside(comfyui, "dev.benching.counts")
        known["counts"] = [json.loads(line) for line in lines if line.startswith("{")]
        _keep(known)
    clip = ["--frames", options.frames, "--size", *options.size, "--repeats", options.repeats]
    for family, motion, clips, more in CASES:
        name = f"{family}: {motion}, {clips} clip{'s' * (clips > 1)}{', checkpointing' if more else ''}"
        if _wanted(options, name):
            print(name, flush=True)
            script = "dev.benching.peer" if motion == DIFFUSERS else "dev.benching.case"
            lines = _inside(comfyui, script, motion, "--family", family, "--clips", clips, *clip, *more)
            known.setdefault("cases", {})[name] = {**json.loads(lines[-1]), "frames": options.frames,
                                                   "size": list(options.size)}  # fmt: skip
            print(f"  {_said(known['cases'][name])}", flush=True)
            _keep(known)
    PAGE.write_text(_page(known), encoding="utf-8")
    print(f"Written: {PAGE.relative_to(interpreter.ROOT)}")


def _wanted(options: argparse.Namespace, name: str) -> bool:
    return not options.only or any(word.lower() in name.lower() for word in options.only)


def _keep(known: dict) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=1), encoding="utf-8")


def _inside(comfyui: Path, script: str, *words: object) -> list[str]:
    """What a script in ComfyUI's Python prints, on one thread. Raises Trouble where it fails."""
    command = [interpreter.PYTHON, Path(__file__).with_name("inside.py"), comfyui, script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode or not done.stdout.strip():
        raise Trouble(f"{script} {' '.join(map(str, words))} failed:\n{done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()


def _said(found: dict) -> str:
    return f"{found['seconds']:.2f} s, {found['ratio']:.2f} times the image model's; peak memory {_gb(found, 'peak')}"


def _gb(found: dict, key: str) -> str:
    return f"{found[key] / 1e9:.2f} GB" if key in found else "–"


def _page(known: dict) -> str:
    counts = [["model", "motion", "kernels", "", "memory traffic", ""], *_count_rows(known.get("counts", []))]
    times = [["case", "frames x latent", "seconds", "times the image model", "peak memory", "image model's peak"]]
    for name, found in known.get("cases", {}).items():
        size = f"{found['frames']}x{found['size'][0]}x{found['size'][1]}"
        times.append([name, size, f"{found['seconds']:.2f}", f"{found['ratio']:.2f}", _gb(found, "peak"),
                      _gb(found, "plain_peak")])  # fmt: skip
    words = Path(__file__).with_name("benching") / "performance.md"
    return (words.read_text(encoding="utf-8").replace("{counts}\n", markdown.table(counts[0], counts[1:]))
            .replace("{times}\n", markdown.table(times[0], times[1:])))  # fmt: skip


def _count_rows(counts: list[dict]) -> Iterator[list[str]]:
    """A row for each motion, of one clip and two."""
    pairs = {}
    for found in counts:
        pairs.setdefault((found["family"], found["motion"]), []).append(found)
    for (family, motion), both in pairs.items():
        kernels, gib = ([found[key] for found in both] for key in ("kernels", "bytes"))
        more, heavier = ([found[key] for found in both] for key in ("more_kernels", "more_bytes"))
        yield [family, motion, " / ".join(f"{n:,}" for n in kernels), " / ".join(f"{share:.2f}" for share in more),
               " / ".join(f"{n / 2**30:.1f}" for n in gib) + " GiB",
               " / ".join(f"{share:.2f}" for share in heavier)]  # fmt: skip
