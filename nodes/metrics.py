"""Nodes that measure motion: the warping error, and the jump behind a given first frame. The other metric nodes are listed here too."""

import math

import comfy.model_management
import torch
from comfy_api.latest import io
from torch import Tensor
from torch.nn import functional as F

from ..metrics.first_frame import LEAST_FRAMES, Steps, steps
from ..metrics.flow import lucas_kanade
from ..metrics.warping import WarpingError, homography_error, warping_error
from . import clip_metrics, frechet_metrics
from .metric_inputs import Progress, Videos, clips_input
from .metric_pictures import contact_sheet, curves, flow_colours
from .metric_report import Measurement, Series, report_output, table_input
from .motion import CATEGORY
from .weights_file import weights_fingerprint

OpticalFlow = io.Custom("OPTICAL_FLOW")  # core's: a ModelPatcher around torchvision's RAFT
_VIDEOS = "A list of videos, or of image batches: one video each, all of one size."
_LAI, _HOMOGRAPHY = "Lai et al.", "homography, only to compare with the recurrent paper"
_SHOWN = 4  # videos in the picture


class WarpingErrorNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_WarpingError",
            display_name="Warping Error",
            category=CATEGORY,
            description="Measures flicker: how far each frame is from the next one moved back along its optical flow, where both can be seen.",
            search_aliases=["flicker", "temporal consistency", "optical flow", "E_warp", "evaluate video"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                clips_input("videos", _VIDEOS),
                io.Combo.Input("variant", options=[_LAI, _HOMOGRAPHY], default=_LAI, advanced=True,
                               tooltip="Lai et al.: along the optical flow, without what is hidden in one of the frames. The other one knows no motion but "
                               "the camera's."),
                table_input("table"),
                OpticalFlow.Input("optical_flow", optional=True,
                                  tooltip="From Load Optical Flow Model (RAFT), as papers use. Without it, the flow is computed by Lucas and Kanade's "
                                  "method, which needs no model."),
            ],
            outputs=[io.Float.Output(display_name="error", tooltip="Mean over pairs of frames and over videos; 0 is perfect, and also a still video."),
                     io.Float.Output(display_name="motion", tooltip="Mean length of the flow in px per frame: near 0, the error says nothing."),
                     io.Float.Output(display_name="visible", tooltip="Share of the pixels that count, 0 to 1; the rest is hidden in one of two frames."),
                     report_output(),
                     io.Image.Output(display_name="picture", tooltip="Frames and their flow: hue is the direction, white is still."),
                     io.Image.Output(display_name="curves", tooltip="Error and motion from frame to frame, a line per video.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, videos, variant, table, optical_flow=(None,)) -> io.NodeOutput:
        clips = Videos(videos, least=2)
        flow, model = _flow(optical_flow[0])
        progress = Progress(len(clips))
        rows: dict[str, Tensor] = {}
        errors, visible = [], []
        series: Series = {"error from frame to frame": [], "motion in px": []}
        for i, video in enumerate(clips):
            listen = comfy.model_management.throw_exception_if_processing_interrupted
            result = warping_error(video, flow, listen)
            per_pair = result.errors if variant[0] == _LAI else homography_error(video, flow, listen)
            errors.append(float(per_pair.nanmean()))
            visible.append(float(result.visible.mean()))
            series["error from frame to frame"].append(per_pair)
            series["motion in px"].append(result.motion)
            if i < _SHOWN:
                rows |= _frames_and_flow(i, video, result)
            progress.tick()
        motion = [float(line.mean()) for line in series["motion in px"]]
        numbers = {name: math.fsum(values) / len(values) for name, values in (("error", errors), ("motion", motion), ("visible", visible))}
        lines = [f"flow: {model}, on the videos themselves, both ways", clips.describe(), _definition(variant[0]),
                 "motion: mean length of the flow in px per frame; visible: share of the pixels that count"]  # fmt: skip
        found = Measurement(f"Warping error ({variant[0]})", numbers, lines, str(len(clips)), series)
        return found.output(table[0], contact_sheet(rows), curves(series))


def _definition(variant: str) -> str:
    if variant == _LAI:
        return "error: mean square per colour, frames in [0, 1], bilinear, occlusions and what leaves the picture left out"
    return ("error: one homography per pair, fitted to the flow; squares of 255 levels, three colours summed, all pixels: comparable with no "
            "warping error but the recurrent paper's, whose homography came from ORB features")  # fmt: skip


def _flow(patcher):
    """A flow estimator and its name."""
    device = comfy.model_management.get_torch_device()
    if patcher is None:
        return (lambda a, b: lucas_kanade(a.to(device), b.to(device)).cpu()), "Lucas-Kanade on a pyramid, no model (papers use RAFT)"

    def raft(a: Tensor, b: Tensor) -> Tensor:
        comfy.model_management.load_model_gpu(patcher)
        h, w = a.shape[-2:]
        padding = (0, max(128, -(-w // 8) * 8) - w, 0, max(128, -(-h // 8) * 8) - h)
        a, b = (F.pad(x.to(patcher.load_device) * 2 - 1, padding, mode="replicate") for x in (a, b))
        with torch.no_grad():
            return patcher.model(a, b)[-1][..., :h, :w].float().cpu()

    count = sum(p.numel() for p in patcher.model.parameters())
    return raft, f"{type(patcher.model).__name__} of {count} weights, their sha256 {weights_fingerprint(patcher.model)}"


def _frames_and_flow(i: int, video: Tensor, result: WarpingError) -> dict[str, Tensor]:
    return {f"video {i + 1}": video[:-1], f"flow {i + 1}\n{float(result.motion.mean()):.2g} px": flow_colours(result.flow)}


class FirstFrameJump(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_FirstFrameJump",
            display_name="First-Frame Jump",
            category=CATEGORY,
            description="Measures the jump behind a given first frame: the step in brightness and colour from frame 0 to 1, beyond that of the steps after it.",
            search_aliases=["first frame", "colour shift", "brightness jump", "image to video", "evaluate video"],
            is_input_list=True,
            is_output_node=True,
            inputs=[clips_input("videos", _VIDEOS), table_input("table")],
            outputs=[io.Float.Output(display_name="luminance_jump", tooltip="In levels of 255, mean over the videos; 0 is no jump."),
                     io.Float.Output(display_name="colour_jump", tooltip="In levels of 255, mean over the videos; 0 is no jump."),
                     report_output(),
                     io.Image.Output(display_name="curves", tooltip="The steps from frame to frame, a line per video.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, videos, table) -> io.NodeOutput:
        clips = Videos(videos, least=LEAST_FRAMES)
        progress = Progress(len(clips))
        seen: list[Steps] = []
        for video in clips:
            seen.append(steps(video))
            progress.tick()
        mean = lambda values: math.fsum(values) / len(seen)  # noqa: E731
        numbers = {
            "luminance_jump": mean([video.luminance_jump for video in seen]),
            "colour_jump": mean([video.colour_jump for video in seen]),
        }
        first = mean([float(video.luminance[0]) for video in seen])
        lines = [f"first step in luminance: {first:.4g}", clips.describe(),
                 "in levels of 255: step of a frame's mean from frame 0 to 1, less the median of the steps after it; luminance Rec. 709, colour the two "
                 "differences B - Y and R - Y"]  # fmt: skip
        series: Series = {"step in luminance": [video.luminance for video in seen], "step in colour": [video.colour for video in seen]}
        found = Measurement("First-frame jump", numbers, lines, str(len(clips)), series)
        return found.output(table[0], curves(series))


NODES = [*clip_metrics.NODES, WarpingErrorNode, *frechet_metrics.NODES, FirstFrameJump]
