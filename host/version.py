"""Which ComfyUI this is, and whether the pack works with it. Imports nothing that an older ComfyUI may lack."""

import logging
import re

OLDEST = "0.26.0"  # docs/versions.md; older ones lack what training needs, much older ones leave motion out in silence


def found() -> str:
    """ComfyUI's version; empty where it is so old that it does not say."""
    try:
        import comfyui_version
    except ImportError:
        return ""
    return comfyui_version.__version__


def is_supported() -> bool:
    """Whether this ComfyUI is new enough; where it is not, one sentence in the log says so."""
    version = found()
    if version and _numbers(version) >= _numbers(OLDEST):
        return True
    there = f"this is {version}" if version else "this one is too old to name its version"
    logging.error(
        f"Few-Shot Motion needs ComfyUI {OLDEST} or newer and {there}, so none of its nodes are there: update ComfyUI."
    )
    return False


def _numbers(version: str) -> tuple[int, ...]:
    """`0.26.0` -> (0, 26, 0); what follows the numbers of a development version counts for nothing."""
    return tuple(int(part) for part in re.match(r"[\d.]*", version)[0].split(".") if part)
