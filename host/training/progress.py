"""A training's progress on its node, from the first second: what is done, how far, how long still."""

import math
import time

import comfy.model_management
import comfy.utils
import torch
from PIL import Image

from ...training.loop import Run
from .curve import card, loss_curve

_EVERY = 10  # steps, or
_SECONDS = 5.0


class Progress:
    """Pictures and counts for the node; asks for Cancel each time it shows something."""

    def __init__(self, device: torch.device, title: str = ""):
        self.device, self.title = device, title
        self.bar = comfy.utils.ProgressBar(1)
        self.begun = self.shown = time.monotonic()
        self.first = 0  # steps that were kept from before

    def stage(self, what: str, done: int, of: int) -> None:
        """A part of the preparation: so many of so many are done."""
        self.bar.update_absolute(done, of, ("JPEG", card([self.title, f"{what}: {done} of {of}"]), 512))
        comfy.model_management.throw_exception_if_processing_interrupted()

    def learning_begins(self, steps: int) -> None:
        """From now on steps count; `steps` were kept from before."""
        self.begun, self.first = time.monotonic(), steps
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def step(self, run: Run, steps: int) -> None:
        """After every step of `steps`."""
        done, now = len(run.losses), time.monotonic()
        show = done % _EVERY == 0 or done in (steps, self.first + 1) or now - self.shown > _SECONDS
        if show:
            self.shown = now
        self.bar.update_absolute(done, steps, ("JPEG", self.picture(run, steps), 512) if show else None)
        comfy.model_management.throw_exception_if_processing_interrupted()

    def picture(self, run: Run, steps: int) -> Image.Image:
        """The losses so far, with what a person wants to know beside them."""
        done = len(run.losses)
        each = (time.monotonic() - self.begun) / max(1, done - self.first)
        words = [f"step {done} of {steps}", f"{each:.2g} s a step", f"{duration(each * (steps - done))} left"]
        if peak := peak_memory(self.device):
            words.append(f"{peak / 2**30:.1f} GiB")
        if run.skipped:
            words.append(f"{run.skipped} skipped")
        return loss_curve(run.losses, ", ".join(words))

    def sample(self, picture: Image.Image, steps: int, of: int) -> None:
        """A sample clip's picture in place of the curve."""
        self.shown = time.monotonic()
        self.bar.update_absolute(steps, of, ("JPEG", picture, 512))


def duration(seconds: float) -> str:
    """Seconds in words: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def peak_memory(device: torch.device) -> int:
    """The most bytes a GPU has held so far; 0 where nobody counts."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
