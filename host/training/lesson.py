"""What a training step is: layers in training inside a model, clips to draw from, the loss, and the adapter that comes
of it.
"""

from dataclasses import replace
from functools import partial

import comfy.model_management
import torch

from ...motion_modules.adapter import MotionAdapter
from ...motion_modules.call import GATES
from ...motion_modules.methods import METHODS as MOTION_METHODS
from ...motion_modules.module import MotionModule, initialise
from ...training.clips import ClipSet
from ...training.loss import lamp_loss, video_loss
from ...training.mask_loss import MaskSettings
from ...training.memory import check_memory, estimate, has_room
from ..patching.image_model import image_unet, sites_of
from ..said import say
from . import masks as training_masks
from . import model as training_host
from .base_model import trainable_model
from .conditions import model_conditions
from .parts import parts_of
from .settings import LOSS_WEIGHTINGS, METHODS, PRECISIONS, Settings


class Lesson:
    """One training's model, layers and clips. Make it outside inference mode, with gradients on; `prepare` it before
    the first step, `close` it after the last.
    """

    def __init__(self, model, clips: ClipSet, settings: Settings, learning: MaskSettings, notes: dict):
        self.lines: list[str] = []
        self.settings, self.base = settings, trainable_model(model, self.lines)
        self.device = self.base.load_device
        method = METHODS[settings.method]
        recurrence = settings.recurrence if settings.method == "Recurrent" else ""
        self.design = MotionAdapter(
            method,
            {},
            settings.rank,
            settings.group_norm == "joint",
            notes,
            recurrence=recurrence,
            centred=settings.centred,
        )
        self.autocast = _autocast(settings.precision, self.device)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(settings.seed)
            self.module = initialise(self._layers(learning.split)).to(self.device).train()
            self.masks = training_masks.learner(self.base, learning, settings.steps) if clips.masks else None
        self.trained = {name: value for name, value in self.module.named_parameters() if value.requires_grad}
        self.trained |= dict(self.masks.named_parameters()) if self.masks else {}
        self.clips = clips
        self._check_fits(clips)
        is_v = "V_PREDICTION" in self.base.model.model_type.name
        self.power = 1.0 if is_v else LOSS_WEIGHTINGS[settings.weighting]

    def prepare(self, positive: list) -> None:
        """Put the layers into the model, and model, clips and captions on the device."""
        settings = self.settings
        self.options = training_host.attach(
            self.base, self.module, self.design.joint_norm, self.checkpointing, self.autocast
        )
        self.clips = self._on_device(self.clips)
        self.conditions = model_conditions(self.base, positive, self.clips.latents[0][: settings.frames])

    def computing(self) -> torch.autocast:
        """The precision that image model and layers compute in together."""
        return training_host.computing(self.device, self.autocast)

    def load(self) -> None:
        """Put everything back on the device, after something else was there."""
        training_host.load(self.base, self.autocast)

    def _layers(self, split: bool):
        settings, method = self.settings, self.design.method
        sites = [site for site in sites_of(self.base, method) if site.is_block or settings.convolves]
        if split:
            return MotionModule(sites, settings.rank, split=True, centred=settings.centred)
        return MOTION_METHODS[method].build(self.design, sites, torch.nn)

    def _check_fits(self, clips: ClipSet) -> None:
        height, width = clips.latents[0].shape[-2:]
        itemsize, held = 4 if self.autocast is None else 2, self.base.model.get_dtype()
        numbers = sum(value.numel() for value in self.base.model.diffusion_model.parameters())
        is_cast = held != (self.autocast or torch.float32) and not training_host.is_recast(held, self.autocast)
        latents = (self.settings.batch_size * self.settings.frames, height, width)
        frozen, trained = self.base.model_size(), sum(value.numel() for value in self.trained.values())
        parts, cast = parts_of(image_unet(self.base)), itemsize * numbers if is_cast else 0
        saving, whole = (estimate(frozen, trained, latents, parts, itemsize, saves, cast) for saves in (True, False))
        comfy.model_management.free_memory(whole.total, self.device)
        free = comfy.model_management.get_free_memory(self.device) + self._there_already()
        self.checkpointing = self.settings.gradient_checkpointing and not has_room(whole, free)
        self.needed = needed = saving if self.checkpointing else whole
        self.lines.append(f"Training takes about {needed}.")
        if self.settings.gradient_checkpointing and not self.checkpointing:
            self.lines[-1] += " There is room for it without gradient checkpointing, which would make steps slower."
        say(self.lines[-1])
        check_memory(needed, free, str(self.device))

    def _there_already(self) -> int:
        """Bytes of what the estimate counts that lie on the device before it is asked what is free."""
        frozen = self.base.model_size() if self.base.model.device == self.device else 0
        return frozen + sum(value.nbytes for value in self.trained.values())

    def _on_device(self, clips: ClipSet) -> ClipSet:
        latents = [self.base.model.process_latent_in(clip).to(self.device) for clip in clips.latents]
        flipped = clips.flipped and [self.base.model.process_latent_in(clip).to(self.device) for clip in clips.flipped]
        masks = clips.masks and [mask.clone().to(self.device) for mask in clips.masks]
        return replace(clips, latents=latents, flipped=flipped, masks=masks)

    def loss_at(self, step: int, generator: torch.Generator) -> torch.Tensor:
        """The loss of one step, all its random numbers from `generator`."""
        x0, chosen, subject = self.clips.draw(step, self.settings.batch_size, generator)
        sampling = self.base.model.model_sampling
        eps = torch.randn(x0.shape, generator=generator).to(self.device)
        timestep = torch.randint(0, len(sampling.sigmas), (len(x0),), generator=generator)
        sigma = sampling.sigmas[timestep.to(sampling.sigmas.device)].to(self.device)
        captions = [self.conditions[clip % len(self.conditions)] for clip in chosen]
        gates: list[torch.Tensor] = []
        predict = training_host.denoiser(self.base, {**self.options, GATES: gates}, captions, self.autocast)
        scale = sampling.calculate_input(sigma, torch.ones(len(x0), device=self.device))
        loss = partial(lamp_loss if self.settings.from_first_frame else video_loss, focus=self.settings.focus)
        if self.settings.both_ends:
            ends = int(torch.rand(1, generator=generator) < 0.5)
            return loss(predict, x0, eps, sigma, scale, self.power, ends)
        if self.masks is None:
            return loss(predict, x0, eps, sigma, scale, self.power)
        watched = self.masks.watch(predict, subject, scale)
        return loss(watched, x0, eps, sigma, scale, self.power) + watched.loss(gates, step)

    def adapter(self, steps: int) -> MotionAdapter:
        """What is learnt by now, after so many steps."""
        tensors = {name: value.detach().cpu().clone() for name, value in self.module.state_dict().items()}
        learnt = self.masks.state_dict() if self.masks else {}
        learnt = {name: value.detach().cpu().clone() for name, value in learnt.items()}
        metadata = {**self.design.metadata, "steps": str(steps)}
        return replace(self.design, tensors=tensors, metadata=metadata, mask_tensors=learnt)

    def close(self) -> None:
        """Give the model's memory back."""
        self.base.cleanup()
        self.base.detach()


def _autocast(precision: str, device: torch.device) -> torch.dtype | None:
    if precision != "auto" or device.type == "cpu":
        return PRECISIONS[precision]
    return torch.bfloat16 if comfy.model_management.should_use_bf16(device) else torch.float16
