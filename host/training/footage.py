"""Clips as people have them, frame by frame: decoded, brought to a frame rate and a size, never all in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import comfy.utils
import numpy as np
import torch
from comfy_api.latest import InputImpl
from torch import Tensor

from ...training.clips import at_rate
from ..files.video_file import components_of

_CHUNK = 16  # frames that are scaled and encoded at once
_THUMBNAIL = 16  # px


@dataclass
class Footage:
    """One clip of a training, a VIDEO or an IMAGE batch: `chunks` reads it, the rest is known afterwards.

    frame_step: every so many-th frame; fps: frames a second to bring a video to, 0 for its own, and only where
    frame_step is 1; size: (width, height) in px to scale and crop to, (0, 0) to keep.
    """

    clip: Tensor | InputImpl.VideoFromFile
    number: int
    frame_step: int
    fps: float
    size: tuple[int, int]
    indices: list[int] = field(default_factory=list)  # of the frames taken
    total: int = 0  # frames of the clip itself
    source: tuple[int, int] = (0, 0)  # its own width and height, px
    rate: float = 0.0  # frames a second of what was taken, 0 where nobody knows
    thumbnails: list[Tensor] = field(default_factory=list, repr=False)

    def chunks(self) -> Iterator[Tensor]:
        """Its frames `f h w 3`, 0 to 1, a few at a time.

        Raises ValueError where a video cannot be read.
        """
        waiting: list[Tensor] = []
        for frame in self._frames():
            waiting.append(frame)
            if len(waiting) == _CHUNK:
                yield self._scaled(waiting)
                waiting = []
        if waiting:
            yield self._scaled(waiting)

    def _scaled(self, frames: list[Tensor]) -> Tensor:
        pictures = torch.stack(frames)
        if all(self.size):
            scaled = comfy.utils.common_upscale(pictures.movedim(-1, 1), *self.size, "area", "center")
            pictures = scaled.movedim(1, -1)
        grey = pictures.mean(dim=-1)[:, None]
        self.thumbnails += torch.nn.functional.adaptive_avg_pool2d(grey, _THUMBNAIL)[:, 0]
        return pictures

    def _frames(self) -> Iterator[Tensor]:
        """Those of its frames that are taken, one by one."""
        if isinstance(self.clip, InputImpl.VideoFromFile) and hasattr(self.clip, "get_active_trim_window"):
            yield from self._decoded()
            return
        if isinstance(self.clip, Tensor):
            images, own = self.clip, 0.0
        else:
            components = components_of(self.clip, f"Clip {self.number}")
            images, own = components.images, float(components.frame_rate)
        self.total, self.source = len(images), (images.shape[2], images.shape[1])
        for i in self._taken((i / own for i in range(len(images))) if own else iter(range(len(images))), own):
            self.indices.append(i)
            yield images[i, ..., :3]

    def _taken(self, times, own: float) -> Iterator[int]:
        """Which frames are taken, of a clip with `own` frames a second (0: nobody knows) shown at `times`."""
        by_rate = self.fps if own and self.frame_step == 1 else 0.0
        resampled = by_rate and own > 1.01 * by_rate
        self.rate = by_rate if resampled else own / self.frame_step
        return (i for i in at_rate(times, own, by_rate) if i % self.frame_step == 0)

    def _decoded(self) -> Iterator[Tensor]:
        import av  # slow, and needed with a video only

        try:
            with av.open(self.clip.get_stream_source()) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                yield from self._from(container, stream)
        except (av.error.FFmpegError, IndexError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"Clip {self.number} cannot be read as a video ({reason}): take it out, or convert it to .mp4."
            ) from error

    def _from(self, container, stream) -> Iterator[Tensor]:
        from av.error import InvalidDataError

        start, duration = self.clip.get_active_trim_window()
        if start:
            container.seek(int(start / stream.time_base), stream=stream)
        own, newest = float(stream.average_rate or 0), []

        def times() -> Iterator[float]:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except InvalidDataError:  # as core does: what is damaged is left out
                    continue
                for frame in frames:
                    time = frame.time if frame.time is not None else self.total / (own or 1.0)
                    if time < start - 1e-6:
                        continue
                    if duration and time >= start + duration:
                        return
                    self.total += 1
                    newest[:] = [frame]
                    yield time - start

        for i in self._taken(times(), own):
            self.indices.append(i)
            picture = newest[0].to_ndarray(format="rgb24")
            turns = round(newest[0].rotation / 90) % 4
            picture = np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
            self.source = picture.shape[1], picture.shape[0]
            yield torch.from_numpy(picture).float() / 255


def seconds(footage: Footage, frames: int) -> str:
    """How long a training window of so many frames lasts, in words."""
    if not footage.rate:
        return f"A training window is {frames} frames."
    return f"A training window is {frames} frames, {frames / footage.rate:.1f} s of the clips at {footage.rate:g} fps."
