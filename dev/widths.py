"""Every shipped workflow once at the width of real models, with weights nobody trained, on this machine's device or
CPU: that it runs, that all it gives is finite, and what memory it takes beside what a training said before.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import base, interpreter, markdown, performance_page, samples, server, small_runs, width_prompts
from .trouble import Trouble
from .width_prompts import FRAMES, RUNS, Wide

FOLDER = interpreter.STATE / "widths"
_SAID = re.compile(r"Training takes about ([\d.]+) GiB")
_TROUBLE = "failed"


def run(comfyui: Path, words: list[str]) -> None:
    """Run what was not run yet, or what is named, and write the table."""
    parser = argparse.ArgumentParser(prog="python3 dev widths", allow_abbrev=False)
    parser.add_argument("names", nargs="*", help="workflows whose titles hold one of these, anew; else what lacks")
    parser.add_argument("--anew", action="store_true", help="all of them anew")
    options = parser.parse_args(words)
    if sys.platform != "linux":
        raise Trouble("A server's memory is read from /proc here: run this on Linux")
    (FOLDER / "results").mkdir(parents=True, exist_ok=True)
    _furnish(FOLDER / "base")
    for wide in RUNS:
        file = _kept(wide)
        named = any(name in wide.title for name in options.names)
        if named or not options.names and (options.anew or not file.exists()):
            found = _tried(comfyui, wide)
            file.write_text(json.dumps(found), encoding="utf-8")
            print(f"{wide.title}: {_words(found)}", flush=True)
    known = {wide.title: json.loads(file.read_text(encoding="utf-8")) for wide in RUNS
             if (file := _kept(wide)).exists()}  # fmt: skip
    performance_page.write(_table(known), "widths")
    if wrong := [title for title, found in known.items() if _TROUBLE in found or not found["finite"]]:
        raise Trouble(f"not all workflows ran to finite numbers: {'; '.join(wrong)}")


def _kept(wide: Wide) -> Path:
    return FOLDER / "results" / f"{wide.title.replace(', ', '-').replace(' ', '_')}.json"


def _furnish(folder: Path) -> None:
    """A base directory with pack, clips, pictures and witness."""
    base.prepare(folder)
    sys.path.append(str(base.MINIATURE))
    import clips  # of the miniature, needs .venv

    places = folder / "input" / "my_clips", folder / "input" / "my_masks"
    if not places[0].exists():
        clips.write_training_set(places[0], "moves right", count=2, frames=FRAMES, masks=places[1])
    samples.fill(folder / "input")
    samples.link_weights(folder / "models")
    base.link(interpreter.ROOT / "dev" / "witness.py", folder / "custom_nodes" / "witness.py")


def _tried(comfyui: Path, wide: Wide) -> dict:
    """A run on a server of its own: bytes before and at most, what a training said, whether all is finite."""
    folder = FOLDER / "base"
    made = width_prompts.prompt_of(wide)
    _make(comfyui, folder / "models", width_prompts.files_of(made))
    shutil.rmtree(folder / "output", ignore_errors=True)
    with server.running(comfyui, folder, flags=wide.flags) as running:
        process = Path("/proc") / str(running.process.pid)
        (process / "clear_refs").write_text("5", encoding="utf-8")  # the peak begins here
        found: dict = {"before": _memory(process, "VmRSS")}
        try:
            outputs = running.client.run(made)
            told = small_runs.told(outputs)
            found |= {"finite": told.finite, "looked at": len(told.digits)}
        except Trouble as trouble:
            found[_TROUBLE] = str(trouble)
        found["peak"] = _memory(process, "VmHWM")
        if said := _SAID.findall(running.log_text()):
            found["said"] = float(said[-1]) * 2**30
    return found


def _make(comfyui: Path, models: Path, names: list[str]) -> None:
    lacking = [name for name in names if not (models / name).exists()]
    if lacking:
        script = Path(__file__).with_name("inside.py")
        command = [interpreter.PYTHON, script, comfyui, "dev.benching.width_files", models, *lacking]
        subprocess.run([str(word) for word in command], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def _memory(process: Path, name: str) -> int:
    """Bytes that a line of a process' status names."""
    lines = dict(line.split(":", 1) for line in (process / "status").read_text(encoding="utf-8").splitlines())
    return int(lines[name].split()[0]) * 1024


def _words(found: dict) -> str:
    if _TROUBLE in found:
        return f"failed: {found[_TROUBLE]}"
    said = f", a training said {found['said'] / 2**30:.2f} GiB" if "said" in found else ""
    finite = "all finite" if found["finite"] else "NOT FINITE"
    return f"{found['looked at']} results, {finite}, at most {found['peak'] / 2**30:.2f} GiB{said}"


def _table(known: dict[str, dict]) -> str:
    rows = []
    for title, found in known.items():
        verdict = _TROUBLE if _TROUBLE in found else "finite" if found["finite"] else "NOT FINITE"
        said = f"{found['said'] / 2**30:.2f}" if "said" in found else ""
        rows.append([title, str(found.get("looked at", "")), verdict, f"{found['before'] / 2**30:.2f}",
                     f"{found['peak'] / 2**30:.2f}", said])  # fmt: skip
    head = ["template", "results", "numbers", "server before, GiB", "at most, GiB", "the training said, GiB"]
    return f"`python3 dev widths`:\n\n{markdown.table(head, rows)}"
