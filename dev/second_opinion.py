"""What the miniature's world knows exactly about a clip of it: beside the metrics that papers print, for which it is
the judge.
"""

import sys

import numpy as np

from . import base

sys.path.append(str(base.MINIATURE))
import measure  # noqa: E402
import world  # noqa: E402

CAPTIONS = {scene.caption(motion): (scene, motion) for scene in world.all_scenes() for motion in world.MOTIONS}
MEASURES = ("direction_cosine", "displacement_ratio", "path_error", "colour_kept", "shape_iou", "found")
_LEAST = 4  # frames


def of(clip: np.ndarray, caption: str) -> dict[str, float]:
    """How a clip uint8 (f, h, w, 3) follows the course that its caption names from where its first frame shows the
    subject, as long as that course stays in the picture. Nothing for captions, sizes and places the world cannot
    judge."""
    if caption not in CAPTIONS or clip.shape[1:3] != (world.CELLS * world.CELL,) * 2:
        return {}
    scene, motion = CAPTIONS[caption]
    start = measure.find_subject(clip[0], (scene.shape,))
    if start is None:
        return {}
    states = world.path(motion, world.State(start.x, start.y, start.size), len(clip))
    leaves = next((i for i, state in enumerate(states) if not _inside(state)), len(states))
    if leaves < _LEAST:
        return {}
    found = measure.measure_clip(clip[:leaves], scene, states[:leaves])
    return {name: found[name] for name in MEASURES}


def _inside(state: world.State) -> bool:
    half = state.size / 2 - 0.5  # half a cell may hang over: found places are not exact
    return all(half <= place <= world.CELLS - half for place in (state.x, state.y))
