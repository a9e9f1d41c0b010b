"""Nodes that measure motion: the warping error, and the jump behind a given first frame.

The other metric nodes are listed here too.
"""

import math

import comfy.model_management
from comfy_api.latest import io
from torch import Tensor

from ..host.metrics.flow import HOMOGRAPHY, LAI, definition, flow_of, frames_and_flow
from ..host.metrics.inputs import Progress, Videos, clips_input
from ..host.metrics.pictures import contact_sheet, curves
from ..host.metrics.report import Measurement, Series, report_output, table_input
from ..host.sockets import CATEGORY, OpticalFlow
from ..metrics.first_frame import LEAST_FRAMES, Steps, steps
from ..metrics.warping import homography_error, warping_error
from . import clip_metrics, frechet_metrics

_VIDEOS = "A list of videos, or of image batches: one video each, all of one size."
_SHOWN = 4  # videos in the picture
_VARIANT = (
    "Lai et al.: along the optical flow, without what is hidden in one of the frames. The other one knows no motion "
    "but the camera's."
)
_OPTICAL_FLOW = (
    "From Load Optical Flow Model (RAFT), as papers use. Without it, the flow is computed by Lucas and Kanade's "
    "method, which needs no model."
)
_ERROR_OUT = "Mean over pairs of frames and over videos; 0 is perfect, and also a still video."
_MOTION_OUT = "Mean length of the flow in px per frame: near 0, the error says nothing."
_VISIBLE_OUT = "Share of the pixels that count, 0 to 1; the rest is hidden in one of two frames."
_PICTURE_OUT = "Frames and their flow: hue is the direction, white is still."
_CURVES_OUT = "Error and motion from frame to frame, a line per video."
_LUMINANCE_JUMP_OUT = "In levels of 255, mean over the videos; 0 is no jump."
_STEPS_OUT = "The steps from frame to frame, a line per video."
_COLOUR_JUMP_OUT = "In levels of 255, mean over the videos; 0 is no jump."


class WarpingErrorNode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_WarpingError",
            display_name="Warping Error",
            category=f"{CATEGORY}/metrics",
            description="Measures flicker: how far each frame is from the next one moved back along its optical flow, "
                        "where both can be seen.",
            search_aliases=["flicker", "temporal consistency", "optical flow", "E_warp", "evaluate video", "闪烁",
                            "评测视频"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                clips_input("videos", _VIDEOS),
                io.Combo.Input("variant", options=[LAI, HOMOGRAPHY], default=LAI, advanced=True, tooltip=_VARIANT),
                table_input("table"),
                OpticalFlow.Input("optical_flow", optional=True, tooltip=_OPTICAL_FLOW),
            ],
            outputs=[io.Float.Output(display_name="error", tooltip=_ERROR_OUT),
                     io.Float.Output(display_name="motion", tooltip=_MOTION_OUT),
                     io.Float.Output(display_name="visible", tooltip=_VISIBLE_OUT),
                     report_output(),
                     io.Image.Output(display_name="picture", tooltip=_PICTURE_OUT),
                     io.Image.Output(display_name="curves", tooltip=_CURVES_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(cls, videos, variant, table, optical_flow=(None,)) -> io.NodeOutput:
        clips = Videos(videos, least=2)
        flow, model = flow_of(optical_flow[0])
        progress = Progress(len(clips))
        rows: dict[str, Tensor] = {}
        errors, visible = [], []
        series: Series = {"error from frame to frame": [], "motion in px": []}
        for i, video in enumerate(clips):
            listen = comfy.model_management.throw_exception_if_processing_interrupted
            result = warping_error(video, flow, listen)
            per_pair = result.errors if variant[0] == LAI else homography_error(video, flow, listen)
            errors.append(float(per_pair.nanmean()))
            visible.append(float(result.visible.mean()))
            series["error from frame to frame"].append(per_pair)
            series["motion in px"].append(result.motion)
            if i < _SHOWN:
                rows |= frames_and_flow(i, video, result)
            progress.tick()
        motion = [float(line.mean()) for line in series["motion in px"]]
        numbers = {
            name: math.fsum(values) / len(values)
            for name, values in (("error", errors), ("motion", motion), ("visible", visible))
        }
        lines = [
            f"flow: {model}, on the videos themselves, both ways",
            clips.describe(),
            definition(variant[0]),
            "motion: mean length of the flow in px per frame; visible: share of the pixels that count",
        ]
        found = Measurement(f"Warping error ({variant[0]})", numbers, lines, str(len(clips)), series)
        return found.output(table[0], contact_sheet(rows), curves(series))


class FirstFrameJump(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_FirstFrameJump",
            display_name="First-Frame Jump",
            category=f"{CATEGORY}/metrics",
            description="Measures the jump behind a given first frame: the step in brightness and colour from frame 0 "
                        "to 1, beyond that of the steps after it.",
            search_aliases=["colour shift", "brightness jump", "evaluate video", "first-frame jump", "color shift",
                            "首帧跳变", "评测视频"],
            is_input_list=True,
            is_output_node=True,
            inputs=[clips_input("videos", _VIDEOS), table_input("table")],
            outputs=[io.Float.Output(display_name="luminance_jump", tooltip=_LUMINANCE_JUMP_OUT),
                     io.Float.Output(display_name="colour_jump", tooltip=_COLOUR_JUMP_OUT),
                     report_output(),
                     io.Image.Output(display_name="curves", tooltip=_STEPS_OUT)],
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
        how = (
            "in levels of 255: step of a frame's mean from frame 0 to 1, less the median of the steps after it; "
            "luminance Rec. 709, colour the two differences B - Y and R - Y"
        )
        lines = [f"first step in luminance: {first:.4g}", clips.describe(), how]
        series: Series = {
            "step in luminance": [video.luminance for video in seen],
            "step in colour": [video.colour for video in seen],
        }
        found = Measurement("First-frame jump", numbers, lines, str(len(clips)), series)
        return found.output(table[0], curves(series))


NODES = [*clip_metrics.NODES, WarpingErrorNode, *frechet_metrics.NODES, FirstFrameJump]
