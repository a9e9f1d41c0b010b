"""ComfyUI's base directory for our servers: pack, miniature and a checkpoint linked in, results beside them."""

import shutil
from pathlib import Path

from .interpreter import ROOT, STATE

BASE = STATE / "base"
MINIATURE = ROOT / "miniature"
WEIGHTS = MINIATURE / "models" / "checkpoints" / "miniature.safetensors"
FIGURES = WEIGHTS.with_name("figures.safetensors")  # the second edition's, which has to be trained first
PACK = "few-shot-motion"


def prepare(folder: Path, checkpoint: Path | None = None) -> str:
    """Make or complete the base directory; returns the checkpoint's name in CheckpointLoaderSimple's list."""
    for name in ("custom_nodes", "models/checkpoints", "input", "output", "user"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    link(ROOT, folder / "custom_nodes" / PACK)
    link(MINIATURE, folder / "custom_nodes" / f"{PACK}-miniature")
    if checkpoint is None:
        return WEIGHTS.name  # the miniature's package shows ComfyUI where it is
    link(checkpoint, folder / "models" / "checkpoints" / checkpoint.name)
    return checkpoint.name


def without_figures() -> str:
    """A sentence: that there is no checkpoint of figures, and what makes it."""
    python, state, output = ".venv/bin/python", (STATE / "miniature2").relative_to(ROOT), FIGURES.relative_to(ROOT)
    return (
        f"there is no {FIGURES.name} among the checkpoints yet: train it with `{python} miniature/train_autoencoder.py "
        f"--folder {state}` and then `{python} dev/inside.py .dev/ComfyUI train_figures --folder {state} --output "
        f"{output}`, hours of a CPU"
    )


def link(source: Path, place: Path) -> None:
    """Put a file or folder at `place` too, as a link where the system allows one; an earlier link there goes."""
    if place.is_symlink():
        place.unlink()
    try:
        place.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:  # Windows lets only some users make links, and an older copy may be in the place
        if source.is_dir():
            shutil.copytree(
                source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git", ".venv", ".dev", "__pycache__")
            )
        else:
            shutil.copy2(source, place)
