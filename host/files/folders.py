"""Where motion adapters live: models/motion_adapters for what a user downloads, output/motion_adapters for what is
trained here.

AnimateDiff's own folders, models/animatediff_models and models/animatediff_motion_lora, are read where they exist or
another pack named them.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import folder_paths

from ...motion_modules.adapter import AdapterError
from ...motion_modules.diffusers_folder import is_part, weights_in
from ...motion_modules.writing import refuse_to_write

NAME = "motion_adapters"
_ANIMATEDIFF = ("animatediff_models", "animatediff_motion_lora")
_LONGEST = 255  # bytes in a file's name, on every system this runs on


def register() -> None:
    """Add our folders to ComfyUI's, beside any the user named in extra_model_paths.yaml."""
    models = Path(folder_paths.models_dir)
    add(NAME, models / NAME, saved_folder())
    for name in _ANIMATEDIFF:
        if (models / name).is_dir():
            add(name, models / name)


def add(name: str, *roots: Path) -> None:
    """Make folders of weights known to ComfyUI under a name; core gives a name that is new to it no extensions, which
    would list any file.
    """
    for root in roots:
        folder_paths.add_model_folder_path(name, str(root))
    paths, extensions = folder_paths.folder_names_and_paths[name]
    folder_paths.folder_names_and_paths[name] = (paths, set(extensions) | folder_paths.supported_pt_extensions)


def saved_folder() -> Path:
    """Where this pack writes adapters: output/motion_adapters, which may not be there yet."""
    return Path(folder_paths.get_output_directory()) / NAME


def _known() -> list[str]:
    return [name for name in (NAME, *_ANIMATEDIFF) if name in folder_paths.folder_names_and_paths]


def _roots() -> list[str]:
    return [root for name in _known() for root in folder_paths.get_folder_paths(name)]


def adapter_names() -> list[str]:
    """Adapter files, and the folders of released UNets, as they stand in the loader's list: what is listed can be
    loaded, or says in a sentence why not.
    """
    files = {file for name in _known() for file in folder_paths.get_filename_list(name)}
    folders = {Path(file).parent.as_posix() for file in files if Path(file).name.startswith("diffusion_pytorch_model")}
    names = {file for file in files if not is_part(Path(file).name) and not file.endswith(".resume.safetensors")}
    return sorted(names | {folder for folder in folders - {"."} if _holds_weights(folder)}, key=_in_counting_order)


def _in_counting_order(name: str) -> list[tuple[int, str]]:
    """A run's steps as they were learnt: rain_900_steps before rain_1000_steps."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts] + [(-1, name)]


def _holds_weights(folder: str) -> bool:
    return any(weights_in(Path(root) / folder) for root in _roots())


def adapter_path(name: str) -> Path:
    """The file or folder of that name; links are followed, as ComfyUI follows them.

    Raises AdapterError where no folder holds the name, where it leads out of them, or a link leads nowhere.
    """
    for root in _roots():
        if (path := _inside(Path(root), name)) is None:
            continue
        if os.path.exists(path):
            return path
        if any(os.path.islink(step) for step in (path, *path.parents) if len(str(step)) > len(root)):
            raise AdapterError(
                f"The motion adapter {name!r} is a link in {root} that leads nowhere or in a circle: put the file "
                "itself there, or mend the link."
            )
    roots = ", ".join(_roots())
    raise AdapterError(
        f"There is no motion adapter {name!r} in {roots}: put the file there and refresh, or choose another."
    )


def _inside(folder: Path, name: str) -> Path | None:
    """`name` in `folder` by its words alone, None where `..` or a root in it leads out: what a link leads to is its
    owner's choice, what a workflow writes is not.
    """
    root = os.path.abspath(folder)
    path = os.path.abspath(os.path.join(root, name)) if "\0" not in name else root
    return Path(path) if path.startswith(root.rstrip(os.sep) + os.sep) else None


def kept_file(name: str, suffix: str) -> Path:
    """A file of a training run, in output/motion_adapters. Raises AdapterError for a name that leads out of it."""
    return file_in(saved_folder(), name, f"{suffix}.safetensors", "a run")


def file_in(folder: Path, name: str, ending: str, what: str) -> Path:
    """A file a user names. Raises AdapterError where the name is empty or leads out of the folder."""
    file = _inside(folder, f"{name}{ending}")
    if not name.strip("/.") or file is None or len(file.name.encode()) > _LONGEST:
        raise AdapterError(f"{name!r} is no name for {what} in {folder}: use letters and digits, and / for subfolders.")
    return file


def new_files(prefix: str) -> Iterator[Path]:
    """Numbered names in output/motion_adapters, from the next free one on: `rain` -> `rain_00001_.safetensors` …

    Raises AdapterError where that folder cannot be, or the prefix leads out of it.
    """
    file_in(saved_folder(), prefix, "_00001_.safetensors", "an adapter")
    try:
        folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, str(saved_folder()))
    except OSError as error:
        refuse_to_write(saved_folder() / prefix, error)
    return (Path(folder) / f"{name}_{number:05}_.safetensors" for number in range(counter, 100_000))
