"""A run's diary beside its adapter: `<name>/losses.csv`, `<name>/settings.json`, and its sample clips."""

import json
import logging
import math
from pathlib import Path

from ...motion_modules.adapter import AdapterError
from ...motion_modules.writing import write_whole
from ...training.loop import Run
from .curve import smoothed

_LOG = logging.getLogger("few_shot_motion")


class Diary:
    """Writes what a run's user may want to look at later; a disk that will not have it ends nothing."""

    def __init__(self, folder: Path, settings: dict[str, object], lines: list[str]):
        self.folder, self.settings, self.lines = folder, settings, lines

    def write(self, run: Run) -> None:
        """Losses (empty: a skipped step) with their running mean, and the settings, as they are by now."""
        rows = [
            f"{step},{'' if math.isnan(loss) else f'{loss:.6g}'},{'' if math.isnan(mean) else f'{mean:.6g}'}"
            for step, (loss, mean) in enumerate(zip(run.losses, smoothed(run.losses), strict=True), start=1)
        ]
        content = {**self.settings, "steps_done": len(run.losses), "steps_skipped": run.skipped, "notes": self.lines}
        self._write("losses.csv", "\n".join(["step,loss,running_mean", *rows, ""]))
        self._write("settings.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def _write(self, name: str, text: str) -> None:
        try:
            write_whole(self.folder / name, lambda part: Path(part).write_text(text, encoding="utf-8"))
        except AdapterError as error:
            _LOG.warning("The training goes on, but its diary is not written: %s", error)
