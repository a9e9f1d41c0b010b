"""The page of `python3 dev bench`: every table of its words is there, and a goal says whether it was met."""

import re

from dev.benching import page
from dev.benching.cases import CASES, FILES, GOALS


def known(ratio: float) -> dict:
    """Results in which every case took so many times the image model's time."""
    found = {"seconds": 2.0, "ratio": ratio, "peak": 4e9, "save": 1.0, "load": 1.0, "bytes": 1}
    return {"cases": {case.name: found for case in CASES}}


def test_every_case_and_every_goal_has_a_row_and_no_place_is_left_open():
    text = page.page(known(1.0))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for case in CASES:
        assert any(line.startswith(f"| {case.motion.removeprefix(FILES)} |" if case.motion.startswith(FILES) else
                                   f"| {case.name} |") for line in rows), case.name  # fmt: skip
    assert all(any(line.startswith(f"| {goal.words} |") for line in rows) for goal in GOALS)
    assert not re.findall(r"^\{\w+\}$", text, re.M)


def test_a_goal_is_met_up_to_its_bound_and_missed_beyond():
    words = "LAMP, one call, of the image model's"
    row = {ratio: next(line for line in page.page(known(ratio)).splitlines() if line.startswith(f"| {words} |"))
           for ratio in (1.22, 1.23)}  # fmt: skip
    assert row[1.22].endswith("| 1.22x | 1.22x | met |") and row[1.23].endswith("| 1.22x | 1.23x | missed |")


def test_cases_are_told_apart():
    assert len({case.name for case in CASES}) == len(CASES)
