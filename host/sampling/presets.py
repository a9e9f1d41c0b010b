"""How thoroughly repeat-and-slide samples: what a preset stands for."""

from typing import NamedTuple


class Preset(NamedTuple):
    """Values of the sampler's own settings; resampling begins at the first step in all of them."""

    steps: int
    resample: int
    resample_end: float
    new_frames: int


PRESETS = {"exact": Preset(10, 4, 1.0, 1), "balanced": Preset(10, 2, 0.5, 1), "fast": Preset(8, 1, 0.3, 2)}
