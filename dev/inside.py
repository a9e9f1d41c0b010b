"""Run one of this repository's scripts as ComfyUI's own Python sees it, with the pack as a package beside it; started
by commands, never imported.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(comfyui: str, script: str, arguments: list[str]) -> None:
    """`script`: a module with main(), of miniature/ or of dev/, `train` or `dev.studies.ti2v`."""
    sys.path[:1] = [comfyui, str(ROOT / "miniature")]  # in place of this folder, whose server.py would hide ComfyUI's
    import comfy.cli_args
    import torch

    comfy.cli_args.args.cpu = not torch.accelerator.is_available()  # before anything else of comfy asks for a device
    for name, folder in (("few_shot_motion", ROOT), ("dev", ROOT / "dev")):  # without running the pack's entry
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        sys.modules[name] = importlib.util.module_from_spec(spec)  # pyright: ignore
    sys.argv = [f"python3 dev ({script})", *arguments]
    importlib.import_module(script).main()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
