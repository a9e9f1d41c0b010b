"""The node of everything in a training that a recipe leaves open or sets."""

from comfy_api.latest import io

from ..host.sockets import CATEGORY, TrainingSettings
from ..host.training.recipes import DEFAULTS, THE_RECIPES, chosen
from ..host.training.settings import CONVOLUTIONS, FIRST_FRAMES, LOSS_WEIGHTINGS, PRECISIONS
from ..motion_modules.mask_predictor import INPUTS
from ..motion_modules.recurrent import FORMS
from ..training.mask_loss import TARGETS, WEIGHTINGS
from ..training.schedule import RATES

_SWITCH = [THE_RECIPES, "on", "off"]
_QUERY_RATE = (
    "Learning rate of the image model's own queries, as a factor: 1 is the paper's, less keeps pictures closer to it; "
    "-1 is the recipe's."
)
_GROUP_NORM = "joint: norms over all frames of a clip, as LAMP's code. per frame: the image model's own norms."
_WEIGHTING = (
    "How much high noise levels, where motion is laid out, count in the loss. uniform: as in the paper. balanced: by "
    "the square root of 1 + sigma^2. v: by all of it, as models that predict v have it anyway."
)
_LR_SCHEDULE = "How the learning rate runs: constant, or up during the first tenth of the steps and then down to 0."
_FLIP = "Mirror half the clips, as LAMP's code does; never for motions to one side."
_RECURRENCE = (
    "Recurrent only: fixed is the repaired memory. official is the release's, whose memory provably never learns. "
    "paper: the paper's equations."
)
_MOTION_CONVOLUTIONS = (
    "Recurrent only: LAMP's convolutions over the frames beside the memory. The paper has none; with them a few clips "
    "are enough."
)
_PRECISION = "What the model computes in. auto: bf16 on a GPU that has it, else fp16; fp32 on a CPU."
_GRADIENT_CHECKPOINTING = (
    "Where the memory would not suffice otherwise, keeps a tenth of the intermediate results and computes the others "
    "again: less memory, more time."
)
_SAVE_EVERY = "Keep the run on disk every so many steps; 0 only where it ends early."
_MASK_INPUT = (
    "What learns from the masks. x0: a predictor on the denoised latents. noise: one on the predicted noise. "
    "conditioned: none, the first frame's mask is a condition instead, wanted again at generation."
)
_MASK_WEIGHTING = (
    "constant: the paper's. noise level: less where there is much noise, by 1 + sigma^2. rising: from a quarter of the "
    "steps to half of them. falling: to a hundredth at the end."
)
_SPLIT = (
    "Motion layers with a part of their own for the background, told apart by what they learn from the masks; no mask "
    "is needed at generation."
)
_CONVOLUTION = (
    "Over the frames. causal: LAMP's, at the two frames before. centred: at one before and one behind. none: attention "
    "alone learns."
)
_BOTH_ENDS = (
    "LAMP only: half the steps give the last frame beside the first, so that clips may be made to end in a picture, or "
    "to loop. Its convolutions are centred, and it wants more steps."
)
_FIRST_FRAME = (
    "LAMP only. given: clean in every step, as in the paper. learnt: noised like the others, so that clips are made "
    "from words alone."
)
_SHIFT = (
    "Moves every clip by up to so many pixels to either side, anew in every step, so that few clips teach more places; "
    "what lies at an edge is repeated. 0: not at all; -1: the recipe's."
)
_FOCUS = (
    "How much of the loss goes by where a clip moves. 0: every place counts alike, as in the papers; 1: a place counts "
    "as much as it changes over the frames. Small moving parts, an arm that waves, are learnt in fewer steps; -1: the "
    "recipe's."
)
_SAMPLE_IMAGE = "The first frame of the sample clips; without one, the first frame of the first clip."
_SAMPLE_POSITIVE = "The prompt of the sample clips; without one, the first caption."


