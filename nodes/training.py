"""The node that learns a motion from a few clips."""

from dataclasses import asdict

from comfy_api.latest import io

from ..host.patching.image_model import family, image_unet
from ..host.said import say
from ..host.sockets import CATEGORY, Adapter, Predictor
from ..host.training import masks as training_masks
from ..host.training import model as training_host
from ..host.training.advice import of_training
from ..host.training.kept_run import Keeper
from ..host.training.run import LOSS_WEIGHTINGS, METHODS, PRECISIONS, Settings, learn
from ..motion_modules.adapter import settings_text
from ..motion_modules.mask_predictor import INPUTS
from ..motion_modules.recurrent import FORMS
from ..training.clips import ClipSet, check_clips
from ..training.mask_loss import TARGETS, WEIGHTINGS
from ..training.schedule import RATES

_CLIPS = "A list of videos, or of image batches: one clip each, 8 to 16 of them."
_POSITIVE = "The captions, encoded: one per clip in the clips' order, or one for all."
_METHOD = (
    "LAMP: motion from a first frame. Recurrent: text to video without a first frame. Tune-A-Video: one clip, to edit "
    "it."
)
_FRAMES = "Frames of a training clip; longer videos are cut at random places."
_STEPS = "Training steps. LAMP's code takes 30,000 at the paper's learning rate."
_LEARNING_RATE = "AdamW's step. The paper's 3e-5 goes with its code's 30,000 steps."
_RANK = "Size of the adapter: thin matrices of this rank; 0 trains whole ones, as the paper does (0.5 GB for SD 1.x)."
_SEED = "Seed of the layers and of every step."
_NAME = "Under this name a cancelled or resumable run is kept in output/motion_adapters."
_WIDTH = "Clips are scaled and cropped to this width, if height is set too; 0 keeps their size."
_HEIGHT = "Clips are scaled and cropped to this height, if width is set too; 0 keeps their size."
_QUERY_RATE = (
    "Learning rate of the image model's own queries, as a factor: 1 is the paper's, less keeps pictures closer to it."
)
_FRAME_STEP = "Use every n-th frame: 1 is the video's own rate."
_FLIP = "Mirror half the clips, as LAMP's code does; never for motions to one side."
_GROUP_NORM = "joint: norms over all frames of a clip, as LAMP's code. per frame: the image model's own norms."
_PRECISION = "auto: bf16 on a GPU that has it, else fp16; fp32 on a CPU."
_GRADIENT_CHECKPOINTING = (
    "Keeps a tenth of the intermediate results and computes the others again: less memory, more time."
)
_SAVE_EVERY = "Keep the run on disk every so many steps; 0 only on Cancel."
_RESUME = "Go on with the run kept under this name, exactly where it stopped."
_WEIGHTING = (
    "How much high noise levels, where motion is laid out, count in the loss. uniform: as in the paper. balanced: by "
    "the square root of 1 + sigma^2."
)
_CAPTIONS = "The captions as text, to be noted in the adapter's metadata."
_MASKS = (
    "Where the subject is: a list of mask batches, one per clip, one mask per frame. A mask predictor learns from them "
    "beside the motion."
)
_MASK_INPUT = (
    "What learns from the masks. x0: a predictor on the denoised latents. noise: one on the predicted noise. "
    "conditioned: none, the first frame's mask is a condition instead, wanted again at generation."
)
_MASK_WEIGHT = "Weight of the mask loss beside the noise loss (alpha); 1 is the paper's, 0 leaves it out."
_MASK_WEIGHTING = (
    "constant: the paper's. noise level: less where there is much noise, by 1 + sigma^2. rising: from a quarter of the "
    "steps to half of them. falling: to a hundredth at the end."
)
_MASK_TARGETS = "hard: a latent's position is subject or not, as in the paper. soft: how much of it is."
_SPLIT = (
    "Motion layers with a part of their own for the background, told apart by what they learn from the masks; no mask "
    "is needed at generation."
)
_SPLIT_WEIGHT = "Split layers: weight of the loss that teaches them where the subject is (beta)."
_LR_SCHEDULE = "How the learning rate runs: constant, or up during the first tenth of the steps and then down to 0."
_RECURRENCE = (
    "Recurrent only: fixed is the repaired memory. official is the release's, whose memory provably never learns. "
    "paper: after the paper's equations, begun at random where its zeros could not learn."
)
_MOTION_CONVOLUTIONS = (
    "Recurrent only: LAMP's convolutions over the frames beside the memory. The paper has none; with them a few clips "
    "are enough."
)
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
                io.Int.Input("frames", default=16, min=2, max=1024, tooltip=_FRAMES),
                io.Int.Input("steps", default=2000, min=1, max=1000000, tooltip=_STEPS),
                io.Float.Input("learning_rate", default=1e-4, min=1e-7, max=1.0, step=1e-6, round=1e-7,
                               tooltip=_LEARNING_RATE),
                io.Int.Input("rank", default=32, min=0, max=512, tooltip=_RANK),
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFF, control_after_generate=True, tooltip=_SEED),
                io.String.Input("name", default="motion", tooltip=_NAME),
                io.Int.Input("width", default=0, min=0, max=4096, step=8, tooltip=_WIDTH),
                io.Int.Input("height", default=0, min=0, max=4096, step=8, tooltip=_HEIGHT),
                io.Int.Input("batch_size", default=1, min=1, max=64, advanced=True, tooltip="Clips per step."),
                io.Float.Input("query_rate", default=0.1, min=0.0, max=10.0, step=0.01, advanced=True,
                               tooltip=_QUERY_RATE),
                io.Int.Input("frame_step", default=1, min=1, max=100, advanced=True, tooltip=_FRAME_STEP),
                io.Boolean.Input("flip", default=False, advanced=True, tooltip=_FLIP),
                io.Combo.Input("group_norm", options=["joint", "per frame"], default="joint", advanced=True,
                               tooltip=_GROUP_NORM),
                io.Combo.Input("precision", options=list(PRECISIONS), default="auto", advanced=True,
                               tooltip=_PRECISION),
                io.Boolean.Input("gradient_checkpointing", default=True, advanced=True,
                                 tooltip=_GRADIENT_CHECKPOINTING),
                io.Int.Input("save_every", default=0, min=0, max=100000, advanced=True, tooltip=_SAVE_EVERY),
                io.Boolean.Input("resume", default=False, advanced=True, tooltip=_RESUME),
                io.Combo.Input("weighting", options=list(LOSS_WEIGHTINGS), default="balanced", advanced=True,
                               tooltip=_WEIGHTING),
                io.String.Input("captions", optional=True, force_input=True, tooltip=_CAPTIONS),
                io.Mask.Input("masks", optional=True, tooltip=_MASKS),
                io.Combo.Input("mask_input", options=list(INPUTS), default="x0", optional=True, advanced=True,
                               tooltip=_MASK_INPUT),
                io.Float.Input("mask_weight", default=1.0, min=0.0, max=100.0, step=0.01, optional=True, advanced=True,
                               tooltip=_MASK_WEIGHT),
                io.Combo.Input("mask_weighting", options=list(WEIGHTINGS), default="noise level", optional=True,
                               advanced=True, tooltip=_MASK_WEIGHTING),
                io.Combo.Input("mask_targets", options=list(TARGETS), default="hard", optional=True, advanced=True,
                               tooltip=_MASK_TARGETS),
                io.Boolean.Input("split", default=False, optional=True, advanced=True, tooltip=_SPLIT),
                io.Float.Input("split_weight", default=0.1, min=0.0, max=100.0, step=0.01, optional=True, advanced=True,
                               tooltip=_SPLIT_WEIGHT),
                io.Combo.Input("lr_schedule", options=list(RATES), default=next(iter(RATES)), optional=True,
                               advanced=True, tooltip=_LR_SCHEDULE),
                io.Combo.Input("recurrence", options=list(FORMS), default=next(iter(FORMS)), optional=True,
                               advanced=True, tooltip=_RECURRENCE),
                io.Boolean.Input("motion_convolutions", default=False, optional=True, advanced=True,
                                 tooltip=_MOTION_CONVOLUTIONS),
            ],
            outputs=[Adapter.Output(display_name="adapter", tooltip="The motion, to save or apply at once."),
                     io.LossMap.Output(display_name="loss_map", tooltip="Loss of every step, for Plot Loss Graph."),
                     Predictor.Output(display_name="mask_predictor", tooltip=_MASK_PREDICTOR_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, vae, clips, positive, name, save_every, resume, captions=(), masks=(), **settings
    ) -> io.NodeOutput:
        learning = training_masks.take_settings(settings)
        model, vae, settings = model[0], vae[0], Settings(**{key: values[0] for key, values in settings.items()})
        image_unet(model)
        if masks and settings.method != "LAMP":
            raise ValueError(
                f"Masks are learnt from beside LAMP's motion, the method is {settings.method}: choose LAMP, or take "
                "the masks away."
            )
        decisive = asdict(settings) | (asdict(learning) if masks else {})
        # a run may go on for more steps than it was begun with
        any_steps = {} if masks and learning.is_scheduled else {"steps": 0}
        keeper = Keeper(name[0], settings_text(decisive | any_steps), save_every[0], resume[0])
        images = [training_host.pictures(clip, settings.frame_step, settings.width, settings.height) for clip in clips]
        check_clips(images, settings.frames, len(positive))
        for remark in of_training(settings.method, len(images), list(captions), len(positive)):
            say(remark, warning=True)
        masks = training_masks.prepare(masks, clips, images, settings.frame_step, learning)
        encode = lambda clip: vae.encode(clip).clone()  # noqa: E731
        flipped = [encode(clip.flip(2)) for clip in images] if settings.flip else None
        size = images[0].shape[2], images[0].shape[1]
        clip_set = ClipSet([encode(clip) for clip in images], settings.frames, flipped, masks or None)
        del images
        notes = {"base": family(model), "prompts": settings_text(sorted(set(captions))), "frames": str(settings.frames),
                 "width": str(size[0]), "height": str(size[1]), "training": settings_text(decisive),
                 "licence": "Follows the licence of the base model and the rights in the clips."}  # fmt: skip
        notes |= {"mask_input": learning.mask_input} if masks else {}
        adapter, losses = learn(model, clip_set, positive, settings, learning, notes, keeper)
        text = f"{adapter.describe()}, loss {sum(losses[-50:]) / len(losses[-50:]):.4f}"
        return io.NodeOutput(adapter, {"loss": losses}, adapter.mask_predictor, ui=say(text))


NODES = [TrainMotionLoRA]
