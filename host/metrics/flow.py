"""The warping error's flow, its definition in words, and its picture."""

import comfy.model_management
import torch
from torch import Tensor
from torch.nn import functional as F

from ...metrics.flow import lucas_kanade
from ...metrics.warping import WarpingError
from ..files.weights_file import weights_fingerprint
from .pictures import flow_colours

LAI, HOMOGRAPHY = "Lai et al.", "homography, only to compare with the recurrent paper"


def definition(variant: str) -> str:
    """What the error's number is made of, for the report."""
    if variant == LAI:
        return (
            "error: mean square per colour, frames in [0, 1], bilinear, occlusions and what leaves the picture left out"
        )
    return (
        "error: one homography per pair, fitted to the flow; squares of 255 levels, three colours summed, all pixels: "
        "comparable with no warping error but the recurrent paper's, whose homography came from ORB features"
    )


def flow_of(patcher):
    """A flow estimator and its name."""
    device = comfy.model_management.get_torch_device()
    if patcher is None:
        return (
            lambda a, b: lucas_kanade(a.to(device), b.to(device)).cpu()
        ), "Lucas-Kanade on a pyramid, no model (papers use RAFT)"

    def raft(a: Tensor, b: Tensor) -> Tensor:
        comfy.model_management.load_model_gpu(patcher)
        h, w = a.shape[-2:]
        padding = (0, max(128, -(-w // 8) * 8) - w, 0, max(128, -(-h // 8) * 8) - h)
        a, b = (F.pad(x.to(patcher.load_device) * 2 - 1, padding, mode="replicate") for x in (a, b))
        with torch.no_grad():
            return patcher.model(a, b)[-1][..., :h, :w].float().cpu()

    count = sum(p.numel() for p in patcher.model.parameters())
    return raft, f"{type(patcher.model).__name__} of {count} weights, their sha256 {weights_fingerprint(patcher.model)}"


def frames_and_flow(i: int, video: Tensor, result: WarpingError) -> dict[str, Tensor]:
    """Two named rows of a contact sheet, f-1 3 h w each: a video's frames and the flow that leads on from them."""
    return {
        f"video {i + 1}": video[:-1],
        f"flow {i + 1}\n{float(result.motion.mean()):.2g} px": flow_colours(result.flow),
    }
