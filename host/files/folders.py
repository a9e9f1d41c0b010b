"""Where motion adapters live: models/motion_adapters for what a user downloads, output/motion_adapters for what is
trained here.

AnimateDiff's own folders, models/animatediff_models and models/animatediff_motion_lora, are read where they exist or
another pack named them.
"""

from pathlib import Path

import folder_paths

from ...motion_modules.adapter import AdapterError

NAME = "motion_adapters"
_ANIMATEDIFF = ("animatediff_models", "animatediff_motion_lora")


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
    """Adapter files, and the folders of released UNets, as they stand in the loader's list."""
    names = {file for name in _known() for file in folder_paths.get_filename_list(name)}
    for root in _roots():
        names |= {
            path.parent.relative_to(root).as_posix() for path in Path(root).glob("*/**/diffusion_pytorch_model.*")
        }
    return sorted(name for name in names if not name.endswith(".resume.safetensors"))


def adapter_path(name: str) -> Path:
    """Raises AdapterError where no folder holds the name."""
    for root in _roots():
        path = (Path(root) / name).resolve()
        if path.is_relative_to(Path(root).resolve()) and path.exists():
            return path
    roots = ", ".join(_roots())
    raise AdapterError(
        f"There is no motion adapter {name!r} in {roots}: put the file there and refresh, or choose another."
    )


def kept_file(name: str, suffix: str) -> Path:
    """A file of a training run, in output/motion_adapters. Raises AdapterError for a name that leads out of it."""
    return file_in(saved_folder(), name, f"{suffix}.safetensors", "a run")


def file_in(folder: Path, name: str, ending: str, what: str) -> Path:
    """A file a user names. Raises AdapterError where the name is empty or leads out of the folder."""
    file = (folder / f"{name}{ending}").resolve()
    if not name or not file.is_relative_to(folder.resolve()):
        raise AdapterError(f"{name!r} is no name for {what} in {folder}: use letters and digits, and / for subfolders.")
    return file


def new_file(prefix: str) -> Path:
    """The next free numbered name in output/motion_adapters: `rain` -> `rain_00001_.safetensors`.

    Raises AdapterError where that folder cannot be.
    """
    try:
        folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, str(saved_folder()))
    except OSError as error:
        raise AdapterError(
            f"{prefix} could not be written to {saved_folder()} ({error}): choose a folder you may write to."
        ) from error
    return Path(folder) / f"{name}_{counter:05}_.safetensors"
