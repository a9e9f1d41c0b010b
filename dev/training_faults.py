"""Trainings that end in the middle: by an error, an out-of-memory error or Cancel inside the UNet, and with a disk that
is full or closed at the first step, at a save or at Cancel. What was learnt must be kept where there is room, and gone
on with to the unbroken run, bit for bit.

Imported where ComfyUI and the pack are in the process (inside.py).
"""

import asyncio
import contextlib
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import comfy.ldm.modules.attention as attention
import comfy.model_management
import folder_paths
import torch
from few_shot_motion.host.files import folders
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.motion_modules.writing import PART
from few_shot_motion.nodes.training import TrainMotionLoRA

from . import disks
from .interpreter import ROOT

STEPS, SIDE, FRAMES, ROOM = 4, 64, 4, 64  # ROOM in MB
Cancel = comfy.model_management.InterruptProcessingException
ENDS: dict[str, Callable[[], BaseException]] = {
    "exception": lambda: RuntimeError("thrown inside the UNet"),
    "out of memory": lambda: torch.OutOfMemoryError("thrown inside the UNet"),
    "Cancel": Cancel,
}
METHODS = ("LAMP", "Tune-A-Video")  # the first with masks
SETTINGS: dict[str, Any] = {"frames": FRAMES, "steps": STEPS, "learning_rate": 1e-3, "rank": 2, "seed": 1, "width": 0,
                            "height": 0, "precision": "fp32", "gradient_checkpointing": False}  # fmt: skip


@contextlib.contextmanager
def at_call(number: int, do: Callable[[], object]) -> Iterator[list[int]]:
    """do() when call `number` of a block of a UNet begins; the list counts the calls."""
    forward, calls = attention.BasicTransformerBlock.forward, [0]

    def counted(*arguments, **named):
        calls[0] += 1
        if calls[0] == number:
            do()
        return forward(*arguments, **named)

    attention.BasicTransformerBlock.forward = counted
    try:
        yield calls
    finally:
        attention.BasicTransformerBlock.forward = forward


class Lessons:
    """The miniature with two clips and masks, trained for a few steps."""

    def __init__(self, method: str):
        import nodes

        self.model, clip, self.vae = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
        self.method, count = method, 2 if method == "LAMP" else 1
        draw = torch.Generator().manual_seed(0)
        self.clips = [torch.rand(FRAMES + 1, SIDE, SIDE, 3, generator=draw) for _ in range(count)]
        self.masks = [(clip[..., 0] > 0.5).float() for clip in self.clips] if method == "LAMP" else []
        self.caption = clip.encode_from_tokens_scheduled(clip.tokenize("a red ball on grass moves right"))
        with at_call(0, lambda: None) as calls:
            self.whole = self.learn("whole")
        self.calls = calls[0] // STEPS  # of one step

    def learn(self, name: str, save_every: int = 0, resume: bool = False) -> tuple[dict, list[float]]:
        """All that is learnt, and the losses."""
        settings = {**SETTINGS, "method": self.method, "name": name, "save_every": save_every, "resume": resume}
        with torch.inference_mode():  # as the executor
            adapter, losses = TrainMotionLoRA.execute(
                [self.model], [self.vae], self.clips, [self.caption], masks=self.masks,
                **{key: [value] for key, value in settings.items()}).args[:2]  # fmt: skip
        return {**adapter.tensors, **adapter.mask_tensors}, losses["loss"]

    def resumed(self, found: Counter, name: str) -> None:
        """Go on with a run and compare."""
        tensors, losses = self.learn(name, resume=True)
        same = tensors.keys() == self.whole[0].keys() and losses == self.whole[1]
        same = same and all(torch.equal(value, self.whole[0][key]) for key, value in tensors.items())
        found["gone on with, bit-equal" if same else "gone on with to something else, lost"] += 1


