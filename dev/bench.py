"""How fast and how large the pack is at the width of real models: counted on no device, timed on this one, beside the
image model in the same process; docs/performance.md.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path

from . import archives, interpreter
from .benching.cases import CASES
from .benching.page import page
from .trouble import Trouble

PAGE = interpreter.ROOT / "docs" / "performance.md"
RESULTS = interpreter.STATE / "bench.json"
COUNTED = {"counts": "dev.benching.counts", "waits": "dev.benching.waiting"}


def run(comfyui: Path, words: list[str]) -> None:
    """Count and time everything, or what is named; what was made before stays in the page."""
    parser = argparse.ArgumentParser(prog="python3 dev bench", allow_abbrev=False)
    parser.add_argument(
        "--only",
        nargs="*",
        metavar="WORD",
        help="cases whose names hold one of these, counts, waits, recurrent; none: the page alone",
    )
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(words)  # fmt: skip
    archives.fetch(archives.DIFFUSERS)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name, script in COUNTED.items():
        if _wanted(options, name):
            lines = _inside(comfyui, script)
            known[name] = [json.loads(line) for line in lines if line.startswith("{")]
            _keep(known)
    if _wanted(options, "recurrent attention"):
        known["recurrent"] = _recurrent(options.repeats)
        _keep(known)
    for case in CASES:
        if _wanted(options, case.name):
            print(case.name, flush=True)
            lines = _inside(comfyui, case.script, *case.words, "--repeats", options.repeats)
            known.setdefault("cases", {})[case.name] = json.loads(lines[-1])
            print(f"  {lines[-1]}", flush=True)
            _keep(known)
    PAGE.write_text(page(known), encoding="utf-8")
    print(f"Written: {PAGE.relative_to(interpreter.ROOT)}")


def _recurrent(repeats: int) -> list[list[str]]:
    """Rows of one self-attention, from what benchmarks/recurrent_cost.py prints."""
    script = interpreter.ROOT / "benchmarks" / "recurrent_cost.py"
    lines = _said(["-W", "ignore", script, "--runs", repeats])
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("|")]
    at = [rows[0].index(name) for name in (rows[0][0], "sparse-causal", "fixed")]
    return [[row[at[0]], row[at[1]].split(", ")[0], *row[at[2]].split(", ")] for row in rows[2:]]


def _wanted(options: argparse.Namespace, name: str) -> bool:
    return options.only is None or any(word.lower() in name.lower() for word in options.only)


def _keep(known: dict) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=1), encoding="utf-8")


def _inside(comfyui: Path, script: str, *words: object) -> list[str]:
    """What a script in ComfyUI's Python prints."""
    return _said([Path(__file__).with_name("inside.py"), comfyui, script, *words])


def _said(words: list) -> list[str]:
    """What Python prints, on one thread. Raises Trouble where it fails."""
    done = subprocess.run([interpreter.PYTHON, *map(str, words)], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    if done.returncode or not done.stdout.strip():
        raise Trouble(f"{' '.join(map(str, words))} failed:\n{done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()
