"""What a training says of itself: short lines for the node."""

from ...motion_modules.adapter import MotionAdapter
from ...training.loop import Run


def outcome(adapter: MotionAdapter, run: Run, steps: int) -> list[str]:
    """Of a run that came to its end; `steps` were asked for."""
    last = run.learnt[-50:]
    lines = [f"{adapter.describe()}, loss {sum(last) / len(last):.4f}"]
    if len(run.losses) > steps:
        lines.append(
            f"{len(run.losses)} steps were kept and {steps} asked for: nothing was learnt anew, this is the kept one."
        )
    if run.skipped:
        lines.append(f"{run.skipped} of {len(run.losses)} steps were left out, their gradients were no numbers.")
    return lines
