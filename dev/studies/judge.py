"""What can be measured of a clip of the miniature's world: its course, exactly; what papers print, by the miniature's
own CLIP and by the clip's own flow.
"""

from collections.abc import Callable, Sequence
from functools import partial

import measure
import numpy as np
import torch
import world
from few_shot_motion.host.metrics.clip_file import from_file
from few_shot_motion.metrics import clip_scores, first_frame
from few_shot_motion.metrics.flow import lucas_kanade
from few_shot_motion.metrics.warping import warping_error
from testset import Case

from .. import second_opinion
from .studio import followed

CLIP = "miniature_clip.safetensors"
_EDGES = 99.5  # percentile: half a percent of a picture are its subject's edges


class Judge:
    """Measures clips by name; the miniature's CLIP, which knows its captions, is loaded once."""

    def __init__(self):
        self.pair = from_file(CLIP)

    def of(self, clip: np.ndarray, case: Case, given: bool, measures: Sequence[str]) -> dict[str, float]:
        """A clip uint8 `f h w 3`. given: its first frame was the case's own; else its course is held against the one
        from where its subject begins, and nothing is said of the jump behind a first frame.
        """
        video = torch.from_numpy(clip).movedim(-1, 1).float() / 255
        course = self._course(clip, case, given)
        by_hand: dict[str, Callable[[], float]] = {
            "background_change": lambda: measure.background_change(clip, case.scene.shape),
            "sharpness": lambda: self._sharpness(clip, case),
            "first_frame_jump": lambda: first_frame.steps(video).luminance_jump,
            "warping_error": lambda: warping_error(video, lucas_kanade).mean,
            "alignment": lambda: clip_scores.alignment(self._seen(clip), self.pair.embed_text(case.caption)),
            "consistency": lambda: clip_scores.consistency(self._seen(clip)),
            "clip_temp": lambda: clip_scores.clip_temp(self._seen(clip)),
        }
        if not given:
            del by_hand["first_frame_jump"]
        by_hand |= {name: partial(float, value) for name, value in course.items()}
        return {name: by_hand[name]() for name in measures if name in by_hand}

    def _course(self, clip: np.ndarray, case: Case, given: bool) -> dict[str, float]:
        if given:
            return measure.measure_clip(clip, case.scene, case.states)
        return second_opinion.of(clip, case.caption) or followed(clip, case)

    def _sharpness(self, clip: np.ndarray, case: Case) -> float:
        exact = world.draw(case.scene, case.states[0])
        return float(np.mean([_edges(frame) for frame in clip])) / _edges(exact)

    def _seen(self, clip: np.ndarray) -> torch.Tensor:
        return self.pair.embed_images(torch.from_numpy(clip).movedim(-1, 1).float() / 255)


def _edges(picture: np.ndarray) -> float:
    """How far apart neighbouring px of a picture uint8 `h w 3` are where they are furthest apart, in levels of 255; a
    blur of 1 px leaves a third.
    """
    levels = picture.astype(np.float32)
    across, down = np.diff(levels, axis=1)[:-1], np.diff(levels, axis=0)[:, :-1]
    return float(np.percentile(np.hypot(across, down).max(axis=-1), _EDGES))