class MotionTrainingSettings(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_MotionTrainingSettings",
            display_name="Motion Training Settings",
            category=f"{CATEGORY}/training",
            description="Everything of a training that Train Motion LoRA's recipe sets or leaves open, for its input "
                        "settings.",
            search_aliases=["training options", "mask predictor", "gradient checkpointing", "learning rate schedule"],
            inputs=[
                io.Int.Input("batch_size", default=0, min=0, max=64, tooltip="Clips per step; 0 is the recipe's."),
                io.Float.Input("query_rate", default=-1.0, min=-1.0, max=10.0, step=0.01, tooltip=_QUERY_RATE),
                io.Combo.Input("flip", options=_SWITCH, default=THE_RECIPES, tooltip=_FLIP),
                io.Combo.Input("group_norm", options=[THE_RECIPES, "joint", "per frame"], tooltip=_GROUP_NORM),
                io.Combo.Input("weighting", options=[THE_RECIPES, *LOSS_WEIGHTINGS], tooltip=_WEIGHTING),
                io.Combo.Input("lr_schedule", options=[THE_RECIPES, *RATES], tooltip=_LR_SCHEDULE),
                io.Combo.Input("recurrence", options=[THE_RECIPES, *FORMS], tooltip=_RECURRENCE),
                io.Combo.Input("motion_convolutions", options=_SWITCH, tooltip=_MOTION_CONVOLUTIONS),
                io.Int.Input("frame_step", default=1, min=1, max=100,
                             tooltip="Use every n-th frame of a clip; above 1 it counts in place of fps."),
                io.Combo.Input("precision", options=list(PRECISIONS), default="auto", tooltip=_PRECISION),
                io.Boolean.Input("gradient_checkpointing", default=True, tooltip=_GRADIENT_CHECKPOINTING),
                io.Int.Input("save_every", default=0, min=0, max=100000, tooltip=_SAVE_EVERY),
                io.Combo.Input("mask_input", options=list(INPUTS), default="x0", tooltip=_MASK_INPUT),
                io.Float.Input("mask_weight", default=1.0, min=0.0, max=100.0, step=0.01,
                               tooltip="Weight of the mask loss beside the noise loss (alpha); 1 is the paper's."),
                io.Combo.Input("mask_weighting", options=list(WEIGHTINGS), default=DEFAULTS["mask_weighting"],
                               tooltip=_MASK_WEIGHTING),
                io.Combo.Input("mask_targets", options=list(TARGETS), default=DEFAULTS["mask_targets"],
                               tooltip="hard: a latent's position is subject or not, as in the paper. soft: how much."),
                io.Boolean.Input("split", default=False, tooltip=_SPLIT),
                io.Float.Input("split_weight", default=0.1, min=0.0, max=100.0, step=0.01,
                               tooltip="Split layers: weight of the loss that teaches them where the subject is."),
                io.Image.Input("sample_image", optional=True, tooltip=_SAMPLE_IMAGE),
                io.Conditioning.Input("sample_positive", optional=True, tooltip=_SAMPLE_POSITIVE),
                io.Conditioning.Input("sample_negative", optional=True,
                                      tooltip="The negative prompt of the sample clips; without one, nothing."),
                io.Combo.Input("convolution", options=[THE_RECIPES, *CONVOLUTIONS], optional=True,
                               tooltip=_CONVOLUTION),
                io.Combo.Input("both_ends", options=_SWITCH, optional=True, tooltip=_BOTH_ENDS),
                io.Combo.Input("first_frame", options=[THE_RECIPES, *FIRST_FRAMES], optional=True,
                               tooltip=_FIRST_FRAME),
                io.Int.Input("shift", default=-1, min=-1, max=1024, optional=True, tooltip=_SHIFT),
                io.Float.Input("focus", default=-1.0, min=-1.0, max=1.0, step=0.01, optional=True, tooltip=_FOCUS),
            ],
            outputs=[TrainingSettings.Output(display_name="settings", tooltip="For Train Motion LoRA.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, **values) -> io.NodeOutput:
        return io.NodeOutput(chosen(values))


NODES = [MotionTrainingSettings]
