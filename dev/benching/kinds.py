"""Which kinds of operations a motion's call spends more time in than its image model's, by PyTorch's profiler; prints
JSON lines.
"""

import json
from collections import Counter

import torch

from .call import loaded
from .real_widths import image_model, moving

MOTIONS, TURNS, SHOWN = ("LAMP", "LAMP rank 32"), 5, 8


@torch.inference_mode()
def main() -> None:
    """SD 1.5, one clip of 8 frames of 16 x 16 latents: what motion takes beyond the image model, by turns, in calls of
    the image model.
    """
    image = image_model("SD 1.5", torch.float32)
    for motion in MOTIONS:
        own, more, moved = Counter(), Counter(), moving(image, motion)
        for _ in range(TURNS):
            own.update(_seconds(image))
            more.update(_seconds(moved))
        more.subtract(own)
        most = sorted(more.items(), key=lambda pair: -abs(pair[1]))[:SHOWN]
        by = {name: seconds / own.total() for name, seconds in most}
        print(json.dumps({"motion": motion, "more": more.total() / own.total(), "by": by}), flush=True)


def _seconds(model) -> Counter:
    """Seconds of a call by operation, its own time alone."""
    call, found = loaded(model, "SD 1.5", 1, 8, (16, 16)), Counter()
    call()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        call()
    for event in profile.key_averages():
        found[event.key.removeprefix("aten::")] += event.self_cpu_time_total / 1e6
    return found
