"""diffusers' own AnimateDiff, the same network at the same width, beside ComfyUI's image model: prints a JSON line."""

import json
import statistics
import sys

import comfy.model_management
import torch

from ..interpreter import STATE
from .call import prepared
from .case import parser, seconds_of
from .real_widths import image_model


@torch.inference_mode()
def main() -> None:
    """Time diffusers' UNetMotionModel and the image model by turns, both with weights of one row of numbers: no memory
    is said of it.
    """
    options = parser().parse_args()
    sys.path.insert(0, str(STATE / "diffusers"))
    import diffusers

    device = comfy.model_management.get_torch_device()
    dtype = torch.float32 if device.type == "cpu" else torch.float16
    image = image_model("SD 1.5", dtype, "meta")
    image.load_device = device
    with torch.device("meta"):
        theirs = diffusers.UNetMotionModel(cross_attention_dim=768, use_motion_mid_block=True)
    row = 0.02 * torch.randn(2**26, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    for network in (image.model, theirs.eval()):
        lay_over(network, row)
    call = prepared(image, "SD 1.5", options.clips, options.frames, tuple(options.size))
    x = torch.randn(options.clips, 4, options.frames, *options.size, device=device, dtype=dtype)
    text = torch.randn(options.clips * options.frames, 77, 768, device=device, dtype=dtype)
    turns = []
    for _ in range(options.repeats + 1):
        own = seconds_of(call, device)
        turns.append((seconds_of(lambda: theirs(x, 500, encoder_hidden_states=text), device), own))
    seconds, plain = (statistics.median(times) for times in zip(*turns[1:], strict=True))
    ratio = statistics.median(their / own for their, own in turns[1:])
    print(json.dumps({"seconds": seconds, "plain": plain, "ratio": ratio}))


def lay_over(network: torch.nn.Module, row: torch.Tensor) -> None:
    """Make every weight of a network on "meta" a part of one row of numbers: it computes as much, and holds little."""
    at = 0
    for module in network.modules():
        for kind, named in (("parameters", module._parameters), ("buffers", module._buffers)):
            for name, value in named.items():
                if value is not None and value.is_meta:
                    at = 0 if at + value.numel() > len(row) else at
                    part = row[at : at + value.numel()].view(value.shape)
                    named[name] = torch.nn.Parameter(part, False) if kind == "parameters" else part.clone()
                    at += value.numel()
