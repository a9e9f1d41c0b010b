"""How numbers are handed over: as a text that says how they came about, as data beside the videos, and to whoever asked
through the API.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..files import table_file
from ..said import say

_TABLE = (
    "Name of a table in output/metrics: a line of numbers more in its .csv, an entry with every frame's in its .json; "
    "empty: none."
)
Series = dict[str, list[Tensor]]  # name -> per video, a value a frame or pair of frames


def table_input(name: str):
    """A metric node's last setting: the table that `Measurement.output` adds to."""
    return io.String.Input(name, default="", advanced=True, tooltip=_TABLE)


def report_output():
    """A metric node's output for `Measurement.report`."""
    return io.String.Output(display_name="report", tooltip="The numbers, and everything one must know to compare them.")


@dataclass(frozen=True)
class Measurement:
    """What a metric node found: numbers in the order of its outputs, and all one must know to compare them."""

    title: str
    numbers: dict[str, float]
    how: list[str]  # model, file, size, range, frames, count: a sentence each
    videos: str  # how many
    series: Series = field(default_factory=dict)

    @property
    def report(self) -> str:
        """The numbers below each other, and how they came about."""
        width = max(map(len, self.numbers))
        return "\n".join(
            [self.title, *(f"{name:<{width}}  {short(value)}" for name, value in self.numbers.items()), *self.how]
        )

    @property
    def data(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: what is not defined is null."""
        series = {
            name: [[_plain(value) for value in line.tolist()] for line in lines] for name, lines in self.series.items()
        }
        numbers = {name: _plain(value) for name, value in self.numbers.items()}
        return {"title": self.title, "numbers": numbers, "how": self.how, "videos": self.videos, "per frame": series}

    def output(self, table: str, *pictures: Tensor, shown: Sequence[str] = ()) -> io.NodeOutput:
        """A metric node's outputs: its numbers (or those shown), the report, pictures.

        Adds them to a table where one is named.
        """
        if table:
            table_file.add(table, self.data)
        numbers = [self.numbers[name] for name in shown or self.numbers]
        say(", ".join(f"{name} {short(value)}" for name, value in self.numbers.items()))
        return io.NodeOutput(
            *numbers, self.report, *pictures, ui={"text": (self.report,), "numbers": (self.data["numbers"],)}
        )


def short(value: float) -> str:
    """Six digits, for people; NaN in words."""
    return "not defined" if math.isnan(value) else f"{value:.6g}"


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
