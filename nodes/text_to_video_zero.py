"""Text2Video-Zero: a model that knows only pictures makes a clip whose picture moves, with any sampler of ComfyUI and
nothing trained.
"""

from comfy_api.latest import io
from torch import Tensor

from ..host.sampling.text_to_video_zero import Motion, apply_motion
from ..host.sockets import CATEGORY
from ..samplers.text_to_video_zero import BACKGROUND_SMOOTHING, T0, T1

_MODEL = "An image model: SD 1.x, SD 2.x or SDXL. The clip has as many frames as the latent batch it samples."
_MOVE_X = (
    "px of the picture by which things move to the right from frame to frame; negative is left, 0 stands still. The "
    "paper moves 12 of 512."
)
_MOVE_Y = (
    "px of the picture by which things move down from frame to frame; negative is up, 0 stands still. The paper moves "
    "12 of 512."
)
_T0 = "Timestep of 1000 at which the picture is moved. Lower: more of it is laid out already, so frames are more alike."
_T1 = "Timestep of 1000 up to which moved frames get fresh noise, above t0. Higher: frames differ more, and move less."
_BY_SIZE = (
    "On: t0 and t1 are a 512 px picture's, and smaller ones take the lower noise levels at which they show as much. "
    "Off: the levels as given."
)
_BACKGROUND_SMOOTHING = (
    "With masks only: how much of the first frame's moved background every frame takes. 0 is off, the paper takes 0.6."
)
_MASKS = (
    "White where the subject is, to smooth the background around it: one per frame, or the first frame's alone, which "
    "then moves along."
)
_MODEL_OUT = "For KSampler or SamplerCustomAdvanced, with an empty latent whose batch_size is the number of frames."


class TextToVideoZero(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_TextToVideoZero",
            display_name="Text2Video-Zero Motion",
            category=f"{CATEGORY}/sampling",
            description="Makes a clip with an image model alone: what is sampled as a batch becomes one picture that "
                        "moves steadily in one direction.",
            search_aliases=["text to video", "t2v", "zero-shot video", "camera move", "cross-frame attention",
                            "txt2vid", "gif", "animation", "loop", "文生视频"],
            inputs=[
                io.Model.Input("model", tooltip=_MODEL),
                io.Float.Input("move_x", default=12.0, min=-1024.0, max=1024.0, step=0.5, tooltip=_MOVE_X),
                io.Float.Input("move_y", default=0.0, min=-1024.0, max=1024.0, step=0.5, tooltip=_MOVE_Y),
                io.Int.Input("t0", default=T0, min=1, max=989, advanced=True, tooltip=_T0),
                io.Int.Input("t1", default=T1, min=2, max=990, advanced=True, tooltip=_T1),
                io.Float.Input("background_smoothing", default=BACKGROUND_SMOOTHING, min=0.0, max=1.0, step=0.05,
                               advanced=True, tooltip=_BACKGROUND_SMOOTHING),
                io.Mask.Input("masks", optional=True, tooltip=_MASKS),
                io.Boolean.Input("by_size", default=True, optional=True, advanced=True, tooltip=_BY_SIZE),
            ],
            outputs=[io.Model.Output(tooltip=_MODEL_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(
        cls,
        model,
        move_x: float,
        move_y: float,
        t0: int,
        t1: int,
        background_smoothing: float,
        masks: Tensor | None = None,
        by_size: bool = True,
    ) -> io.NodeOutput:
        if t0 >= t1:
            raise ValueError(
                f"t0 is {t0} and t1 is {t1}, but noise is added from t0 up to t1: set t1 above t0, as the paper's {T1} "
                f"above {T0}."
            )
        return io.NodeOutput(
            apply_motion(model, Motion((move_x, move_y), t0, t1, masks, background_smoothing, by_size))
        )


NODES = [TextToVideoZero]
