"""A clip of figures as it is read off its pictures, without networks: every part once, and only if it is asked for."""

import math
from functools import cached_property

import background_motion
import courses
import numpy as np
from reading import Reading
from stage import Shot


class ClipReading:
    """A clip uint8 (f, 128, 128, 3), held against the exact shot."""

    def __init__(self, clip: np.ndarray, shot: Shot):
        self.clip, self.shot = clip, shot

    @cached_property
    def readings(self) -> list[list[Reading | None]]:
        """Of every actor."""
        return [courses.read_actor(self.clip, self.shot, k) for k in range(len(self.shot.actors))]

    @cached_property
    def first(self) -> dict[str, float]:
        """The first actor as courses.measure_figure has it, and period_error, of its gait's period relative to the
        exact one, at most 1; 1 where nothing swings."""
        found = courses.measure_figure(self.clip, self.shot, 0, self.readings[0])
        ratio = found["period_ratio"]
        return found | {"period_error": 1.0 if math.isnan(ratio) else min(abs(ratio - 1), 1.0)}

    @cached_property
    def second(self) -> dict[str, float]:
        """The second actor as courses.measure_figure has it."""
        return courses.measure_figure(self.clip, self.shot, 1, self.readings[1])

    @cached_property
    def figures(self) -> list[np.ndarray]:
        """The pixels of every actor where it was read, bool (f, 128, 128) each."""
        return [background_motion.drawn_where_read(of, self.shot, k) for k, of in enumerate(self.readings)]

    @cached_property
    def background(self) -> dict[str, float]:
        """background_change of a still camera's clip, flow_error, flow_length and flow_cosine of any other's. What
        moves in the exact clip is no background, nor is where figures were read."""
        moving = np.logical_or.reduce([background_motion.movers(self.shot), *self.figures])
        if self.shot.camera == "still":
            return {"background_change": background_motion.background_change(self.clip, moving)}
        return background_motion.measure_background(self.clip, self.shot, moving)
