"""One training run inside ComfyUI: its settings, its loop with progress and Cancel, the adapter that comes of it."""

from dataclasses import dataclass, replace

import comfy.model_management
import comfy.utils
import torch

from ...motion_modules.adapter import MotionAdapter
from ...motion_modules.call import GATES
from ...motion_modules.methods import METHODS as MOTION_METHODS
from ...motion_modules.module import MotionModule, initialise
from ...motion_modules.recurrent import FORMS
from ...training.clips import ClipSet
from ...training.loop import new_run, train
from ...training.loss import lamp_loss, video_loss
from ...training.mask_loss import MaskSettings
from ...training.memory import check_memory, estimate
from ...training.schedule import RATES
from ..patching.image_model import image_unet, sites_of
from ..said import say
from . import masks as training_masks
from . import model as training_host
from .curve import loss_curve
from .kept_run import Keeper

METHODS = {"LAMP": "lamp", "Recurrent": "recurrent", "Tune-A-Video": "tune-a-video"}
PRECISIONS = {"auto": None, "fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
LOSS_WEIGHTINGS = {"uniform": 0.0, "balanced": 0.5}  # power of 1 + sigma^2 in the loss of noise-predicting models


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
    lr_schedule: str = next(iter(RATES))
    recurrence: str = next(iter(FORMS))
    motion_convolutions: bool = False


@torch.inference_mode(False)
@torch.enable_grad()
def learn(model, clips: ClipSet, positive: list, settings: Settings, learning: MaskSettings, notes: dict,
          keeper: Keeper) -> tuple[MotionAdapter, list[float]]:  # fmt: skip
    """Train an adapter for this MODEL on clips of latents; returns it, and the loss of every step since the first.

    `positive`: CONDITIONINGs, one per clip or one for all; `notes` go into the metadata. Raises ValueError where memory
    will not do, InterruptProcessingException on Cancel, after the run has been kept.
    """
    base = training_host.trainable_model(model)
    device = base.load_device
    torch.manual_seed(settings.seed)
    joint = settings.group_norm == "joint"
    method, recurrence = METHODS[settings.method], settings.recurrence if settings.method == "Recurrent" else ""
    design = MotionAdapter(method, {}, settings.rank, joint, notes, recurrence=recurrence)
    sites = [
        site
        for site in sites_of(base, method)
        if site.is_block or method != "recurrent" or settings.motion_convolutions
    ]
    built = (
        MotionModule(sites, settings.rank, split=True)
        if learning.split
        else MOTION_METHODS[method].build(design, sites, torch.nn)
    )
    module = initialise(built).to(device).train()
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    masks = training_masks.learner(base, learning, settings.steps) if clips.masks else None
    trained |= dict(masks.named_parameters()) if masks else {}
    _check_fits(base, trained, clips, settings)
    options = training_host.attach(base, module, joint, settings.gradient_checkpointing)
    latents = [base.model.process_latent_in(clip).to(device) for clip in clips.latents]
    flipped = clips.flipped and [base.model.process_latent_in(clip).to(device) for clip in clips.flipped]
    clips = ClipSet(
        latents, settings.frames, flipped, clips.masks and [mask.clone().to(device) for mask in clips.masks]
    )
    conditions = training_host.model_conditions(base, positive, latents[0][: settings.frames])
    sampling = base.model.model_sampling
    power = 1.0 if "V_PREDICTION" in base.model.model_type.name else LOSS_WEIGHTINGS[settings.weighting]
    autocast = _autocast(settings.precision, device)
    loss = lamp_loss if settings.method == "LAMP" else video_loss

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
            return loss(predict, x0, eps, sigma, scale, power)
        watched = masks.watch(predict, subject, scale)
        return loss(watched, x0, eps, sigma, scale, power) + watched.loss(gates, step)

    def adapter() -> MotionAdapter:
        tensors = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
        learnt = {name: value.detach().cpu().clone() for name, value in masks.state_dict().items()} if masks else {}
        return replace(design, tensors=tensors, metadata={**notes, "steps": str(len(run.losses))}, mask_tensors=learnt)

    run = new_run(trained, settings.learning_rate, {".to_q.delta.": settings.query_rate})
    keeper.restore(run)
    progress = comfy.utils.ProgressBar(settings.steps)
    try:
        for done in train(run, loss_at, settings.steps, settings.seed, rate=RATES[settings.lr_schedule]):
            show = done.step % 10 == 0 or done.step == settings.steps
            progress.update_absolute(done.step, settings.steps, ("JPEG", loss_curve(run.losses), 512) if show else None)
            if keeper.every and done.step % keeper.every == 0:
                keeper.keep(run, adapter())
            comfy.model_management.throw_exception_if_processing_interrupted()
    except comfy.model_management.InterruptProcessingException:
        if run.losses:
            keeper.keep(run, adapter())
            say(f"Cancelled after {len(run.losses)} steps: kept as {keeper.kept_as(run)}, with resume on it goes on.")
        raise
    finally:
        base.cleanup()
        base.detach()
    return adapter(), run.losses


def _autocast(precision: str, device: torch.device) -> torch.dtype | None:
    if precision != "auto" or device.type == "cpu":
        return PRECISIONS[precision]
    return torch.bfloat16 if comfy.model_management.should_use_bf16(device) else torch.float16


def _check_fits(base, trained: dict, clips: ClipSet, settings: Settings) -> None:
    height, width = clips.latents[0].shape[-2:]
    unet = image_unet(base)
    itemsize = 4 if _autocast(settings.precision, base.load_device) is None else 2
    needed = estimate(base.model_size(), sum(value.numel() for value in trained.values()),
                      (settings.batch_size * settings.frames, height, width),
                      unet.model_channels, itemsize, settings.gradient_checkpointing)  # fmt: skip
    say(f"Training {settings.method} takes about {needed}.")
    comfy.model_management.free_memory(needed.total, base.load_device)
    check_memory(needed, comfy.model_management.get_free_memory(base.load_device), str(base.load_device))
