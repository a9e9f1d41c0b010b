"""One table over adapters x prompts x seeds: each video is made and measured by a ComfyUI server, the miniature's or
one's own, or by several.

    python3 dev compare                                            # the miniature, its adapters and none
    python3 dev compare --server http://127.0.0.1:8188 --adapters rain_00001_.safetensors none --seeds 1 2 3 \\
        --prompts "a horse in the rain" "a car in the rain" --set "Checkpoint.ckpt_name=sd15.safetensors"
        "Sampler.steps=20"

It queues the upper row of the workflow compare_adapters. Whatever else of it should have another value goes behind
--set, by the node's title. Several --server share the work; each needs the same files. What is finished is in the table
already when something goes wrong.
"""

import argparse
import itertools
import json
import queue
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import base, compare_report, prompt, second_opinion, server
from .client import Client, Prompt
from .frames import fetched
from .interpreter import STATE
from .trouble import Trouble

NONE = "none"
MEASURED = ("Numbers", "Flicker", "First-frame jump")  # titles in the workflow
MINIATURE = {"Checkpoint.ckpt_name": base.WEIGHTS.name, "Size.width": 128, "Size.height": 128,
             "First frame sampler.cfg": 3.0,
             "First frame sampler.steps": 20, "Sampler.steps": 10, "Sampler.cfg": 2.0,
             "Numbers.clip_file": "miniature_clip.safetensors"}  # fmt: skip
PROMPTS = (
    "a red ball on grass moves right",
    "a purple ring on sand moves right",
    "a blue box on snow falls",
    "a yellow cross on stone falls",
)

LAMP = json.loads((Path(__file__).parent / "lamp_prompts.json").read_text(encoding="utf-8"))  # motion -> its prompts


class Job(NamedTuple):
    """One video to make; the adapter as Load Motion Adapter lists it, or NONE."""

    adapter: str
    prompt: str
    seed: int


