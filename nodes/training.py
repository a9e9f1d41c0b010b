"""The node that learns a motion from a few clips."""

from collections.abc import Sequence

from comfy_api.latest import io, ui

from ..host.sockets import CATEGORY, Adapter, Predictor, TrainingSettings
from ..host.training.lesson_plan import train_motion
from ..host.training.recipes import DEFAULTS, OPEN, RECIPES
from ..host.training.settings import LOSS_WEIGHTINGS, METHODS, PRECISIONS
from ..motion_modules.mask_predictor import INPUTS
from ..motion_modules.recurrent import FORMS
from ..training.mask_loss import TARGETS, WEIGHTINGS
from ..training.schedule import RATES

_CLIPS = "A list of videos, or of image batches: one clip each, 8 to 16 of them."
_POSITIVE = "The captions, encoded: one per clip in the clips' order, or one for all."
_METHOD = (
    "LAMP: motion from a first frame. Recurrent: text to video without a first frame. Tune-A-Video: one clip, to edit "
    "it. A paper's recipe has its own."
)
_FRAMES = "Frames of a training clip; longer videos are cut at random places; 0 is the recipe's, mostly 16."
_STEPS = "Training steps; 0 is the recipe's: 2,000 in fast, 30,000 in LAMP's paper."
_LEARNING_RATE = "AdamW's step; 0 is the recipe's: 1e-4 in fast, 3e-5 in the papers."
_RANK = (
    "Size of the adapter: thin matrices of this rank; 0 trains whole ones, as the papers do (0.5 GB for SD 1.x); -1 is "
    "the recipe's, 32 in fast."
)
_SEED = "Seed of the layers and of every step."
_NAME = "Under this name the run is kept in output/motion_adapters: what it learnt, its samples and its losses."
_WIDTH = "Clips are scaled and cropped to this width, if height is set too; 0 keeps their size."
_HEIGHT = "Clips are scaled and cropped to this height, if width is set too; 0 keeps their size."
_RESUME = "Go on with the run kept under this name, exactly where it stopped."
_CAPTIONS = "The captions as text: noted in the adapter, and empty ones are said."
_MASKS = (
    "Where the subject is: a list of mask batches, one per clip, one mask per frame. A mask predictor learns from them "
    "beside the motion."
)
_RECIPE = (
    "fast: rank 32, 2,000 steps. balanced: rank 64, 6,000. paper: what the papers train with, hours to a day. custom: "
    "fast's, where nothing else is set. What you set yourself counts before a recipe."
)
_FPS = (
    "Frames a second that videos are brought to, the rate they will be played at; 0 keeps their own. Image batches "
    "have none."
)
_SAMPLE_EVERY = "Draw a sample clip every so many steps, in the preview and as a file; 0 never. It changes no weight."
_SETTINGS = "From Motion Training Settings: everything else."
_MOVED = "Kept for workflows of version 0.1.0; today in Motion Training Settings."
_HIDDEN = {"optional": True, "tooltip": _MOVED, "extra_dict": {"hidden": True}}
_MASK_PREDICTOR_OUT = "What tells the subject in latents, for Mask Predictor; it is in the adapter too."


