"""A server's base folder for the fuzzer: the pack, the miniature, the helper's nodes, small files; and what must not
appear beside it.
"""

import shutil
from pathlib import Path

import torch
from few_shot_motion.metrics.i3d import I3D
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.mask_predictor import PREDICTOR, MaskPredictor
from few_shot_motion.motion_modules.methods import METHODS
from few_shot_motion.motion_modules.module import MotionModule
from safetensors import safe_open

from .. import base

_UNET = "model.diffusion_model."
_MAY_CHANGE = ("output", "temp", "user", "server.log")
_OUTPUTS = ("motion_adapters", "metrics", "video_features")


def make(folder: Path) -> Path:
    """The base folder, in `folder`, with all that the prompts name."""
    import clips  # of the miniature

    place = folder / "base"
    base.prepare(place)
    package = place / "custom_nodes" / "fuzz_helper"
    package.mkdir(parents=True)
    for name, source in (("__init__.py", "helper.py"), ("values.py", "values.py")):
        shutil.copy2(Path(__file__).with_name(source), package / name)
    clips.write_training_set(place / "input" / "clips", "moves right", count=2, frames=9)
    for name in ("motion_adapters", "i3d", "diffusion_models"):
        (place / "models" / name).mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.save(I3D().state_dict(), place / "models" / "i3d" / "fuzz_i3d.pt")
    torch.save({"a": torch.zeros(2)}, place / "models" / "diffusion_models" / "no_unet.safetensors")
    with safe_open(base.WEIGHTS, "pt") as file:
        shapes = {name.removeprefix(_UNET): file.get_slice(name).get_shape() for name in file.keys()  # noqa: SIM118
                  if name.startswith(_UNET)}  # fmt: skip
    layers = MotionModule(
        METHODS["lamp"].sites({name: torch.Size(shape) for name, shape in shapes.items()}), 2, split=True
    )
    learnt = {f"{PREDICTOR}{name}": value for name, value in MaskPredictor(hidden=8).state_dict().items()}
    adapter = MotionAdapter("lamp", dict(layers.state_dict()), 2, metadata={"mask_input": "x0", "base": "Miniature"},
                            mask_tensors=learnt)  # fmt: skip
    save_adapter(adapter, place / "models" / "motion_adapters" / "fuzz_masks.safetensors")
    return place


def files(folder: Path) -> set[str]:
    """Everything around and in the base folder that no node of ours may add to."""
    place, found = folder / "base", set()
    for part in (*folder.iterdir(), *place.iterdir()):
        if part != place and not (part.parent == place and part.name in _MAY_CHANGE):
            found |= {str(file) for file in part.rglob("*") if "__pycache__" not in file.parts} | {str(part)}
    out = place / "output"
    return found | {str(part) for part in out.iterdir() if part.name not in _OUTPUTS}
