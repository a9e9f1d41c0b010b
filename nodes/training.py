"""The node that learns a motion from a few clips."""

import logging
from dataclasses import asdict, dataclass

import comfy.model_management
import comfy.utils
import torch
from comfy_api.latest import io, ui

from ..motion_modules.adapter import MotionAdapter, settings_text
from ..motion_modules.mask_predictor import INPUTS
from ..motion_modules.module import MotionModule, initialise
from ..motion_modules.unet import GATES
from ..training.clips import ClipSet, check_clips
from ..training.loop import new_run, train
from ..training.loss import lamp_loss
from ..training.mask_loss import TARGETS, WEIGHTINGS, MaskSettings
from ..training.memory import check_memory, estimate
from . import training_host, training_masks
from .bridge import family, image_unet, sites_of
from .kept_run import Keeper
from .masks import Predictor, mask_predictor_of
from .motion import CATEGORY, Adapter

_PRECISIONS = {"auto": None, "fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}

_WEIGHTINGS = {"uniform": 0.0, "balanced": 0.5}  # power of 1 + sigma^2 in the loss of noise-predicting models


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a run; it is kept in the adapter's metadata."""

    method: str
    frames: int
    steps: int
    learning_rate: float
    rank: int
    seed: int
    width: int
    height: int
    batch_size: int
    query_rate: float
    frame_step: int
    flip: bool
    group_norm: str
    precision: str
    gradient_checkpointing: bool
    weighting: str


class TrainMotionLoRA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_TrainMotionLoRA",
            display_name="Train Motion LoRA",
            category=CATEGORY,
            description="Learns one motion from a few clips, so that any first frame can be moved with it. Cancel keeps what is learnt so far.",
            search_aliases=["LAMP", "train video", "motion training", "learn motion"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="The image model that is to learn the motion; it is not changed."),
                io.Vae.Input("vae", tooltip="The model's VAE."),
                io.MultiType.Input("clips", [io.Video, io.Image], tooltip="A list of videos, or of image batches: one clip each, 8 to 16 of them."),
                io.Conditioning.Input("positive", tooltip="The captions, encoded: one per clip in the clips' order, or one for all."),
                io.Combo.Input("method", options=["LAMP"], tooltip="LAMP: motion conditioned on the first frame."),
                io.Int.Input("frames", default=16, min=2, max=1024, tooltip="Frames of a training clip; longer videos are cut at random places."),
                io.Int.Input("steps", default=2000, min=1, max=1000000, tooltip="Training steps. The paper takes 30,000 at its learning rate."),
                io.Float.Input("learning_rate", default=1e-4, min=1e-7, max=1.0, step=1e-6, round=1e-7,
                               tooltip="AdamW's step. The paper's 3e-5 needs its 30,000 steps."),
                io.Int.Input("rank", default=32, min=0, max=512, tooltip="Size of the adapter: thin matrices of this rank; 0 trains whole ones, "
                             "as the paper does (0.5 GB for SD 1.x)."),
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFF, control_after_generate=True, tooltip="Seed of the layers and of every step."),
                io.String.Input("name", default="motion", tooltip="Under this name a cancelled or resumable run is kept in output/motion_adapters."),
                io.Int.Input("width", default=0, min=0, max=4096, step=8, tooltip="Clips are scaled and cropped to this width, if height is set too; 0 keeps their size."),
                io.Int.Input("height", default=0, min=0, max=4096, step=8, tooltip="Clips are scaled and cropped to this height, if width is set too; 0 keeps their size."),
                io.Int.Input("batch_size", default=1, min=1, max=64, advanced=True, tooltip="Clips per step."),
                io.Float.Input("query_rate", default=0.1, min=0.0, max=10.0, step=0.01, advanced=True,
                               tooltip="Learning rate of the image model's own queries, as a factor: 1 is the paper's, less keeps pictures closer to it."),
                io.Int.Input("frame_step", default=1, min=1, max=100, advanced=True, tooltip="Use every n-th frame: 1 is the video's own rate."),
                io.Boolean.Input("flip", default=False, advanced=True, tooltip="Mirror half the clips, as LAMP's code does; never for motions to one side."),
                io.Combo.Input("group_norm", options=["joint", "per frame"], default="joint", advanced=True,
                               tooltip="joint: norms over all frames of a clip, as LAMP's code. per frame: the image model's own norms."),
                io.Combo.Input("precision", options=list(_PRECISIONS), default="auto", advanced=True,
                               tooltip="auto: bf16 on a GPU that has it, else fp16; fp32 on a CPU."),
                io.Boolean.Input("gradient_checkpointing", default=True, advanced=True, tooltip="Keeps a tenth of the intermediate results and computes the others again: less memory, more time."),
                io.Int.Input("save_every", default=0, min=0, max=100000, advanced=True, tooltip="Keep the run on disk every so many steps; 0 only on Cancel."),
                io.Boolean.Input("resume", default=False, advanced=True, tooltip="Go on with the run kept under this name, exactly where it stopped."),
                io.Combo.Input("weighting", options=list(_WEIGHTINGS), default="balanced", advanced=True,
                               tooltip="How much high noise levels, where motion is laid out, count in the loss. uniform: as in the paper. balanced: by the "
                               "square root of 1 + sigma^2."),
                io.String.Input("captions", optional=True, force_input=True, tooltip="The captions as text, to be noted in the adapter's metadata."),
                io.Mask.Input("masks", optional=True, tooltip="Where the subject is: a list of mask batches, one per clip, one mask per frame. A mask predictor "
                              "learns from them beside the motion."),
                io.Combo.Input("mask_input", options=list(INPUTS), default="x0", optional=True, advanced=True,
                               tooltip="What learns from the masks. x0: a predictor on the denoised latents. noise: one on the predicted noise. conditioned: "
                               "none, the first frame's mask is a condition instead, wanted again at generation."),
                io.Float.Input("mask_weight", default=1.0, min=0.0, max=100.0, step=0.01, optional=True, advanced=True,
                               tooltip="Weight of the mask loss beside the noise loss (alpha); 1 is the paper's, 0 leaves it out."),
                io.Combo.Input("mask_weighting", options=list(WEIGHTINGS), default="noise level", optional=True, advanced=True,
                               tooltip="constant: the paper's. noise level: less where there is much noise, by 1 + sigma^2. rising: from a quarter of the steps "
                               "to half of them. falling: to a hundredth at the end."),
                io.Combo.Input("mask_targets", options=list(TARGETS), default="hard", optional=True, advanced=True,
                               tooltip="hard: a latent's position is subject or not, as in the paper. soft: how much of it is."),
                io.Boolean.Input("split", default=False, optional=True, advanced=True,
                                 tooltip="Motion layers with a part of their own for the background, told apart by what they learn from the masks; no mask is "
                                 "needed at generation."),
                io.Float.Input("split_weight", default=0.1, min=0.0, max=100.0, step=0.01, optional=True, advanced=True,
                               tooltip="Split layers: weight of the loss that teaches them where the subject is (beta)."),
            ],
            outputs=[Adapter.Output(display_name="adapter", tooltip="The motion, to save or apply at once."),
                     io.LossMap.Output(display_name="loss_map", tooltip="Loss of every step, for Plot Loss Graph."),
                     Predictor.Output(display_name="mask_predictor", tooltip="What tells the subject in latents, for Mask Predictor; it is in the adapter too.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, vae, clips, positive, name, save_every, resume, captions=(), masks=(), **settings) -> io.NodeOutput:
        learning = training_masks.take_settings(settings)
        model, vae, settings = model[0], vae[0], Settings(**{key: values[0] for key, values in settings.items()})
        image_unet(model)
        decisive = asdict(settings) | (asdict(learning) if masks else {})
        any_steps = {} if masks and learning.is_scheduled else {"steps": 0}  # a run may go on for more steps than it was begun with
        keeper = Keeper(name[0], settings_text(decisive | any_steps), save_every[0], resume[0])
        images = [training_host.pictures(clip, settings.frame_step, settings.width, settings.height) for clip in clips]
        check_clips(images, settings.frames, len(positive))
        masks = training_masks.prepare(masks, clips, images, settings.frame_step, learning)
        encode = lambda clip: vae.encode(clip).clone()  # noqa: E731
        flipped = [encode(clip.flip(2)) for clip in images] if settings.flip else None
        size = images[0].shape[2], images[0].shape[1]
        clip_set = ClipSet([encode(clip) for clip in images], settings.frames, flipped, masks or None)
        del images
        notes = {"base": family(model), "prompts": settings_text(sorted(set(captions))), "frames": str(settings.frames), "width": str(size[0]),
                 "height": str(size[1]), "training": settings_text(decisive),
                 "licence": "Follows the licence of the base model and the rights in the clips."}  # fmt: skip
        notes |= {"mask_input": learning.mask_input} if masks else {}
        adapter, losses = _learn(model, clip_set, positive, settings, learning, notes, keeper)
        text = f"{adapter.describe()}, loss {sum(losses[-50:]) / len(losses[-50:]):.4f}"
        return io.NodeOutput(adapter, {"loss": losses}, mask_predictor_of(adapter), ui=ui.PreviewText(text))


@torch.inference_mode(False)
@torch.enable_grad()
def _learn(
    model, clips: ClipSet, positive: list, settings: Settings, learning: MaskSettings, notes: dict, keeper: Keeper
) -> tuple[MotionAdapter, list[float]]:
    base = training_host.trainable_model(model)
    device = base.load_device
    torch.manual_seed(settings.seed)
    joint = settings.group_norm == "joint"
    module = initialise(MotionModule(sites_of(base), settings.rank, split=learning.split)).to(device).train()
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    masks = training_masks.learner(base, learning, settings.steps) if clips.masks else None
    trained |= dict(masks.named_parameters()) if masks else {}
    _check_fits(base, trained, clips, settings)
    options = training_host.attach(base, module, joint, settings.gradient_checkpointing)
    latents = [base.model.process_latent_in(clip).to(device) for clip in clips.latents]
    flipped = clips.flipped and [base.model.process_latent_in(clip).to(device) for clip in clips.flipped]
    clips = ClipSet(latents, settings.frames, flipped, clips.masks and [mask.clone().to(device) for mask in clips.masks])
    conditions = training_host.model_conditions(base, positive, latents[0][: settings.frames])
    sampling = base.model.model_sampling
    power = 1.0 if "V_PREDICTION" in base.model.model_type.name else _WEIGHTINGS[settings.weighting]
    autocast = _autocast(settings.precision, device)

    def loss_at(step: int, generator: torch.Generator) -> torch.Tensor:
        x0, chosen, subject = clips.draw(step, settings.batch_size, generator)
        eps = torch.randn(x0.shape, generator=generator).to(device)
        timestep = torch.randint(0, len(sampling.sigmas), (len(x0),), generator=generator)
        sigma = sampling.sigmas[timestep.to(sampling.sigmas.device)].to(device)
        captions = [conditions[clip % len(conditions)] for clip in chosen]
        gates: list[torch.Tensor] = []
        predict = training_host.denoiser(base, {**options, GATES: gates}, captions, autocast)
        scale = sampling.calculate_input(sigma, torch.ones(len(x0), device=device))
        if masks is None:
            return lamp_loss(predict, x0, eps, sigma, scale, power)
        watched = masks.watch(predict, subject, scale)
        return lamp_loss(watched, x0, eps, sigma, scale, power) + watched.loss(gates, step)

    def adapter() -> MotionAdapter:
        tensors = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
        learnt = {name: value.detach().cpu().clone() for name, value in masks.state_dict().items()} if masks else {}
        kept = {**notes, "steps": str(len(run.losses))}
        return MotionAdapter(settings.method.lower(), tensors, settings.rank, joint, kept, mask_tensors=learnt)

    run = new_run(trained, settings.learning_rate, {".attn1.to_q.": settings.query_rate})
    keeper.restore(run)
    progress = comfy.utils.ProgressBar(settings.steps)
    try:
        for done in train(run, loss_at, settings.steps, settings.seed):
            show = done.step % 10 == 0 or done.step == settings.steps
            progress.update_absolute(done.step, settings.steps, ("JPEG", training_host.loss_curve(run.losses), 512) if show else None)
            if keeper.every and done.step % keeper.every == 0:
                keeper.keep(run, adapter())
            comfy.model_management.throw_exception_if_processing_interrupted()
    except comfy.model_management.InterruptProcessingException:
        if run.losses:
            keeper.keep(run, adapter())
        raise
    finally:
        base.cleanup()
        base.detach()
    return adapter(), run.losses


def _autocast(precision: str, device: torch.device) -> torch.dtype | None:
    if precision != "auto" or device.type == "cpu":
        return _PRECISIONS[precision]
    return torch.bfloat16 if comfy.model_management.should_use_bf16(device) else torch.float16


def _check_fits(base, trained: dict, clips: ClipSet, settings: Settings) -> None:
    height, width = clips.latents[0].shape[-2:]
    unet = image_unet(base)
    itemsize = 4 if _autocast(settings.precision, base.load_device) is None else 2
    needed = estimate(base.model_size(), sum(value.numel() for value in trained.values()), (settings.batch_size * settings.frames, height, width),
                      unet.model_channels, itemsize, settings.gradient_checkpointing)  # fmt: skip
    logging.getLogger("few_shot_motion").info("Training %s takes about %s.", settings.method, needed)
    comfy.model_management.free_memory(needed.total, base.load_device)
    check_memory(needed, comfy.model_management.get_free_memory(base.load_device), str(base.load_device))


NODES = [TrainMotionLoRA]
