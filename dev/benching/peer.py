"""diffusers' own AnimateDiff and ModelScope, the same networks at the same width, beside ComfyUI's image model; prints
a JSON line.
"""

import json
import sys
from collections.abc import Callable

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
    row = row_of_numbers(device, dtype)
    lay_over(image.model, row)
    clip = options.family, options.clips, options.frames, tuple(options.size)
    call, theirs = prepared(image, *clip), call_of(network(options.family, row), *clip)
    turns = []
    for _ in range(options.repeats + 1):
        own = seconds_of(call, device)
        turns.append([seconds_of(theirs, device), own])
    print(json.dumps(medians(turns[1:])))


def network(family: str, row: torch.Tensor) -> torch.nn.Module:
    """diffusers' own for a family of models, its weights parts of one row of numbers."""
    sys.path.insert(0, str(STATE / "diffusers"))
    import diffusers

    with torch.device("meta"):
        theirs = (diffusers.UNet3DConditionModel() if family == "ModelScope" else
                  diffusers.UNetMotionModel(cross_attention_dim=768, use_motion_mid_block=True))  # fmt: skip
    lay_over(theirs, row)
    return theirs.eval()


def call_of(theirs: torch.nn.Module, family: str, clips: int, frames: int, size: tuple[int, int]) -> Callable:
    """A call of diffusers' network with random clips."""
    like = next(theirs.parameters())
    x = torch.randn(clips, 4, frames, *size).to(like)
    each = clips * (1 if family == "ModelScope" else frames)
    text = torch.randn(each, 77, FAMILIES[family][1]["context_dim"]).to(like)
    return lambda: theirs(x, 500, encoder_hidden_states=text)
