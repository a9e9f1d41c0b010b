"""A clip of the miniature's second edition that nobody trained on, as studies name and animate it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import stage
from stage import Shot


@dataclass(frozen=True)
class FigureCase:
    """Who is before which camera, and what exactly happens."""

    shot: Shot

    @property
    def caption(self) -> str:
        """Who is where and what happens, as the training captions say it."""
        return self.shot.caption()

    @property
    def start(self) -> dict[str, Any]:
        """All that makes it, for names of files."""
        return asdict(self.shot)

    @property
    def first_frame(self) -> np.ndarray:
        """Exact, uint8 `h w 3`."""
        return stage.paint(self.shot, 0).levels()

    @property
    def first_mask(self) -> np.ndarray:
        """Where the first actor is in it, bool `h w`."""
        return stage.body(stage.part_masks(self.shot, 0), 0) > 0.5

    def draw(self) -> np.ndarray:
        """The exact clip, uint8 `f h w 3`."""
        return stage.draw_clip(self.shot)
