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
from few_shot_motion.motion_modules.mask_predictor import resize_masks
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
        """A clip uint8 `f h w 3`, or `f h w 4` as `with_masks` makes it. given: its first frame was the case's own;
        else its course is held against the one from where its subject begins, and nothing is said of the jump behind a
        first frame.
        """
        clip, masks = clip[..., :3], clip[..., 3:]
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
            "psnr": lambda: float(-10 * np.log10(np.square((clip - case.draw().astype(np.float64)) / 255).mean())),
        }
        if masks.size:
            by_hand |= {
                "mask_iou": lambda: mask_iou(masks, self._subjects(clip, case), world.CELL),
                "mask_iou_px": lambda: mask_iou(masks, self._subjects(clip, case), 1),
            }
        if not given:
            del by_hand["first_frame_jump"]
        by_hand |= {name: partial(float, value) for name, value in course.items()}
        return {name: by_hand[name]() for name in measures if name in by_hand}

    def together(self, clips: Sequence[np.ndarray], measures: Sequence[str]) -> dict[str, float]:
        """What can be measured of several clips only."""
        if "diversity" not in measures or len(clips) < 2:
            return {}
        return {"diversity": round(clip_scores.diversity([self._seen(clip[..., :3]) for clip in clips]), 6)}

    def _course(self, clip: np.ndarray, case: Case, given: bool) -> dict[str, float]:
        if given:
            return measure.measure_clip(clip, case.scene, case.states)
        return second_opinion.of(clip, case.caption) or followed(clip, case)

    def _sharpness(self, clip: np.ndarray, case: Case) -> float:
        exact = world.draw(case.scene, case.states[0])
        return float(np.mean([_edges(frame) for frame in clip])) / _edges(exact)

    def _seen(self, clip: np.ndarray) -> torch.Tensor:
        return self.pair.embed_images(torch.from_numpy(clip).movedim(-1, 1).float() / 255)

    @staticmethod
    def _subjects(clip: np.ndarray, case: Case) -> torch.Tensor:
        """Where the subject is in each frame as drawn, `f h w`."""
        found = [measure.find_subject(frame, (case.scene.shape,)) for frame in clip]
        return torch.stack(
            [torch.zeros(clip.shape[1:3]) if s is None else torch.from_numpy(s.mask).float() for s in found]
        )


def _edges(picture: np.ndarray) -> float:
    """How far apart neighbouring px of a picture uint8 `h w 3` are where they are furthest apart, in levels of 255; a
    blur of 1 px leaves a third.
    """
    levels = picture.astype(np.float32)
    across, down = np.diff(levels, axis=1)[:-1], np.diff(levels, axis=0)[:, :-1]
    return float(np.percentile(np.hypot(across, down).max(axis=-1), _EDGES))


def with_masks(clip: np.ndarray, masks: torch.Tensor) -> np.ndarray:
    """A clip uint8 `f h w 3` and, in a fourth channel, how surely a predictor takes each of its latent's positions for
    the subject, `f h w` from 0 to 1.
    """
    large = (masks * 255).round().byte().repeat_interleave(world.CELL, 1).repeat_interleave(world.CELL, 2)
    return np.concatenate([clip, large.numpy()[..., None]], axis=-1)


def mask_iou(masks: np.ndarray, subjects: torch.Tensor, size: int) -> float:
    """Mean IoU of masks as `with_masks` has them and subjects `f h w`, frames 1 and on, in squares of so many px."""
    said = torch.from_numpy(masks[:, :: world.CELL, :: world.CELL, 0]).float() / 255
    height, width = (length // size for length in subjects.shape[1:])
    a, b = (resize_masks(each, height, width) >= 0.5 for each in (said, subjects))
    both, either = (a & b).sum(dim=(1, 2)), (a | b).sum(dim=(1, 2))
    return float((both / either.clamp(min=1))[1:].mean())
