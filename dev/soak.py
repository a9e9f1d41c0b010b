"""Hundreds of mixed prompts on one server, with Cancel and errors inside the UNet among them: what fails, whether every
workflow gives what it gave the first time, the plain image too, and how the server's memory grows. `python3 dev soak`
writes the figures into docs/reliability.md.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import mean

from . import markdown, reliability, server, small_runs
from .client import PromptFailed, PromptInterrupted
from .trouble import Trouble

SAYS = "thrown inside the UNet"  # witness.py's words
ERRORS = ("exception", "out of memory")
OFTEN = ("LAMP", "motion module", "recurrent", "Text2Video-Zero", "masks")  # twice as often: they are short
MOST_GROWTH = 2.0  # %


class Soak:
    """The prompts' numbers, their first results, and what was found."""

    def __init__(self, running: server.Server, seed: int, names: tuple[str, ...] = tuple(small_runs.RUNS)):
        self.client, self.names = running.client, names
        self.draw, self.numbers = random.Random(seed), itertools.count(1)
        self.first: dict[str, small_runs.Told] = {}
        self.seconds: dict[str, float] = {}
        self.found: Counter[str] = Counter()
        self.memory: list[float] = []  # MiB at each look, with nothing to do
        self.tensors: list[int] = []  # alive then

    def begin(self) -> None:
        """Every workflow for the first time."""
        self.picture = small_runs.image(self.client, next(self.numbers))
        for name in self.names:
            self.first[name] = small_runs.run(self.client, name, next(self.numbers))
            if not self.first[name].finite:
                self._fail(f"{name} gave what is no number")
            begun = time.monotonic()
            self.run(name)
            self.seconds[name] = time.monotonic() - begun
        self.found.clear()

    def prompts(self, count: int, cancels: int, errors: int, every: int) -> None:
        """So many prompts, those cancelled and those thrown out of among them, each of these with another of the same
        workflow behind it; the plain image after `every`.
        """
        blocks = [["cancel", "run"]] * cancels + [["error", "run"]] * errors
        blocks += [["run"]] * (count - 2 * len(blocks))
        self.draw.shuffle(blocks)
        done = 0
        for block in blocks:
            name = self._name(block)
            for kind in block:
                {"run": self.run, "cancel": self.cancel, "error": self.error}[kind](name)
                done += 1
                if done % every == 0:
                    self._look()
                    print(f"{done} prompts, {self.memory[-1]:.0f} MiB, {self._words()}", flush=True)

    def _name(self, block: list[str]) -> str:
        names = [*self.names, *(name for name in OFTEN if name in self.names)]
        if block[0] == "error":  # it is thrown inside the UNet
            names = [name for name in names if self.first[name].calls]
        return self.draw.choice(names)

    def run(self, name: str) -> None:
        """To its end, as the first time."""
        self.found["prompts"] += 1
        try:
            told = small_runs.run(self.client, name, next(self.numbers))
        except (PromptFailed, PromptInterrupted) as failure:
            return self._fail(f"{name}: {failure}")
        self._same(name, told)

    def _same(self, name: str, told: small_runs.Told) -> None:
        self.found["the same as the first time"] += 1
        if told != self.first[name]:
            self.found["the same as the first time"] -= 1
            self._fail(f"{name} gave something else than the first time: {told} after {self.first[name]}")

    def cancel(self, name: str) -> None:
        """Cancelled at a moment of its time; where it was faster, it must be right, and another is cancelled."""
        for _ in range(20):
            self.found["prompts"] += 1
            job = self.client.queue(small_runs.prompt_of(name, next(self.numbers)))
            time.sleep(self.draw.uniform(0, self.seconds[name]))
            self.client.interrupt()
            try:
                self._same(name, small_runs.told(self.client.wait(job, timeout=600)))
            except PromptInterrupted:
                self.found["cancelled"] += 1
                return
            except PromptFailed as failure:
                return self._fail(f"{name}, cancelled: {failure}")
        self._fail(f"{name} was never cancelled")

    def error(self, name: str) -> None:
        """An error at any call of a block of its UNet."""
        error, at = self.draw.choice(ERRORS), self.draw.randint(1, self.first[name].calls)
        self.found["prompts"] += 1
        try:
            told, first = small_runs.run(self.client, name, next(self.numbers), error, at), self.first[name]
            if "training" in name and told.digits == first.digits and told.calls < first.calls:
                self.found["thrown in a training's sample, and the same learnt"] += 1
            else:
                self._fail(f"{name} ran through an {error} at call {at}")
        except PromptFailed as failure:
            if SAYS not in str(failure):
                return self._fail(f"{name}, {error} at call {at}: {failure}")
            self.found[f"thrown: {error}"] += 1

    def _look(self) -> None:
        memory, tensors = small_runs.census(self.client, next(self.numbers))
        self.memory.append(memory)
        self.tensors.append(tensors)
        if small_runs.image(self.client, next(self.numbers)) == self.picture:
            self.found["plain images, identical"] += 1
        else:
            self._fail("the plain image is another")

    def _fail(self, what: str) -> None:
        self.found["failures"] += 1
        print(f"failure: {what}", flush=True)

    def _words(self) -> str:
        return ", ".join(f"{what}: {count}" for what, count in self.found.items())

    def growth(self, warm: int) -> tuple[float, float, float]:
        """MiB behind the first `warm` looks, at the end, and the growth in %; each the mean of a few looks."""
        few = max(1, len(self.memory) // 8)
        before, after = mean(self.memory[warm : warm + few]), mean(self.memory[-few:])
        return before, after, 100 * (after - before) / before


def run(comfyui: Path, words: list[str]) -> None:
    """The command; Trouble where something failed or memory grew."""
    parser = argparse.ArgumentParser(prog="python3 dev soak", allow_abbrev=False)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--cancels", type=int, default=50)
    parser.add_argument("--exceptions", type=int, default=50, help="inside the UNet, half of them out of memory")
    parser.add_argument("--every", type=int, default=10, help="prompts between two plain images")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    if 2 * (given.cancels + given.exceptions) > given.prompts:
        sys.exit("error: behind each cancelled prompt and each exception stands another: ask for more --prompts")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        small_runs.prepare(folder)
        # core's usual cache keeps what earlier prompts gave until memory is short; this one only the last one's
        with server.running(comfyui, folder, 1, flags=["--cache-classic"]) as running:
            soak = Soak(running, given.seed)
            soak.begin()
            soak.prompts(given.prompts, given.cancels, given.exceptions, given.every)
    before, after, growth = soak.growth(50 // given.every)
    soak.found["failures"] += 0
    rows = [[what, str(count)] for what, count in soak.found.items()]
    rows.append(["tensors alive with nothing to do", f"{soak.tensors[0]}, {soak.tensors[-1]} at the end"])
    rows.append(["memory of the server then", f"{before:.0f} MiB, {after:.0f} MiB at the end: {growth:+.1f} %"])
    text = (f"`python3 dev soak --prompts {given.prompts} --cancels {given.cancels} --exceptions {given.exceptions} "
            f"--seed {given.seed}`:\n\n{markdown.table(['what was done', 'what was found'], rows)}")  # fmt: skip
    print(text)
    if soak.found["failures"] or growth > MOST_GROWTH:
        raise Trouble(f"{soak.found['failures']} failures, and the server's memory grew by {growth:.1f} %")
    reliability.write(text, "soak")
