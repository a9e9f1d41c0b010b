"""What can be measured of a clip of the miniature's second edition: how its figures go against their exact course, how
its background moves against its camera, where a predictor sees the first figure.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import background_motion
import courses
import numpy as np
import torch
import world
from stage import Shot

from .figure_case import FigureCase
from .judge import mask_iou


class FigureJudge:
    """Measures clips by name, by the world's own readers, without networks.

    found, colours_kept, limb_correlation, path_error  of the first figure, as courses.measure_figure has them.
    period_error         of its gait, relative to the exact one, at most 1; 1 where nothing swings.
    second_colours_kept  colours_kept of the second figure, where there is one.
    background_change    of a still camera's clip; flow_error, flow_length, flow_cosine of any other's
                         (background_motion.py).
    mask_iou             what a predictor says against the first figure where it was read, at the latents' size, where
                         there are masks; mask_iou_px, in pixels.
    """

    def of(self, clip: np.ndarray, case: FigureCase, given: bool, measures: Sequence[str]) -> dict[str, float]:
        """A clip uint8 `f h w 3`, or `f h w 4` as judge.with_masks makes it. given: of no account, every clip is held
        against the course of its case.
        """
        seen, shot, masks = _Seen(clip[..., :3], case.shot), case.shot, clip[..., 3:]
        by_hand: dict[str, Callable[[], float]] = {
            name: lambda name=name: seen.first[name]
            for name in ("found", "colours_kept", "limb_correlation", "path_error")
        }
        by_hand["period_error"] = lambda: _period_error(seen.first["period_ratio"])
        if len(shot.actors) > 1:
            by_hand["second_colours_kept"] = lambda: courses.measure_figure(seen.clip, shot, 1)["colours_kept"]
        if shot.camera == "still":
            by_hand["background_change"] = lambda: background_motion.background_change(seen.clip, seen.moving)
        else:
            by_hand |= {
                name: lambda name=name: seen.background[name] for name in ("flow_error", "flow_length", "flow_cosine")
            }
        if masks.size:
            by_hand |= {
                "mask_iou": lambda: mask_iou(masks, seen.first_figure, world.CELL),
                "mask_iou_px": lambda: mask_iou(masks, seen.first_figure, 1),
            }
        return {name: by_hand[name]() for name in measures if name in by_hand}

    def together(self, clips: Sequence[np.ndarray], measures: Sequence[str]) -> dict[str, float]:
        """Nothing is measured of several clips together."""
        return {}


class _Seen:
    """What is read off a clip, each once and only if it is asked for."""

    def __init__(self, clip: np.ndarray, shot: Shot):
        self.clip, self.shot = clip, shot

    @cached_property
    def readings(self) -> list[list]:
        """Of every actor."""
        return [courses.read_actor(self.clip, self.shot, k) for k in range(len(self.shot.actors))]

    @cached_property
    def first(self) -> dict[str, float]:
        """The first figure's measures."""
        return courses.measure_figure(self.clip, self.shot, 0, self.readings[0])

    @cached_property
    def figures(self) -> list[np.ndarray]:
        """The pixels of every actor where it was read, bool `f h w` each."""
        return [background_motion.drawn_where_read(of, self.shot, k) for k, of in enumerate(self.readings)]

    @cached_property
    def first_figure(self) -> torch.Tensor:
        """The first actor's, 0 or 1, `f h w`."""
        return torch.from_numpy(self.figures[0]).float()

    @cached_property
    def moving(self) -> np.ndarray:
        """What is no background, bool `f h w`: where something moves in the exact clip, and where figures were read."""
        return np.logical_or.reduce([background_motion.movers(self.shot), *self.figures])

    @cached_property
    def background(self) -> dict[str, float]:
        """Its flow against the camera's."""
        return background_motion.measure_background(self.clip, self.shot, self.moving)


def _period_error(ratio: float) -> float:
    return 1.0 if math.isnan(ratio) else min(abs(ratio - 1), 1.0)
