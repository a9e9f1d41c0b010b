"""Folders of training clips in ComfyUI's input folder: videos, and beside each a text file of the same name."""

import os
from pathlib import Path, PurePath

import folder_paths

VIDEOS = {".mp4", ".avi", ".mov", ".webm", ".mkv", ".flv"}  # core's, so that both find the same clips


def clip_folders() -> list[str]:
    """Folders under the input folder that hold videos, links followed; names with slashes on every system."""
    found, seen = [], set()
    inputs = folder_paths.get_input_directory()
    for place, folders, files in os.walk(inputs, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back into what was listed
            folders.clear()
            continue
        seen.add(real)
        name = PurePath(place).relative_to(inputs).as_posix()
        if name != "." and any(PurePath(file).suffix.lower() in VIDEOS for file in files):
            found.append(name)
    return sorted(found)


def clips_in(folder: str) -> list[tuple[Path, str | None]]:
    """The videos of a folder in the order of their names, each with the text of its `.txt` file, None without one.

    Raises ValueError for a folder that is not there or holds no videos, and for text that is not UTF-8.
    """
    inputs = Path(folder_paths.get_input_directory())
    place = inputs / folder
    if PurePath(folder).is_absolute() or ".." in PurePath(folder).parts or not place.is_dir():
        raise ValueError(
            f"There is no folder {folder!r} in {inputs}: put the clips there and refresh, or choose another."
        )
    videos = sorted(
        (file for file in place.iterdir() if file.suffix.lower() in VIDEOS and file.is_file()),
        key=lambda file: file.name,
    )
    if not videos:
        raise ValueError(
            f"The folder {folder!r} holds no videos: put clips there that end in {', '.join(sorted(VIDEOS))}."
        )
    return [(video, _text(video.with_suffix(".txt"))) for video in videos]


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip() if file.exists() else None
    except UnicodeDecodeError as error:
        raise ValueError(f"The caption {file.name} is no UTF-8 text: save it as UTF-8.") from error
