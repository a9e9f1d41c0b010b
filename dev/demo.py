"""The whole product on one machine: a real ComfyUI learns two motions from eight clips each, and animates first frames
it never saw.

What it shows is drawn by code, so every clip can be held against the exact one: with the adapter, and without it. Of
which world it is, `--world` says: figures, figures before a moving camera, or shapes (demo_worlds.py).
"""

import argparse
import fnmatch
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import base, contact_sheet, demo_report, footage, machine, prompt, server
from .client import Client, Prompt
from .demo_report import ROWS
from .demo_worlds import CLIPS, FRAMES, SEED, WORLDS, Inputs, World, chosen
from .frames import fetched, png, resized
from .interpreter import STATE
from .trouble import Trouble

RESULTS = STATE / "demo"
TRAINING_SETTINGS = "FSM_MotionTrainingSettings"
FOOTAGE_STEPS = 4


def miniature(own: Inputs) -> Inputs:
    """A world's own, and those of a model small enough to learn fast, on a CPU."""
    fast = {"gradient_checkpointing": False, "precision": machine.training_precision()}
    train = {"rank": 0, "sample_every": 0, **fast, **own.train}
    # both nodes have widgets for what is fast, and those of Motion Training Settings count
    settings = {**fast, **own.settings} if own.settings else {}
    return replace(own, train=train, sample={"steps": 10, **own.sample}, settings=settings)


@dataclass
class Demo:
    """One run: the server it talks to, the checkpoint it uses, whose motions it learns, what it has found so far."""

    client: Client
    input: Path  # the server's input folder
    checkpoint: str
    world: World
    side: int  # px of a square clip
    inputs: Inputs
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Say what begins, and how many seconds it took; kept in `seconds`."""
        print(f"{name} …", flush=True)
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)
        print(f"{name}: {self.seconds[name]:.0f} s", flush=True)

    # ------------------------------------------------------------------------------------------------ the two workflows

    @property
    def size(self) -> dict[str, int]:
        """px, of training clips and of what is animated."""
        return {"width": self.side, "height": self.side}

    def train(self, folder: str, name: str, graph: Prompt, **inputs: Any) -> str:
        """Train on a folder of the input directory; returns the adapter's file name."""
        prompt.set_inputs(
            graph,
            "Train",
            **{"frames": FRAMES, "seed": SEED, "name": name, **self.size, **self.inputs.train, **inputs},
        )
        if self.inputs.settings:
            kind = self.client.get_json(f"object_info/{TRAINING_SETTINGS}")[TRAINING_SETTINGS]
            prompt.add_training_settings(graph, "Train", kind, **self.inputs.settings)
        prompt.set_inputs(graph, "Checkpoint", ckpt_name=self.checkpoint)
        prompt.set_inputs(graph, "Clips", folder=folder)
        prompt.set_inputs(graph, "Save adapter", filename_prefix=name)
        self.client.run(graph)
        saved = fnmatch.filter(self.client.choices("FSM_LoadMotionAdapter", "adapter"), f"{name}_?????_.safetensors")
        if not saved:
            raise Trouble(f"The training ended without an adapter called {name} in Load Motion Adapter's list")
        return max(saved)  # the highest number is the newest

    def animate(self, image: str, caption: str, adapter: str | None, name: str) -> np.ndarray:
        """Animate an uploaded first frame; keeps the video in the results, returns its frames, uint8 (f, h, w, 3)."""
        graph = prompt.load("animate_image_lamp")
        prompt.set_inputs(graph, "Checkpoint", ckpt_name=self.checkpoint)
        prompt.set_inputs(graph, "First frame", image=image)
        prompt.set_inputs(graph, "Prompt", text=caption)
        prompt.set_inputs(graph, "Scale", **self.size)
        prompt.set_inputs(graph, "Noise", seed=SEED, **self.inputs.noise)
        prompt.set_inputs(graph, "Sampler", seed=SEED, length=FRAMES, **self.inputs.sample)
        prompt.set_inputs(graph, "Save video", filename_prefix=f"demo/{name}")
        if adapter is None:
            prompt.bypass(graph, "Motion adapter", "model")
        else:
            prompt.set_inputs(graph, "Motion adapter", adapter=adapter)
        frames = prompt.add_frame_saver(graph, "Save video", f"demo/frames/{name}")
        outputs = self.client.run(graph)
        for file in outputs[prompt.titled(graph, "Save video")]["images"]:
            (RESULTS / name).with_suffix(Path(file["filename"]).suffix).write_bytes(self.client.download(file))
        return fetched(self.client, outputs[frames]["images"])

    # ------------------------------------------------------------------------------------------------ the two parts

    def motion(self, motion: str) -> dict[str, Any]:
        """Learn one motion, animate unseen first frames with and without it, and hold both against the exact clips."""
        name = motion.replace(" ", "_")
        unseen = self.world.teach(_fresh(self.input / "clips" / name), motion, CLIPS)
        with self.phase(f"learn: {motion}"):
            adapter = self.train(f"clips/{name}", name, prompt.load("train_motion_lamp"))
        groups, measured = [], []
        with self.phase(f"animate: {motion}"):
            for i, one in enumerate(unseen):
                image = self.client.upload(f"{name}_{i}.png", png(one.exact[0]), "first frames")
                drawn = {
                    row: resized(
                        self.animate(image, one.caption, adapter if row == ROWS[0] else None, f"{name}_{i}_{row}"),
                        one.exact.shape[1],
                    )
                    for row in ROWS
                }
                groups.append({"exact": one.exact, **drawn})
                measured.append({"caption": one.caption, **{row: one.measure(drawn[row]) for row in ROWS}})
        contact_sheet.sheet(groups).save(RESULTS / f"{name}.png")
        contact_sheet.write_moving(RESULTS / f"{name}.webp", groups)
        means = {
            row: {key: round(float(np.mean([clip[row][key] for clip in measured])), 4) for key in self.world.measures}
            for row in ROWS
        }
        return {**means, "clips": measured}

    def real_footage(self) -> dict[str, Any]:
        """Real files of any size and rate through the same nodes.

        With the miniature this proves the plumbing, not the picture.
        """
        footage.copy_clips(_fresh(self.input / "clips" / "real_footage"))
        with self.phase("real footage: learn a few steps"):
            graph = prompt.load("train_motion_lamp")
            prompt.set_inputs(graph, "Clips", caption="a real video")  # there are none beside these files
            adapter = self.train("clips/real_footage", "real_footage", graph, steps=FOOTAGE_STEPS)
        with self.phase("real footage: animate a first frame"):
            image = self.client.upload(
                "carphone.png", footage.first_frame(self.input / "clips" / "real_footage" / footage.CLIPS[-1])
            )
            drawn = self.animate(image, "a real video", adapter, "real_footage")
        contact_sheet.sheet([{"with_adapter": drawn}]).save(RESULTS / "real_footage.png")
        return {
            "clips": list(footage.CLIPS),
            "steps": FOOTAGE_STEPS,
            "frames": len(drawn),
            "proves": "the plumbing, not the picture",
        }


