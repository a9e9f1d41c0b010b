"""What happens to files when things go wrong: damaged ones read, processes killed in the middle of a save, several at
once on one output folder, a full disk, a folder nobody may write to. `python3 dev faults` measures it and writes
docs/reliability.md's figures; imported where ComfyUI and the pack are in the process (inside.py), on Linux or macOS.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import folder_paths
import torch
from few_shot_motion.host.files import folders, table_file
from few_shot_motion.motion_modules import writing
from few_shot_motion.motion_modules.adapter import AdapterError
from few_shot_motion.motion_modules.weights import read_weights
from few_shot_motion.motion_modules.writing import tensors_to, write_numbered, write_whole

from dev import disks, mutants, mutations, reliability, training_faults

ENTRY = {"title": "t", "numbers": {"a": 1.5}, "how": ["h"], "videos": "1", "per frame": {}}
SIZE = 2_000_000  # numbers of a file that is being written when its process is killed


def damaged(folder: Path, cases: int, seed: int) -> Counter:
    """Read `cases` files of all kinds with one thing wrong in each."""
    kinds, found = mutants.kinds(folder), Counter()
    for name, kind in kinds.items():
        file, _ = mutations.write(kind, folder, None)
        if mutations.outcome(kind, file)[0] != "read":
            raise SystemExit(f"a whole {name} is not read: {mutations.outcome(kind, file)[1]}")
    for i in range(cases):
        name = list(kinds)[i % len(kinds)]
        file, what = mutations.write(kinds[name], folder, seed + i)
        how, text = mutations.outcome(kinds[name], file)
        found[name, how] += 1
        if how == "raw":
            print(f"raw: {name}, case {seed + i}, {what}: {text[:500]}", flush=True)
    return found


def child(work: Callable[[], object]) -> int:
    """The id of a process that does this work and ends."""
    sys.stdout.flush()
    if process := os.fork():
        return process
    try:
        work()
    finally:
        os._exit(0)


def killed(folder: Path, moments: int, inside: int, seed: int) -> Counter:
    """Kill a process that saves in a loop: at `moments` random times, and `inside` times between two of its writes."""
    draw, found = random.Random(seed), Counter()
    for i in range(moments + inside):
        process = child(partial(_save_for_ever, folder, i))
        if i < moments:
            time.sleep(draw.uniform(0.01, 0.4))
        else:  # the temporary file is there: it is in the middle of a save
            _wait(lambda: any(folder.rglob(writing.PART.format("*"))))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        found["killed"] += 1
        found["killed in the middle of a save"] += any(folder.rglob(writing.PART.format("*")))
        _look(folder, found)
    return found


def _save_for_ever(folder: Path, turn: int) -> None:
    tensors = {"x": torch.full((SIZE,), float(turn))}
    while True:
        write_whole(folder / "kept.safetensors", tensors_to(tensors, {}))
        table_file.add("kept", ENTRY)
        write_numbered(folders.new_files("rain"), tensors_to({"x": torch.zeros(8)}, {}))


def _look(folder: Path, found: Counter) -> None:
    """Count what is torn, lost or left over after a kill, and after the next write."""
    for file in folder.rglob("*.safetensors"):
        if not file.name.startswith("."):
            try:
                value = read_weights(file).tensors["x"]
                found["torn"] += not bool((value == value[0]).all())
            except AdapterError:
                found["torn"] += 1
    table = folder / "metrics" / "kept.json"
    before = len(json.loads(table.read_text())) if table.exists() else 0
    table_file.add("kept", ENTRY)
    lines = table.with_suffix(".csv").read_text().splitlines()
    found["rows lost"] += before + 1 - len(json.loads(table.read_text()))
    found["tables apart"] += len(lines) != before + 2
    for part in folder.rglob(writing.PART.format("*")):
        os.utime(part, (0, 0))  # as if the hour after which it is nobody's had passed
    write_whole(folder / "next.txt", lambda part: part.write_text("next"))
    write_whole(folders.saved_folder() / "next.txt", lambda part: part.write_text("next"))
    table_file.add("kept", ENTRY)
    found["left over"] += len(list(folder.rglob(writing.PART.format("*"))))


def _wait(for_what: Callable[[], bool]) -> None:
    end = time.monotonic() + 600
    while not for_what():
        if time.monotonic() > end:
            raise SystemExit("the process that should be saving does not")


def crowded(folder: Path, rounds: int, writers: int = 2, each: int = 10) -> Counter:
    """`writers` processes at once, `each` rows and adapters from every one, in one table and under one prefix."""
    found = Counter()
    for turn in range(rounds):

        def work(turn: int = turn) -> None:
            for _ in range(each):
                table_file.add(f"rows{turn}", ENTRY)
                write_numbered(folders.new_files(f"snow{turn}"), tensors_to({"x": torch.zeros(8)}, {}))
                write_whole(folder / "same.safetensors", tensors_to({"x": torch.full((100_000,), os.getpid())}, {}))

        for process in [child(work) for _ in range(writers)]:
            os.waitpid(process, 0)
        entries = json.loads((folder / "metrics" / f"rows{turn}.json").read_text())
        lines = (folder / "metrics" / f"rows{turn}.csv").read_text().splitlines()
        found["rows asked for"] += writers * each
        found["rows lost"] += writers * each - min(len(entries), len(lines) - 1)
        found["adapters asked for"] += writers * each
        found["adapters lost"] += writers * each - len(list(folders.saved_folder().glob(f"snow{turn}_*")))
        same = read_weights(folder / "same.safetensors").tensors["x"]
        found["torn"] += not bool((same == same[0]).all())
    return found


def refused(folder: Path) -> dict[str, Counter]:
    """Saves on a disk of 4 MB and in folders nobody may write to: what stood there stands, and a sentence says why."""
    results = {}
    (folder / "small").mkdir()
    with disks.small_disk(folder / "small", 4) as how:
        results[f"full disk ({how})"] = _refuses(folder / "small", 3_000_000)
    locked = folder / "locked"
    locked.mkdir()
    if os.geteuid():
        results["read-only"] = _refuses(locked, 10, lambda: locked.chmod(0o500))
        locked.chmod(0o700)
    elif disks.mount("-t", "tmpfs", "none", locked):
        try:
            results["read-only"] = _refuses(locked, 10, lambda: disks.mount("-o", "remount,ro", locked))
        finally:
            subprocess.run(["umount", locked], check=True)
    return results


def _refuses(folder: Path, size: int, then: Callable[[], object] = lambda: None) -> Counter:
    found, file = Counter(), folder / "a.safetensors"
    write_whole(file, tensors_to({"x": torch.ones(10)}, {}))
    before = file.read_bytes()
    then()
    for save in (lambda write: write_whole(file, write),
                 lambda write: write_numbered((folder / f"b{i}" for i in range(9)), write)):  # fmt: skip
        try:
            save(tensors_to({"x": torch.zeros(size)}, {}))
            found["saved in spite of it"] += 1
        except AdapterError as error:
            found["sentence"] += "\n" not in str(error)
        except Exception as error:
            found[f"raw {type(error).__name__}"] += 1
        found["torn"] += file.read_bytes() != before
        found["left over"] += len(list(folder.iterdir())) - 1
    return found


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=500, help="damaged files to read")
    options.add_argument("--kills", type=int, default=30, help="kills at random moments; ten more in a save")
    options.add_argument("--rounds", type=int, default=10, help="rounds of two writers at once")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    torch.set_num_threads(1)  # a process that begins as a copy of this one has none of its threads
    warnings.simplefilter("ignore")  # torch's own, about pickles of another protocol
    results: dict[str, Counter] = {}
    with tempfile.TemporaryDirectory() as place:
        for name in ("damaged", "killed", "crowded", "refused"):
            (Path(place) / name).mkdir()
        results["damaged files"] = damaged(Path(place) / "damaged", given.cases, given.seed)
        for name, run in (("kills", lambda folder: killed(folder, given.kills, 10, given.seed)),
                          ("two writers", lambda folder: crowded(folder, given.rounds))):  # fmt: skip
            folder = Path(place) / ("killed" if name == "kills" else "crowded")
            folder_paths.set_output_directory(str(folder))
            results[name] = run(folder)
        results |= refused(Path(place) / "refused")
        results |= training_faults.tried(Path(place) / "trainings", max(1, given.rounds // 2), given.seed)
    text = reliability.figures(results, f"--cases {given.cases} --kills {given.kills} --rounds {given.rounds} "
                                        f"--seed {given.seed}")  # fmt: skip
    print(text)
    reliability.write(text)
    if reliability.failures(results):
        sys.exit(f"error: {', '.join(reliability.failures(results))}")