def options_of(words: list[str]) -> argparse.Namespace:
    """The command's words, read; ends with usage where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python3 dev compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--server", action="append", default=[], metavar="URL", help="a running ComfyUI; may be given several times"
    )
    parser.add_argument(
        "--adapters", nargs="+", metavar="NAME", help=f"as Load Motion Adapter lists them; {NONE}: the bare image model"
    )
    prompts = parser.add_mutually_exclusive_group()
    prompts.add_argument("--prompts", nargs="+", metavar="TEXT")
    prompts.add_argument("--lamp", nargs="+", choices=[*LAMP], metavar="MOTION",
                         help=f"the six prompts LAMP was evaluated with, for each of {', '.join(LAMP)}")  # fmt: skip
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument(
        "--set", nargs="+", type=_setting, default=[], metavar="TITLE.INPUT=VALUE", help="other values in the workflow"
    )
    parser.add_argument(
        "--results", type=Path, default=STATE / "compare", metavar="DIR", help="where tables, videos and pictures go"
    )
    options = parser.parse_args(words)
    if options.lamp:
        options.prompts = [prompt for motion in options.lamp for prompt in LAMP[motion]]
    return options


def _setting(text: str) -> tuple[str, Any]:
    name, there, value = text.partition("=")
    if not there or "." not in name:
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form "Title.input=value"')
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            pass
    return name, value


def run(comfyui: Path, checkpoint: Path | None, words: list[str]) -> None:
    """The whole command: servers found or started, every job made and measured, tables kept up to date as they come."""
    options = options_of(words)
    with ExitStack() as servers:
        settings = dict(options.set)
        if options.server:
            clients = [Client(url.rstrip("/")) for url in options.server]
        else:
            name = base.prepare(base.BASE, checkpoint)
            clients = [servers.enter_context(server.running(comfyui, base.BASE)).client]
            settings = {**({"Checkpoint.ckpt_name": name} if checkpoint else MINIATURE), **settings}
        listed = clients[0].choices("FSM_LoadMotionAdapter", "adapter")
        if options.server and not (options.adapters and options.prompts):
            raise Trouble(
                f"For a server of your own, name the --prompts and the --adapters, {NONE} or of: "
                f"{', '.join(listed) or 'it lists none'}"
            )
        adapters = options.adapters or [*newest(listed), NONE]
        jobs = [Job(*job) for job in itertools.product(adapters, options.prompts or PROMPTS, options.seeds)]
        options.results.mkdir(parents=True, exist_ok=True)
        rows: dict[Job, dict[str, Any]] = {}
        shown: dict[Job, np.ndarray] = {}
        for job, row, clip in _finished(clients, jobs, settings, options.results):
            rows[job] = row
            if job.seed == options.seeds[0]:
                shown[job] = clip
            compare_report.write(options.results, [rows[job] for job in jobs if job in rows])
            print(f"{len(rows)}/{len(jobs)}  {job.adapter}  {job.prompt}  seed {job.seed}", flush=True)
    compare_report.sheets(options.results, [(job.prompt, job.adapter, shown[job]) for job in jobs if job in shown])
    print(
        f"\n{(options.results / 'summary.md').read_text(encoding='utf-8')}\nTables, videos and pictures are in "
        f"{options.results}"
    )


def newest(names: list[str]) -> list[str]:
    """Of files that differ in their number only, the last."""
    found = {re.sub(r"_\d{5}_(?=\.)", "", name): name for name in sorted(names)}
    return list(found.values())


def _finished(
    clients: list[Client], jobs: list[Job], settings: dict[str, Any], folder: Path
) -> Iterator[tuple[Job, dict, np.ndarray]]:
    """What the servers have made, as it comes.

    A failure is raised when the other servers have ended what they were at.
    """
    waiting, done = queue.SimpleQueue(), queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def work(client: Client) -> None:
        while not waiting.empty():
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((job, *make(client, job, settings, folder)))
            except Exception as error:
                done.put(error)
                return

    pool = ThreadPoolExecutor(len(clients))
    try:
        for client in clients:
            pool.submit(work, client)
        for _ in jobs:
            result = done.get()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        while not waiting.empty():
            waiting.get()
        pool.shutdown(wait=False, cancel_futures=True)


def graph_of(job: Job, settings: dict[str, Any]) -> Prompt:
    """The workflow's upper row with a job's values, and its frames where they can be fetched."""
    graph = prompt.load("compare_adapters")
    for key in [key for key, node in graph.items() if node["_meta"]["title"].startswith("Other ")]:
        graph.pop(key)
    for name, value in settings.items():
        title, _, there = name.rpartition(".")
        prompt.set_inputs(graph, title, **{there: value})
    for title in ("First frame sampler", "Noise", "Sampler"):
        prompt.set_inputs(graph, title, seed=job.seed)
    for title in MEASURED:
        prompt.set_inputs(graph, title, table="")
    prompt.set_inputs(graph, "Words", value=job.prompt)
    prompt.set_inputs(graph, "Save video", filename_prefix=f"compare/{file_name(job)}")
    graph["frames"] = {"class_type": "PreviewImage", "inputs": {"images": [prompt.titled(graph, "Decode"), 0]}}
    if job.adapter == NONE:
        prompt.bypass(graph, "Motion adapter", "model")
    else:
        prompt.set_inputs(graph, "Motion adapter", adapter=job.adapter)
    return graph


def file_name(job: Job) -> str:
    """A job's name in letters that every file system takes, without an ending."""
    words = (Path(job.adapter).stem, job.prompt, str(job.seed))
    return "-".join(re.sub(r"\W+", "_", word).strip("_")[:60] for word in words)


def make(client: Client, job: Job, settings: dict[str, Any], folder: Path) -> tuple[dict[str, Any], np.ndarray]:
    """Make and measure one video on a server; keeps it in `folder`.

    Returns the table's row, and the frames uint8 (f, h, w, 3).
    """
    graph = graph_of(job, settings)
    outputs = client.run(graph)
    row: dict[str, Any] = {**job._asdict(), "server": client.url}
    reports = []
    for title in MEASURED:
        answer = outputs.get(prompt.titled(graph, title))
        if answer is None:
            raise Trouble(
                f"{client.url} did not hand out the numbers of {title!r}: it runs another version of Few-Shot Motion"
            )
        row |= answer["numbers"][0]
        reports += answer["text"]
    for file in outputs[prompt.titled(graph, "Save video")]["images"]:
        row["video"] = f"{file_name(job)}{Path(file['filename']).suffix}"
        (folder / row["video"]).write_bytes(client.download(file))
    clip = fetched(client, outputs["frames"]["images"])
    if prompt.value(graph, "Checkpoint", "ckpt_name") == base.WEIGHTS.name:
        row |= second_opinion.of(clip, job.prompt)
    return {**row, "reports": reports}, clip