def run(comfyui: Path, checkpoint: Path | None, words: Sequence[str]) -> None:
    """Everything, into `.dev/demo`."""
    world = chosen(parse(words), checkpoint)
    _fresh(RESULTS).mkdir(parents=True)
    # The miniature is too small to keep two cores busy: on a CPU each motion has a server of its own with its share of
    # them.
    beside = 1 if checkpoint or server.has_accelerator() else min(len(world.motions), os.cpu_count() or 1)
    with ExitStack() as servers:
        demos = [_start(servers, comfyui, checkpoint, world, number, beside) for number in range(beside)]
        found = _side_by_side(demos, world.motions)
        report = {"motions": found, "real_footage": demos[0].real_footage(), "checkpoint": demos[0].checkpoint}
        report |= {
            "seconds": {name: value for demo in demos for name, value in demo.seconds.items()},
            "versions": demo_report.versions(demos[0].client),
        }
    (RESULTS / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    table = demo_report.table(report["motions"], world.measures)
    (RESULTS / "report.md").write_text(table, encoding="utf-8")
    print(f"\n{table}\nPictures, videos and figures are in {RESULTS}")


def parse(words: Sequence[str]) -> str:
    """The name of the world asked for."""
    parser = argparse.ArgumentParser(prog="python3 dev demo", description=__doc__)
    parser.add_argument("--world", choices=WORLDS, default="figures", help="figures unless another is named")
    return parser.parse_args(words).world


def _start(servers: ExitStack, comfyui: Path, checkpoint: Path | None, world: World, number: int, beside: int) -> Demo:
    folder = base.BASE if number == 0 else base.BASE.with_name(f"{base.BASE.name}-{number + 1}")
    base.prepare(folder, checkpoint)
    name = (checkpoint or world.checkpoint).name
    threads = max(1, (os.cpu_count() or 1) // beside) if beside > 1 else None
    running = servers.enter_context(server.running(comfyui, folder, threads))
    if name not in running.client.choices("CheckpointLoaderSimple", "ckpt_name"):
        raise Trouble(
            f"ComfyUI does not list {name}: make it with `python3 dev train-miniature`, or name another with "
            "--checkpoint FILE"
        )
    side, inputs = (512, Inputs()) if checkpoint else (128, miniature(world.inputs))
    return Demo(running.client, folder / "input", name, world, side, inputs)


def _side_by_side(demos: list[Demo], motions: Sequence[str]) -> dict[str, Any]:
    """Every motion's findings, each server working off its share.

    Ctrl-C does not wait for the threads: they end with their servers.
    """
    pool = ThreadPoolExecutor(len(demos))
    shares = [motions[number :: len(demos)] for number in range(len(demos))]
    try:
        parts = pool.map(lambda demo, share: {motion: demo.motion(motion) for motion in share}, demos, shares)
        found = {motion: result for part in parts for motion, result in part.items()}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return {motion: found[motion] for motion in motions}


def _fresh(folder: Path) -> Path:
    """The folder's name, with nothing of an earlier run under it."""
    if folder.exists():
        shutil.rmtree(folder)
    return folder
