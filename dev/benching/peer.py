"""diffusers' own AnimateDiff and ModelScope, the same networks at the same width, beside ComfyUI's image model; prints
a JSON line.
"""

import json
import sys

import comfy.model_management
import torch

from ..interpreter import STATE
from .call import prepared
from .case import medians, parser, seconds_of
from .real_widths import FAMILIES, image_model, lay_over, row_of_numbers


@torch.inference_mode()
def main() -> None:
    """Time diffusers' network and the image model by turns, both with weights of one row of numbers: no memory
    is said of it.
    """
    options = parser().parse_args()
    device = comfy.model_management.get_torch_device()
    dtype = torch.float32 if device.type == "cpu" else torch.float16
    image = image_model(options.family, dtype, "meta")
    image.load_device = device
    theirs = network(options.family)
    row = row_of_numbers(device, dtype)
    for model in (image.model, theirs):
        lay_over(model, row)
    call = prepared(image, options.family, options.clips, options.frames, tuple(options.size))
    x = torch.randn(options.clips, 4, options.frames, *options.size, device=device, dtype=dtype)
    width = FAMILIES[options.family][1]["context_dim"]
    each = options.clips * (1 if options.family == "ModelScope" else options.frames)
    text = torch.randn(each, 77, width, device=device, dtype=dtype)
    turns = []
    for _ in range(options.repeats + 1):
        own = seconds_of(call, device)
        turns.append([seconds_of(lambda: theirs(x, 500, encoder_hidden_states=text), device), own])
    print(json.dumps(medians(turns[1:])))


def network(family: str) -> torch.nn.Module:
    """diffusers' own for a family of models, on "meta"."""
    sys.path.insert(0, str(STATE / "diffusers"))
    import diffusers

    with torch.device("meta"):
        return (diffusers.UNet3DConditionModel() if family == "ModelScope" else
                diffusers.UNetMotionModel(cross_attention_dim=768, use_motion_mid_block=True)).eval()  # fmt: skip