def ended(lessons: Lessons, rounds: int, draw: random.Random, found: Counter) -> None:
    """Each end of ENDS thrown at `rounds` calls of a block behind the first step."""
    for turn in range(rounds):
        for kind, error in ENDS.items():
            at, name = draw.randint(lessons.calls + 1, STEPS * lessons.calls), f"{kind} {turn}"

            def end(error=error) -> None:
                raise error()

            with contextlib.suppress(Exception, Cancel), at_call(at, end):
                lessons.learn(name)
            found[kind] += 1
            _kept(found, folders.saved_folder(), name, (at - 1) // lessons.calls)
            lessons.resumed(found, name)


def _kept(found: Counter, folder: Path, name: str, steps: int) -> None:
    file = folder / f"{name}_{steps}_steps.safetensors"
    found["kept" if file.exists() else "lost"] += 1
    if file.exists() and load_adapter(file, None).metadata["steps"] != str(steps):
        found["torn"] += 1


def on_a_disk(lessons: Lessons, disk: disks.Disk, how: Callable[[], object], elsewhere: Path) -> Counter:
    """The disk of the output folder is filled or closed before the first step, at a save, and at Cancel; `elsewhere`: a
    folder of motion adapters on another disk.
    """
    found: Counter[str] = Counter()

    def cancel() -> None:
        how()
        raise Cancel

    how()
    with at_call(0, lambda: None) as calls:
        found[_said(lambda: lessons.learn("first"), "at the first step: ")] += 1
    found["steps lost before it was said"] += calls[0] // lessons.calls
    disk.again()
    with at_call(2 * lessons.calls + 1, how):  # in the third step
        tensors, losses = lessons.learn("save", save_every=1)
    same = losses == lessons.whole[1] and all(
        torch.equal(value, tensors[key]) for key, value in lessons.whole[0].items()
    )
    found["at a save: the training went on" if same else "lost at a save"] += 1
    _kept(found, folders.saved_folder(), "save", 2)
    disk.again()
    lessons.resumed(found, "save")
    for name, save_every in (("cancel", 0), ("cancel after a save", 2)):
        with contextlib.suppress(Cancel), at_call(3 * lessons.calls + 1, cancel):
            lessons.learn(name, save_every)
        _kept(found, elsewhere, name, 3)
        disk.again()
        shutil.copy(elsewhere / f"{name}.resume.safetensors", folders.saved_folder())
        lessons.resumed(found, name)
    found["left over"] += len([*disk.folder.rglob(PART.format("*")), *elsewhere.rglob(PART.format("*"))])
    return found


def _said(work: Callable[[], object], when: str) -> str:
    try:
        work()
    except ValueError as error:
        return f"{when}a sentence" if "\n" not in str(error) and str(error).endswith(".") else f"{when}raw {error}"
    except Exception as error:
        return f"{when}raw {type(error).__name__}"
    return f"{when}trained in spite of it"


def load_miniature() -> None:
    """Make the miniature's files known to ComfyUI in this process."""
    import nodes

    asyncio.run(nodes.load_custom_node(str(ROOT / "miniature")))


def tried(folder: Path, rounds: int, seed: int) -> dict[str, Counter]:
    """All of it, in this folder; without the disks where this process may not mount one."""
    load_miniature()
    results, draw = {}, random.Random(seed)
    for method in METHODS:
        place, elsewhere = folder / method, folder / f"{method} elsewhere"
        place.mkdir(parents=True)
        folder_paths.set_output_directory(str(place))
        lessons = Lessons(method)
        found = results[f"ends inside the UNet, {method}"] = Counter()
        ended(lessons, rounds, draw, found)
        if not disks.can_mount():
            continue
        folder_paths.folder_names_and_paths[folders.NAME] = ([str(elsewhere)], {".safetensors"})
        for name in ("full", "closed"):
            (there := place / name).mkdir()
            disks.mount("-t", "tmpfs", "-o", f"size={ROOM}m", "none", there)
            try:
                folder_paths.set_output_directory(str(there))
                disk = disks.Disk(there)
                results[f"disk {name}, {method}"] = on_a_disk(lessons, disk, getattr(disk, name), elsewhere)
            finally:
                subprocess.run(["umount", there], check=True)
    return results
