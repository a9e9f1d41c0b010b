"""Every node of ours with one input at a time gone wrong, on a running server: values through links too, of any type.
`python3 dev fuzz` classifies each answer and puts the table into docs/reliability.md; imported where ComfyUI and the
pack are in the process (inside.py).
"""

import argparse
import sys
import tempfile
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dev.client import Client, Prompt, PromptRefused
from dev.fuzzing import place, report, values, verdict
from dev.fuzzing.cases import Case, drawn
from dev.fuzzing.prompts import LOOK, OURS, prompt
from dev.server import Server, running
from dev.trouble import Trouble

LIMIT, HEARD = 60, 10  # s until a case is cancelled, and until that must have been heard
_EVERY = 250  # cases on one server


def answer(client: Client, asked: Prompt) -> tuple[str, str, bool]:
    """How a prompt ends, in what words, and whether what came out is no number."""
    try:
        prompt_id = client.queue(asked)
    except PromptRefused as refused:
        return *verdict.of_refusal(refused.answer), False
    entry = _ended(client, prompt_id, LIMIT)
    if entry is None:
        client.interrupt(prompt_id)
        entry = _ended(client, prompt_id, HEARD)
        return (verdict.HANG if entry is None else verdict.CANCELLED), f"after {LIMIT} s", False
    messages = dict(entry["status"]["messages"])
    if "execution_error" in messages:
        return *verdict.of_failure(messages["execution_error"]), False
    if "execution_interrupted" in messages:
        return verdict.RAW, "interrupted by nobody", False
    return verdict.RAN, "", any(entry["outputs"].get(LOOK, {}).get("wrong", [False]))


def _ended(client: Client, prompt_id: str, seconds: float) -> dict | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := client.get_json(f"history/{prompt_id}"):
            return found[prompt_id]
        time.sleep(0.05)
    return None


def tried(server: Server, case: Case, allowed: set[str]) -> tuple[str, str]:
    """What came of a case, and its words."""
    try:
        how, text, wrong = answer(server.client, case.prompt)
    except (Trouble, urllib.error.HTTPError) as trouble:
        return verdict.RAW, f"the server does not answer: {trouble}"
    if how == verdict.RAN and case.not_finite:
        how = verdict.TAKEN
    elif how == verdict.RAN and wrong:
        how = verdict.SILENT
    if added := place.files(server.base.parent) - allowed:
        return verdict.OUTSIDE, f"{sorted(added)[0]} ({text})"
    return how, text


def run(server: Server, seeds: range, told: Callable[[int, Case, str, str], None]) -> int:
    """Cases of these seeds, one after the other, until one hangs the server; returns how many were tried."""
    infos = {name: info for name, info in server.client.object_info().items() if name.startswith(OURS)}
    allowed = place.files(server.base.parent)
    outside = str(server.base.parent / "outside")
    for i, seed in enumerate(seeds, start=1):
        case = drawn(seed, infos, outside, values.BENDS, values.GARBAGE, values.NOT_FINITE)
        how, text = tried(server, case, allowed)
        told(seed, case, how, text)
        allowed = place.files(server.base.parent) if how == verdict.OUTSIDE else allowed
        if how == verdict.HANG or server.process.poll() is not None:
            return i
    return len(seeds)


def check_prompts(server: Server) -> None:
    """Raises Trouble where a prompt that nothing was bent in does not run, or a file's sentence does not come."""
    for name, info in server.client.object_info().items():
        if name.startswith(OURS):
            how, text, wrong = answer(server.client, prompt(name, info))
            if wrong or how != (verdict.SENTENCE if name == "FSM_LoadModelScope" else verdict.RAN):
                raise Trouble(
                    f"The prompt of {name} is to run before anything is bent in it, and does not: {how} {text}"
                )


def fuzz(comfyui: Path, cases: int, seed: int, show: Callable[[str], object] = print) -> Counter[tuple[str, str]]:
    """Counts of (node, answer); what must not be is shown at once, with the seed that makes it again."""
    found: Counter[tuple[str, str]] = Counter()

    def told(number: int, case: Case, how: str, text: str) -> None:
        found[case.node, how] += 1
        if how in verdict.BAD:
            show(f"{how}: --cases 1 --seed {number}: {case.node}, {case.what}: {text[:600]}")

    with tempfile.TemporaryDirectory() as folder:
        made, at = place.make(Path(folder)), seed
        while at < seed + cases:
            with running(comfyui, made, threads=1) as server:
                if at == seed and cases > 1:
                    check_prompts(server)
                at += run(server, range(at, min(at + _EVERY, seed + cases)), told)
            show(f"{at - seed} of {cases}")
    return found


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=300)
    options.add_argument("--seed", type=int, default=0, help="of the first case; the others count on from it")
    options.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    given = options.parse_args()
    found = fuzz(Path(sys.path[0]), given.cases, given.seed, lambda line: print(line, flush=True))
    text = report.counted(found)
    print(text)
    if given.write:
        report.write(text, f"--cases {given.cases} --seed {given.seed}")
    if bad := {how: count for (_, how), count in found.items() if how in verdict.BAD}:
        sys.exit(f"error: {', '.join(bad)}")
