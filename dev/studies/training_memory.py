"""What a training is said to take, beside a count of what its step keeps: SD 1.5 and SDXL in their own widths.

Nothing is computed: the forward pass runs on tensors without values on a card that is not there.
`python3 dev study training_memory` writes docs/training_memory.md.
"""

from dataclasses import dataclass, replace
from functools import cache
from unittest.mock import patch

import torch
from few_shot_motion.host.patching.image_model import image_unet
from few_shot_motion.host.training import lesson as lessons
from few_shot_motion.host.training import model as training_host
from few_shot_motion.host.training.parts import parts_of
from few_shot_motion.motion_modules.call import Call
from few_shot_motion.training.memory import Estimate, going_back

from .. import markdown
from ..benching import gpu_page
from ..benching.call import fused_attention
from ..benching.on_card import Clip, lesson_on, quiet
from ..benching.simulated import CARD, TAKEN, Card
from ..interpreter import ROOT

FILE = ROOT / "docs" / "training_memory.md"
_GIB = 2**30
FRAMES, LARGE = 16, 2**40  # bytes of a card that holds everything
SIZES = {"SD 1.5": ((320, 512), (512, 512)), "SDXL": ((320, 512), (576, 1024))}  # px, height and width
_PRECISIONS = {None: "fp32", torch.bfloat16: "bf16"}
_MOMENTS = 12  # bytes of a trained number beside itself: its gradient, AdamW's two moments


@dataclass(frozen=True)
class Setting:
    """A training: of which family, at which size (px, height and width), in which numbers."""

    family: str
    size: tuple[int, int]
    checkpointing: bool
    rank: int
    base: torch.dtype  # what the checkpoint is held in
    autocast: torch.dtype | None

    def compare(self) -> tuple[Estimate, int]:
        """What is said, and how many bytes are counted."""
        said, held, _ = self._pass()
        if self.checkpointing:  # and while it goes backward, one block after the other as without it
            held += replace(self, checkpointing=False)._pass()[2]
        return said, held

    @cache  # noqa: B019 - a few settings, once each
    def _pass(self) -> tuple[Estimate, int, int]:
        """What is said; the bytes on a card after a forward pass, with what the way back adds; those that the largest
        block keeps.
        """
        clip = Clip(FRAMES, *self.size)
        with Card(LARGE) as card, torch.inference_mode(False), torch.enable_grad():
            lesson = _lesson(self.checkpointing, self.family, clip, self.base, rank=self.rank,
                             precision=_PRECISIONS[self.autocast])  # fmt: skip
            options = {**lesson.options, "optimized_attention_override": fused_attention}
            predict = training_host.denoiser(lesson.base, options, lesson.conditions[:1], lesson.autocast)
            blocks = Blocks(card)
            with patch.object(Call, "run", blocks.watching(Call.run)):
                out = predict(torch.randn(1, *clip.latents, device=CARD), torch.full((1,), 2.0, device=CARD))
            latents = (clip.frames, *clip.latents[2:])
            later = _MOMENTS * sum(value.numel() for value in lesson.trained.values())
            held = card.held - TAKEN + later + going_back(latents, parts_of(image_unet(lesson.base)))
            del out
            lesson.close()  # ComfyUI would keep a model of a card that is gone
            return lesson.needed, held, blocks.largest


@torch.inference_mode(False)
@torch.enable_grad()
def _lesson(checkpointing: bool, *words, **settings) -> lessons.Lesson:
    with patch.object(lessons, "has_room", lambda *_: not checkpointing):
        return lesson_on(*words, **settings)


class Blocks:
    """How much the block keeps that keeps most."""

    def __init__(self, card: Card):
        self.card, self.largest = card, 0

    def watching(self, run):
        """Call.run that notes what each block keeps."""

        def watched(call, block, *inputs):
            before = self.card.held
            out = run(call, block, *inputs)
            self.largest = max(self.largest, self.card.held - before)
            return out

        return watched


def main() -> None:
    """Count every setting, and hold what is said against a card's peaks; write the page."""
    quiet()
    rows, bf16 = [], torch.bfloat16
    for family, sizes in SIZES.items():
        for size in sizes:
            for base, autocast in ((torch.float32, None), (torch.float16, bf16)):
                for rank in (0, 32):
                    for checkpointing in (False, True):
                        setting = Setting(family, size, checkpointing, rank, base, autocast)
                        rows.append(_row(setting))
                        print(rows[-1], flush=True)
    head = ["", "size", "computes in", "rank", "checkpointing", "said, GiB", "counted, GiB", "said / counted"]
    beside = ["adapter", "checkpointing", "said, GiB", "its peak, GiB", "said / peak"]
    tables = markdown.table(head, rows), markdown.table(beside, measured())
    FILE.write_text(_HEAD.format(*tables), encoding="utf-8")
    print(f"written: {FILE.relative_to(ROOT)}")


def _row(setting: Setting) -> list[str]:
    said, counted = setting.compare()
    height, width = setting.size
    names = {torch.float32: "fp32", torch.float16: "fp16"}
    computes = "fp32" if setting.autocast is None else f"bf16, held in {names[setting.base]}"
    return [setting.family, f"{width} x {height}", computes, str(setting.rank), _switch(setting.checkpointing),
            f"{said.total / _GIB:.2f}", f"{counted / _GIB:.2f}", f"{said.total / counted:.2f}"]  # fmt: skip


def measured() -> list[list[str]]:
    """What is said of the trainings that a card has run, in whose steps each call cast the weights anew."""
    rows = []
    for found in gpu_page.measured():
        if found["part"] != "training":
            continue
        method, _, rank = found["motion"].partition(" rank ")
        with Card(LARGE), patch.object(training_host, "is_recast", lambda *_: False):
            lesson = _lesson(found["checkpointing"], "SD 1.5", Clip(FRAMES, *SIZES["SD 1.5"][0]), torch.float16,
                           method=method, rank=int(rank or 0), precision="bf16")  # fmt: skip
            said = lesson.needed.total
            lesson.close()
        rows.append([found["motion"], _switch(found["checkpointing"]), f"{said / _GIB:.2f}",
                     f"{found['peak'] / _GIB:.2f}", f"{said / found['peak']:.2f}"])  # fmt: skip
    return rows


def _switch(on: bool) -> str:
    return "on" if on else "off"


_HEAD = f"""# What a training takes of memory, said and counted

Made by `python3 dev study training_memory`: LAMP, {FRAMES} frames, UNets of SD 1.5's and SDXL's own shapes. *Said* is
what Train Motion LoRA says before the first step: frozen weights, trained layers with their gradients and AdamW's
moments, what the forward pass keeps for the backward pass, and what is in flight on the way back. *Counted* is the same
on a simulated card, every tensor counted as long as something holds it (autocast, fused attention and norms in fp32 as
on a GPU), and with the largest block once more where checkpointing computes it anew; what is in flight on the way back
is not simulated but said there too. What PyTorch's allocator leaves unused between tensors, the VAE and the text
encoder come on top.

{{}}
The same sentence beside the peak of a card: an NVIDIA H200, SD 1.5, 16 frames of 512 x 320 px, computed in bf16 and
held in fp16 (`dev/benching/gpu.py` made `dev/benching/gpu.jsonl`). Its steps still cast every weight in every call,
which a training does no longer: *said* is what is said of that. What is in flight on the way back was read off the
first four.

{{}}"""
