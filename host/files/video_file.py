"""Videos as they come to a node: decoded here, so that a damaged one is named and not quoted in another library's
words.
"""

from pathlib import Path

from ...motion_modules.adapter import AdapterError
from ..inputs.frames import pictures

_DAMAGED = (OSError, ValueError, LookupError, AssertionError, TypeError, AttributeError, MemoryError,
            RuntimeError, ArithmeticError)  # fmt: skip


def components_of(video, which: str):
    """A VIDEO's pictures, sound and rate. `which`: what it is called where it has no file's name, "Clip 3" say.

    Raises AdapterError, one sentence, where it cannot be decoded, ValueError where its pictures are none.
    """
    from av.error import FFmpegError  # slow, and needed with a video only

    try:
        found = video.get_components()
    except (FFmpegError, *_DAMAGED) as error:
        why = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        raise AdapterError(
            f"{which}{_name_of(video)} cannot be read as a video ({why}): it is damaged or none, take it out or make "
            "it again."
        ) from error
    pictures(found.images, f"{which}{_name_of(video)}")
    return found


def _name_of(video) -> str:
    """Its file's name in brackets, nothing where it has none."""
    try:
        source = video.get_stream_source()
    except Exception:  # of whatever made the video: a name is a courtesy
        return ""
    return f" ({Path(source).name})" if isinstance(source, str) else ""
