"""A motion behind core's TorchCompileModel, beside itself and its image model uncompiled: not in `python3 dev bench`,
for its compiling takes minutes; docs/performance.md says how it is started. Prints a JSON line.
"""

import json
import time
from functools import partial

import comfy.model_management
import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_api.torch_helpers.torch_compile import TORCH_COMPILE_KWARGS
from few_shot_motion.host.patching.compiled import COMPILED
from few_shot_motion.motion_modules.call import KEY
from torch._dynamo.utils import counters

from .call import loaded
from .case import parser, seconds_of
from .real_widths import image_model, moving


@torch.inference_mode()
def main() -> None:
    """Time image model and motion, compiled and not, by turns; first calls are told apart, for they compile."""
    words = parser()
    words.add_argument("--backend", default="inductor")
    options = words.parse_args()
    device = comfy.model_management.get_torch_device()
    image = image_model(options.family, torch.float32 if device.type == "cpu" else torch.float16)
    plain = {"image model": image, "motion": moving(image, options.motion)}
    models = {**plain, **{f"{name}, compiled": _compiled(model, options.backend) for name, model in plain.items()}}
    seconds, first = {}, {}
    for turn in range(options.repeats + 1):
        for name, model in models.items():
            call = loaded(model, options.family, options.clips, options.frames, tuple(options.size))
            if turn:
                seconds[name] = min(seconds_of(call, device), seconds.get(name, float("inf")))
            else:
                begun = time.perf_counter()
                call()
                first[name] = time.perf_counter() - begun
    refused = models["motion, compiled"].get_attachment(KEY).compiled.refused
    graphs = {"graphs": counters["stats"]["unique_graphs"], "breaks": sum(counters["graph_break"].values())}
    print(json.dumps({"seconds": seconds, "first call": first, **graphs, "refused": refused}))


def _compiled(model, backend: str):
    """The MODEL behind core's node, its settings where our samplers' wrapper would put them for a call."""
    patched = model.clone(disable_dynamic=True)
    set_torch_compile_wrapper(model=patched, backend=backend)
    if stack := patched.get_attachment(KEY):
        run = partial(stack.compiled.run, patched.model_options[TORCH_COMPILE_KWARGS])
        patched.model_options["transformer_options"][COMPILED] = run
    return patched
