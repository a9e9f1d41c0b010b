"""What can be measured of a clip of the miniature's second edition: how its figures go against their exact course, how
its background moves against its camera, where a predictor sees the first figure.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import world
from clip_reading import ClipReading

from .figure_case import FigureCase
from .judge import mask_iou


class FigureJudge:
    """Measures clips by name, by the world's own readers, without networks.

    found, colours_kept, limb_correlation, period_error, path_error  of the first figure, second_found of the
    second, where there is one, background_change where the camera is still, flow_error, flow_length and flow_cosine
    where it is not: as clip_reading.py has them.
    mask_iou  what a predictor says against the first figure where it was read, at the latents' size, where there are
              masks; mask_iou_px, in pixels.
    """

    def of(self, clip: np.ndarray, case: FigureCase, given: bool, measures: Sequence[str]) -> dict[str, float]:
        """A clip uint8 `f h w 3`, or `f h w 4` as judge.with_masks makes it. given: of no account, every clip is held
        against the course of its case.
        """
        seen, masks = ClipReading(clip[..., :3], case.shot), clip[..., 3:]
        by_hand: dict[str, Callable[[], float]] = {
            name: lambda name=name: seen.first[name]
            for name in ("found", "colours_kept", "limb_correlation", "period_error", "path_error")
        }
        if len(case.shot.actors) > 1:
            by_hand["second_found"] = lambda: seen.second["found"]
        flow = ("flow_error", "flow_length", "flow_cosine")
        for name in ("background_change",) if case.shot.camera == "still" else flow:
            by_hand[name] = lambda name=name: seen.background[name]
        for name, size in (("mask_iou", world.CELL), ("mask_iou_px", 1)) if masks.size else ():
            by_hand[name] = lambda size=size: mask_iou(masks, torch.from_numpy(seen.figures[0]).float(), size)
        return {name: by_hand[name]() for name in measures if name in by_hand}

    def together(self, clips: Sequence[np.ndarray], measures: Sequence[str]) -> dict[str, float]:
        """Nothing is measured of several clips together."""
        return {}
