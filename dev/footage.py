"""Real video files as a user has them lying around: three sizes, two rates, no captions."""

import io
import shutil
from pathlib import Path

import av

from . import archives
from .trouble import Trouble

# 640x272 and 1280x720 at 25, 176x144 at 30 frames per second
CLIPS = ("bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4")


def copy_clips(folder: Path) -> None:
    """Make a new folder with the real clips in it, fetched where they are not there yet."""
    source = archives.fetch(archives.FOOTAGE)
    folder.mkdir(parents=True)
    for name in CLIPS:
        shutil.copy2(source / name, folder / name)


def first_frame(video: Path) -> bytes:
    """The first frame of a video as PNG."""
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            content = io.BytesIO()
            frame.to_image().save(content, "png")
            return content.getvalue()
    raise Trouble(f"{video} has no picture in it")
