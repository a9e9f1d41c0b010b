"""What a person waits for: counts of calls, turned into seconds on cards of known speed. An estimate, not a
measurement; prints JSON lines.
"""

import json

import torch
from few_shot_motion.host.sampling.presets import PRESETS

from ..studies.studio import calls_per_frame
from .call import counted
from .cards import CARDS
from .real_widths import image_model, moving

STEPS = 20
SMALL, NATIVE = (40, 64), (128, 128)  # 320x512 px, 1024x1024 px


def main() -> None:
    """A clip of 16 frames by each motion, and a new frame by TI2V-Zero; two clips a call, for guidance."""
    rows = [("SD 1.5", "LAMP", SMALL), ("SD 1.5", "AnimateDiff v2", SMALL), ("ModelScope", "ModelScope", SMALL),
            ("SDXL", "LAMP", NATIVE), ("SDXL", "AnimateDiff v2", NATIVE)]  # fmt: skip
    for family, motion, size in rows:
        with torch.no_grad():
            image = image_model(family, torch.float16, "meta")
            counts = [counted(model, family, 2, size=size) for model in (image, moving(image, motion))]
        ways = {f"16 frames, {STEPS} steps": STEPS}
        if motion != "LAMP":
            ways |= {f"a new frame by Repeat-and-Slide, {preset}": calls_per_frame(preset) for preset in PRESETS}
        for way, calls in ways.items():
            plain, waits = (
                [calls * card.seconds(count.kernels, count.traffic, count.flops) for card in CARDS] for count in counts
            )
            print(json.dumps({"family": family, "motion": motion, "size": [8 * side for side in size], "way": way,
                              "calls": calls, "plain": plain, "seconds": waits}), flush=True)  # fmt: skip