class TrainMotionLoRA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_TrainMotionLoRA",
            display_name="Train Motion LoRA",
            category=f"{CATEGORY}/training",
            description="Learns one motion from a few clips: for any first frame, for text to video, or to edit one "
                        "clip. Cancel keeps what is learnt so far.",
            search_aliases=["LAMP", "Tune-A-Video", "recurrent", "train video", "motion training", "learn motion",
                            "few-shot", "train motion lora", "teach motion", "finetune video", "少样本", "训练动作",
                            "动作 LoRA"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="The image model that is to learn the motion; it is not changed."),
                io.Vae.Input("vae", tooltip="The model's VAE."),
                io.MultiType.Input("clips", [io.Video, io.Image], tooltip=_CLIPS),
                io.Conditioning.Input("positive", tooltip=_POSITIVE),
                io.Combo.Input("method", options=list(METHODS), tooltip=_METHOD),
                io.Int.Input("frames", default=OPEN["frames"], min=0, max=1024, tooltip=_FRAMES),
                io.Int.Input("steps", default=OPEN["steps"], min=0, max=1000000, tooltip=_STEPS),
                io.Float.Input("learning_rate", default=OPEN["learning_rate"], min=0.0, max=1.0, step=1e-6, round=1e-7,
                               tooltip=_LEARNING_RATE),
                io.Int.Input("rank", default=OPEN["rank"], min=-1, max=512, tooltip=_RANK),
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFF, control_after_generate=True, tooltip=_SEED),
                io.String.Input("name", default="motion", tooltip=_NAME),
                io.Int.Input("width", default=0, min=0, max=4096, step=8, tooltip=_WIDTH),
                io.Int.Input("height", default=0, min=0, max=4096, step=8, tooltip=_HEIGHT),
                io.Int.Input("batch_size", default=DEFAULTS["batch_size"], min=1, max=64, **_HIDDEN),
                io.Float.Input("query_rate", default=DEFAULTS["query_rate"], min=0.0, max=10.0, step=0.01, **_HIDDEN),
                io.Int.Input("frame_step", default=DEFAULTS["frame_step"], min=1, max=100, **_HIDDEN),
                io.Boolean.Input("flip", default=DEFAULTS["flip"], **_HIDDEN),
                io.Combo.Input("group_norm", options=["joint", "per frame"], default=DEFAULTS["group_norm"], **_HIDDEN),
                io.Combo.Input("precision", options=list(PRECISIONS), default=DEFAULTS["precision"], **_HIDDEN),
                io.Boolean.Input("gradient_checkpointing", default=DEFAULTS["gradient_checkpointing"], **_HIDDEN),
                io.Int.Input("save_every", default=DEFAULTS["save_every"], min=0, max=100000, **_HIDDEN),
                io.Boolean.Input("resume", default=False, optional=True, tooltip=_RESUME),
                io.Combo.Input("weighting", options=list(LOSS_WEIGHTINGS), default=DEFAULTS["weighting"], **_HIDDEN),
                io.String.Input("captions", optional=True, force_input=True, tooltip=_CAPTIONS),
                io.Mask.Input("masks", optional=True, tooltip=_MASKS),
                io.Combo.Input("mask_input", options=list(INPUTS), default=DEFAULTS["mask_input"], **_HIDDEN),
                io.Float.Input("mask_weight", default=DEFAULTS["mask_weight"], min=0.0, max=100.0, step=0.01,
                               **_HIDDEN),
                io.Combo.Input("mask_weighting", options=list(WEIGHTINGS), default=DEFAULTS["mask_weighting"],
                               **_HIDDEN),
                io.Combo.Input("mask_targets", options=list(TARGETS), default=DEFAULTS["mask_targets"], **_HIDDEN),
                io.Boolean.Input("split", default=DEFAULTS["split"], **_HIDDEN),
                io.Float.Input("split_weight", default=DEFAULTS["split_weight"], min=0.0, max=100.0, step=0.01,
                               **_HIDDEN),
                io.Combo.Input("lr_schedule", options=list(RATES), default=DEFAULTS["lr_schedule"], **_HIDDEN),
                io.Combo.Input("recurrence", options=list(FORMS), default=DEFAULTS["recurrence"], **_HIDDEN),
                io.Boolean.Input("motion_convolutions", default=DEFAULTS["motion_convolutions"], **_HIDDEN),
                io.Combo.Input("recipe", options=list(RECIPES), default="fast", optional=True, tooltip=_RECIPE),
                io.Float.Input("fps", default=8.0, min=0.0, max=120.0, step=0.5, optional=True, tooltip=_FPS),
                io.Int.Input("sample_every", default=250, min=0, max=100000, optional=True, tooltip=_SAMPLE_EVERY),
                TrainingSettings.Input("settings", optional=True, tooltip=_SETTINGS),
            ],
            outputs=[Adapter.Output(display_name="adapter", tooltip="The motion, to save or apply at once."),
                     io.LossMap.Output(display_name="loss_map", tooltip="Loss of every step, for Plot Loss Graph."),
                     Predictor.Output(display_name="mask_predictor", tooltip=_MASK_PREDICTOR_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, vae, clips, positive, captions: Sequence = (), masks: Sequence = (), settings: Sequence = ({},),
        **widgets,
    ) -> io.NodeOutput:  # fmt: skip
        values = {key: given[0] for key, given in widgets.items()}
        learnt = train_motion(model[0], vae[0], clips, positive, list(captions), list(masks), values, settings[0])
        shown = ui.PreviewText("\n".join(learnt.lines)).as_dict() | learnt.shown()
        return io.NodeOutput(learnt.adapter, {"loss": learnt.run.learnt}, learnt.adapter.mask_predictor, ui=shown)


NODES = [TrainMotionLoRA]
