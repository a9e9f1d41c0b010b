"""Videos to be measured, one after the other: decoded when their turn comes, checked, counted."""

from collections import Counter
from collections.abc import Iterator

import comfy.model_management
import comfy.utils
import torch
from comfy_api.latest import io
from torch import Tensor

from ...metrics.i3d_input import View
from ..files.video_file import components_of

_REMEMBERED = 8  # first frames, for a picture


def clips_input(name: str, tooltip: str, optional: bool = False):
    """A node's input for videos as VIDEO or IMAGE batch; the node takes them as a list."""
    return io.MultiType.Input(name, [io.Video, io.Image], optional=optional, tooltip=tooltip)


class Videos:
    """Iterates over a list of VIDEOs and IMAGE batches as `f c h w` in [0, 1], and knows afterwards what it has seen.

    With a view only its frames, and as many are needed. Raises ValueError where sizes differ, or a video is shorter
    than `least`.
    """

    def __init__(self, clips: list, what: str = "videos", least: int = 1, view: View | None = None):
        self.clips, self.what, self.view = clips, what, view
        self.least = view.frames if view else least
        self.sizes: Counter[str] = Counter()
        self.frames: Counter[int] = Counter()
        self.rates: Counter[str] = Counter()
        self._first: list[Tensor] = []

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Tensor]:
        self.sizes, self.frames, self.rates, self._first = Counter(), Counter(), Counter(), []
        for i, clip in enumerate(self.clips):
            comfy.model_management.throw_exception_if_processing_interrupted()
            yield self._checked(i, clip)

    def _checked(self, i: int, clip) -> Tensor:
        if isinstance(clip, Tensor):
            images = clip
        else:
            components = components_of(clip, f"Number {i + 1} of the {self.what}")
            images = components.images
            self.rates[f"{float(components.frame_rate):g}"] += 1
        size = f"{images.shape[2]}x{images.shape[1]}"
        if len(images) < self.least:
            raise ValueError(
                f"Number {i + 1} of the {self.what} has {len(images)} frames, {self.least} are needed: use longer ones."
            )
        images = images[self.view.places(len(images)) if self.view else slice(None), ..., :3]
        if self.sizes and size not in self.sizes:
            first = next(iter(self.sizes))
            raise ValueError(
                f"The {self.what} have different sizes ({first}, {size}): scale them to one, a number over both would "
                "mix two things."
            )
        self.sizes[size] += 1
        self.frames[len(images)] += 1
        video = images.float().clamp(0, 1).movedim(-1, 1)
        if i < _REMEMBERED:
            self._first.append(video[0].clone())
        return video

    def first_frames(self) -> Tensor:
        """Of the first few videos: n c h w."""
        return torch.stack(self._first)

    def describe(self) -> str:
        """Behind a whole iteration: count, frames, size, range, rate."""
        frames = " or ".join(str(n) for n in sorted(self.frames))
        rate = f", {' or '.join(self.rates)} frames per second" if self.rates else ""
        which = f" ({self.view.which} of each)" if self.view else ""
        return f"{self.what}: {len(self)} of {frames} frames{which}, {next(iter(self.sizes))}, RGB in [0, 1]{rate}"


class Progress:
    """ComfyUI's bar, one tick at a time; Cancel is heard at every tick."""

    def __init__(self, total: int):
        self.bar = comfy.utils.ProgressBar(total)

    def tick(self) -> None:
        """One video more is done. Raises InterruptProcessingException where the user has cancelled."""
        self.bar.update(1)
        comfy.model_management.throw_exception_if_processing_interrupted()
