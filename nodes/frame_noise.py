"""Nodes for noise that the frames of a clip have in common: at the start, and in every step of samplers that draw more
of it.
"""

from comfy_api.latest import io

from ..host.patching.image_model import CELL
from ..host.said import say
from ..host.sampling.advice import of_frame_noise
from ..host.sampling.frame_noise import ClipNoise, sharing_sampler
from ..host.sockets import CATEGORY
from ..samplers.noise import STRATEGIES

_STRATEGY = (
    "independent: each frame its own. shared: each frame a mixture with frame 0's. autoregressive: with the frame "
    "before it. warped: with frame 0's, moved."
)
_ALPHA = "Weight of what is shared: 0 independent, 1 the same noise in every frame. LAMP uses 0.2."
_UNIT = (
    "Off: the papers' formula, whose smaller variance (0.68 at alpha 0.2) makes stiller clips. On: every frame's noise "
    "has variance 1, as models expect."
)
_UNIT_IN_STEPS = (
    "On: every frame's noise has variance 1, as samplers expect. Off: the papers' formula, which shrinks it (0.68 at "
    "alpha 0.2)."
)
_MOVE_X = (
    "Warped only: px of the picture by which the noise moves to the right from frame to frame, in whole steps of 8; "
    "negative is left."
)
_MOVE_Y = (
    "Warped only: px of the picture by which the noise moves down from frame to frame, in whole steps of 8; negative "
    "is up."
)
_SEED = "Frame by frame from this seed: a longer clip begins like a shorter one."
_SAMPLER = "A sampler that draws noise in its steps: euler_ancestral, dpmpp_sde, dpmpp_2m_sde, lcm, ..."
_SAMPLER_OUT = "For SamplerCustomAdvanced; its noise's seed is the seed of the steps too, frame by frame."


class FrameNoise(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_FrameNoise",
            display_name="Shared/Autoregressive Noise",
            category=f"{CATEGORY}/noise",
            description="Noise that the frames of a clip have in common, so that they start alike: LAMP's shared "
                        "noise, a chain from frame to frame, or noise that moves.",
            search_aliases=["LAMP noise", "shared noise", "video noise", "autoregressive noise", "warped noise",
                            "flicker", "few-shot", "共享噪声", "闪烁"],
            inputs=[
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=True,
                             tooltip=_SEED),
                io.Combo.Input("strategy", options=list(STRATEGIES), default="shared", tooltip=_STRATEGY),
                io.Float.Input("alpha", default=0.2, min=0.0, max=1.0, step=0.01, tooltip=_ALPHA),
                io.Boolean.Input("keep_unit_variance", default=False, advanced=True, tooltip=_UNIT),
                io.Float.Input("move_x", default=0.0, min=-1024.0, max=1024.0, step=1.0, optional=True, advanced=True,
                               tooltip=_MOVE_X),
                io.Float.Input("move_y", default=0.0, min=-1024.0, max=1024.0, step=1.0, optional=True, advanced=True,
                               tooltip=_MOVE_Y),
            ],
            outputs=[io.Noise.Output(tooltip="For First-Frame-Conditioned KSampler or SamplerCustomAdvanced.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, seed: int, strategy: str, alpha: float, keep_unit_variance: bool, move_x: float = 0.0, move_y: float = 0.0
    ) -> io.NodeOutput:
        for remark in of_frame_noise(strategy, move_x, move_y):
            say(remark)
        return io.NodeOutput(ClipNoise(seed, strategy, alpha, keep_unit_variance, (move_x / CELL, move_y / CELL)))


class SamplerFrameNoise(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_SamplerFrameNoise",
            display_name="Sampler with Shared Noise",
            category=f"{CATEGORY}/noise",
            description="Lets the frames of a clip also share the noise that ancestral, SDE and LCM samplers draw in "
                        "every step.",
            search_aliases=["SDE", "ancestral", "LCM", "shared noise", "flicker", "noise sampler", "共享噪声", "闪烁"],
            inputs=[
                io.Sampler.Input("sampler", tooltip=_SAMPLER),
                io.Combo.Input("strategy", options=list(STRATEGIES), default="shared", tooltip=_STRATEGY),
                io.Float.Input("alpha", default=0.2, min=0.0, max=1.0, step=0.01, tooltip=_ALPHA),
                io.Boolean.Input("keep_unit_variance", default=True, advanced=True, tooltip=_UNIT_IN_STEPS),
                io.Float.Input("move_x", default=0.0, min=-1024.0, max=1024.0, step=1.0, advanced=True,
                               tooltip=_MOVE_X),
                io.Float.Input("move_y", default=0.0, min=-1024.0, max=1024.0, step=1.0, advanced=True,
                               tooltip=_MOVE_Y),
            ],
            outputs=[io.Sampler.Output(tooltip=_SAMPLER_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, sampler, strategy: str, alpha: float, keep_unit_variance: bool, move_x: float, move_y: float
    ) -> io.NodeOutput:
        for remark in of_frame_noise(strategy, move_x, move_y):
            say(remark)
        return io.NodeOutput(
            sharing_sampler(sampler, strategy, alpha, keep_unit_variance, (move_x / CELL, move_y / CELL))
        )


NODES = [FrameNoise, SamplerFrameNoise]
