"""What ComfyUI loads, keeps and frees on cards of 3 to 12 GB while motion is sampled and learnt: simulated, counted
byte by byte; into docs/performance.md. `python3 dev study small_devices [words of cases' names …]` keeps the others.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from .. import markdown, performance_page
from ..benching.on_card import ENCODER, IMAGE, MOTION, VAE, Clip, animated, quiet, trained
from ..benching.simulated import TAKEN, Card
from ..interpreter import STATE
from .training_memory import Setting

_KEPT = STATE / "small_devices.json"
_GIB, _MIB = 2**30, 2**20
NUMBERS = torch.float16, torch.bfloat16  # of the checkpoint, and of the calls in a training


@dataclass(frozen=True)
class Case:
    """A card of so many GiB, and what it is to do: sample with a motion, or learn one (`settings`)."""

    card: int
    family: str
    motion: str
    clip: Clip = field(default_factory=Clip)
    settings: dict[str, Any] = field(default_factory=dict, hash=False)
    learns: bool = False

    @property
    def name(self) -> str:
        """As the page lists it."""
        return f"{'learn ' * self.learns}{self.family}, {self.motion}, {self.clip}, {self.card} GB"

    def found(self) -> dict:
        """The counts, as they are kept."""
        with Card(self.card * _GIB) as card:
            if not self.learns:
                return asdict(animated(card, self.family, self.motion, self.clip))
            found = asdict(trained(card, self.family, self.clip, **self.settings))
        if not found["refused"]:
            size = self.clip.height, self.clip.width
            step = Setting(self.family, size, found["checkpointing"], self.settings["rank"], *NUMBERS)
            found["counted"] = step.compare()[1]
        return found


def _learn(card: int, family: str, rank: int, clip: Clip) -> Case:
    return Case(card, family, f"LAMP rank {rank}" if rank else "LAMP", clip, {"rank": rank}, True)


_PAPERS, _SMALL, _WIDE = Clip(16, 320, 512), Clip(16, 256, 384), Clip(16, 576, 1024)
CASES = (
    Case(6, "SD 1.5", "LAMP"),
    Case(6, "SD 1.5", "LAMP rank 32"),
    Case(6, "SD 1.5", "AnimateDiff v2"),
    Case(4, "SD 1.5", "LAMP"),
    Case(3, "SD 1.5", "AnimateDiff v2"),
    Case(8, "SDXL", "LAMP rank 32", _WIDE),
    Case(8, "SDXL", "AnimateDiff v2", _WIDE),
    _learn(8, "SD 1.5", 32, _PAPERS),
    _learn(8, "SD 1.5", 0, _PAPERS),
    _learn(6, "SD 1.5", 32, _PAPERS),
    _learn(6, "SD 1.5", 32, Clip()),
    _learn(6, "SD 1.5", 0, _PAPERS),
    _learn(4, "SD 1.5", 32, _PAPERS),
    _learn(4, "SD 1.5", 32, _SMALL),
    _learn(8, "SDXL", 32, _PAPERS),
    _learn(12, "SDXL", 32, _PAPERS),
)


def main() -> None:
    """Count what is named, or all; write the page."""
    quiet()
    known = json.loads(_KEPT.read_text(encoding="utf-8")) if _KEPT.exists() else {}
    for case in CASES:
        if not sys.argv[1:] or any(word in case.name for word in sys.argv[1:]):
            known[case.name] = case.found()
            _KEPT.write_text(json.dumps(known), encoding="utf-8")
            print(f"{case.name}: {known[case.name]}", flush=True)
    performance_page.write(_page(known), "study small_devices")


def _page(known: dict[str, dict]) -> str:
    sampled = [_sampled_row(case, known[case.name]) for case in CASES if not case.learns and case.name in known]
    learnt = [_learnt_row(case, known[case.name]) for case in CASES if case.learns and case.name in known]
    loaded = ["card", "model, motion, clip", "when", IMAGE, MOTION, ENCODER, VAE]
    moments = [row for case in CASES if not case.learns and case.name in known for row in _moments(case, known)]
    head = ["card", "model, motion, clip", "weights on the card", "ComfyUI was told", "counted", "clips at once",
            "card's peak", "left behind"]  # fmt: skip
    learning = ["card", "model, adapter, clip", "said, GiB", "counted, GiB", "free, GiB", "loaded first, GiB",
                "checkpointing", ""]  # fmt: skip
    return (
        "Sampling in half precision with guidance. *Told*: what ComfyUI believed one call takes beside the weights, "
        "by the image model's own figure; *counted*: what it took, motion included. Where the first is the larger, "
        "motion needs no figure of its own. MiB:\n\n"
        f"{markdown.table(head, sampled)}\n"
        "What lies on the card of each model, MiB of MiB:\n\n"
        f"{markdown.table(loaded, moments)}\n"
        "Learning in bf16 on a checkpoint held in fp16, by Train Motion LoRA's own lesson; *said* is its sentence, "
        f"*counted* what `study training_memory` counts of its step:\n\n{markdown.table(learning, learnt)}\n"
        "What helps where it does not begin, in this order: gradient checkpointing, which turns itself on; a rank in "
        "place of whole matrices (3.6 GiB less); a smaller clip.\n"
    )


def _sampled_row(case: Case, found: dict) -> list[str]:
    weights = sum(part[0] for part in found["stages"][0]["bytes"].values())
    numbers = (weights, found["told"], found["counted"])
    return [f"{case.card} GB", f"{case.family}, {case.motion}, {case.clip}", *(f"{n / _MIB:,.0f}" for n in numbers),
            str(found["clips"]), f"{found['peak'] / _MIB:,.0f} of {case.card * 1024:,}",
            f"{found['left'] / _MIB:,.0f}"]  # fmt: skip


def _moments(case: Case, known: dict[str, dict]) -> list[list[str]]:
    rows = []
    for when, stage in zip(("sampling", "decoding", "sampling again"), known[case.name]["stages"], strict=True):
        shown = (stage["bytes"][name] for name in (IMAGE, MOTION, ENCODER, VAE))
        rows.append([f"{case.card} GB", f"{case.family}, {case.motion}, {case.clip}", when,
                     *(f"{on / _MIB:,.0f} of {size / _MIB:,.0f}" if size else "–" for on, size in shown)])  # fmt: skip
    return rows


def _learnt_row(case: Case, found: dict) -> list[str]:
    what = f"{case.family}, {case.motion}, {case.clip}"
    free = f"{(case.card * _GIB - TAKEN) / _GIB:.2f}"
    if found["refused"]:
        said = found["refused"].partition("about ")[2].partition(" GiB")[0]
        return [f"{case.card} GB", what, said, "–", free, "–", "on", "does not begin, and says so"]
    said = found["said"].partition("about ")[2].partition(" GiB")[0]
    fits = "fits" if found["counted"] + TAKEN <= case.card * _GIB else "DOES NOT FIT"
    return [f"{case.card} GB", what, said, f"{found['counted'] / _GIB:.2f}", free, f"{found['loaded'] / _GIB:.2f}",
            "on" if found["checkpointing"] else "off", fits]  # fmt: skip
