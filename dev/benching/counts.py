"""Every motion at every real width, counted on the meta device; prints JSON lines."""

import json
import sys

import torch

from .call import counted
from .real_widths import MOTIONS, PLAIN, image_model, moving


def main() -> None:
    """Count each motion of the families named, with one clip and with two."""
    for family in sys.argv[1:] or MOTIONS:
        own = {}
        for motion in (PLAIN, *MOTIONS[family]):
            with torch.no_grad():
                model = moving(image_model(family, torch.float16, "meta"), motion)
            for clips in (1, 2):
                count = counted(model, family, clips)
                own.setdefault(clips, count)
                print(json.dumps({"family": family, "motion": motion, "clips": clips, "kernels": count.kernels,
                                  "bytes": count.traffic, "flops": count.flops,
                                  "more_kernels": count.kernels / own[clips].kernels,
                                  "more_bytes": count.traffic / own[clips].traffic,
                                  "more_flops": count.flops / own[clips].flops}), flush=True)  # fmt: skip
