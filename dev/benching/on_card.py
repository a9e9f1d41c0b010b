"""What a prompt and a training do to a simulated card: which models core loads, keeps and frees, and the peak."""

import gc
import logging
from dataclasses import dataclass
from typing import Any

import comfy.model_management as management
import comfy.model_patcher
import comfy.sampler_helpers
import comfy.samplers
import torch
from few_shot_motion.host.training.lesson import Lesson
from few_shot_motion.host.training.recipes import resolve
from few_shot_motion.host.training.settings import Settings
from few_shot_motion.training.clips import ClipSet
from few_shot_motion.training.mask_loss import MaskSettings

from . import parts
from .call import fused_attention
from .real_widths import FAMILIES, image_model, moving
from .simulated import CARD, TAKEN, Card

ENCODER, VAE, IMAGE, MOTION = "text encoder", "VAE", "image model", "motion"


@dataclass(frozen=True)
class Clip:
    """How many frames, of which size in px."""

    frames: int = 16
    height: int = 512
    width: int = 512

    @property
    def latents(self) -> tuple[int, int, int, int]:
        """`f c h w`."""
        return self.frames, 4, self.height // 8, self.width // 8

    def __str__(self) -> str:
        return f"{self.frames}x{self.height}x{self.width}"


@dataclass
class Loaded:
    """Bytes of each model that lie on the card, and of how many in all, at one moment."""

    bytes: dict[str, tuple[int, int]]
    held: int  # all of the card, the driver's part included


@dataclass
class Animated:
    """A prompt on a card: what lies there while it samples, while its frames are decoded, while it samples again; bytes
    core was told that the sampling takes beside the weights, and what was counted; clips in one call.
    """

    stages: list[Loaded]
    told: int
    counted: int
    clips: int
    peak: int
    left: int  # bytes on the card when all was unloaded, beside the driver's


@torch.inference_mode()
def animated(card: Card, family: str, motion: str, clip: Clip, dtype: torch.dtype = torch.float16) -> Animated:
    """A prompt with guidance, as core's KSampler and VAE Decode go: text, sampling, decoding, and sampling again."""
    model = moving(image_model(family, dtype), motion)
    encoder, vae = parts.managed(parts.text_encoder(family, dtype)), parts.managed(parts.vae(torch.bfloat16))
    patchers = {IMAGE: [model], MOTION: model.get_additional_models(), ENCODER: [encoder], VAE: [vae]}
    management.load_models_gpu([encoder])
    management.load_models_gpu([vae], memory_required=1767 * clip.height * clip.width * 2)  # comfy.sd.VAE's own figures
    stages, (told, counted, clips, peak) = [], _sampled(card, model, family, clip)
    stages.append(_loaded(card, patchers))
    management.load_models_gpu([vae], memory_required=2178 * clip.height * clip.width * 2)
    stages.append(_loaded(card, patchers))
    _prepared(model, family, clip)
    stages.append(_loaded(card, patchers))
    management.free_memory(1e30, CARD)
    gc.collect()  # what only waits for a collection is held by nobody; when one comes is chance
    return Animated(stages, told, counted, clips, peak, card.held - TAKEN)


def _prepared(model, family: str, clip: Clip) -> tuple[torch.Tensor, dict[str, Any], dict]:
    """Core's own preparation of a guided sampling: it loads what it can. Noise, conditionings and options."""
    noise = torch.randn(clip.latents)
    text = {"cross_attn": torch.randn(1, 77, FAMILIES[family][1]["context_dim"]), "model_conds": {}}
    if FAMILIES[family][1]["adm_in_channels"]:
        text["pooled_output"] = torch.randn(1, 1280)
    conds: dict[str, Any] = {name: [{**text, "uuid": name}] for name in ("positive", "negative")}
    options = comfy.model_patcher.create_model_options_clone(model.model_options)
    options["transformer_options"]["optimized_attention_override"] = fused_attention
    comfy.sampler_helpers.prepare_model_patcher(model, conds, options)
    comfy.sampler_helpers.prepare_sampling(model, noise.shape, conds, options)
    return noise, conds, options


def _sampled(card: Card, model, family: str, clip: Clip) -> tuple[int, int, int, int]:
    """One step of guided sampling: what core was told for the clips it took at once, what they took, how many they
    were, and the card's peak.
    """
    calls: list[int] = []
    noise, conds, options = _prepared(model, family, clip)

    def call(apply_model, given):
        calls.append(len(given["cond_or_uncond"]))
        return apply_model(given["input"], given["timestep"], **given["c"])

    options["model_function_wrapper"] = call
    model.pre_run()
    x, sigma = noise.to(CARD), torch.full((clip.frames,), 2.0, device=CARD)
    for name in conds:
        conds[name] = comfy.samplers.encode_model_conds(model.model.extra_conds, conds[name], x, CARD, name)
    before = card.held
    peak = card.peak_of(lambda: comfy.samplers.calc_cond_batch(model.model, [*conds.values()], x, sigma, options))
    told = model.model.memory_required([max(calls) * clip.frames, *clip.latents[1:]])
    model.cleanup()
    return int(told), peak - before, max(calls), peak


def _loaded(card: Card, patchers: dict[str, list]) -> Loaded:
    found = {name: (sum(patcher.loaded_size() for patcher in there), sum(patcher.model_size() for patcher in there))
             for name, there in patchers.items()}  # fmt: skip
    return Loaded(found, card.held)


@dataclass
class Trained:
    """A training on a card: what it said before, whether it saves memory, how many bytes it said, how many are on the
    card before the first step; or why it would not begin.
    """

    said: str
    checkpointing: bool = False
    needed: int = 0
    loaded: int = 0
    refused: str = ""


@torch.inference_mode(False)
@torch.enable_grad()
def trained(card: Card, family: str, clip: Clip, **settings: Any) -> Trained:
    """Train Motion LoRA's own lesson on clips of this size, ready for its first step; the base in fp16."""
    try:
        lesson = lesson_on(family, clip, torch.float16, **settings)
    except ValueError as refusal:
        return Trained("", refused=str(refusal))
    loaded = card.held - TAKEN
    lesson.close()
    return Trained(lesson.lines[-1], lesson.checkpointing, lesson.needed.total, loaded)


def lesson_on(family: str, clip: Clip, held: torch.dtype, **settings: Any) -> Lesson:
    """Train Motion LoRA's own lesson by the recipe fast, its image model held in a dtype; everything is on the card
    that is there. Raises ValueError where it would not begin.
    """
    values, _ = resolve("fast", {"method": "LAMP", "seed": 0, "width": clip.width, "height": clip.height,
                                 "frames": clip.frames, **settings}, {})  # fmt: skip
    chosen = Settings(**{name: values[name] for name in Settings.__dataclass_fields__ if name in values})
    model = image_model(family, held)
    model.cached_patcher_init = (_anew, (family, held))
    lesson = Lesson(model, ClipSet([torch.randn(clip.latents) for _ in range(8)], clip.frames), chosen,
                    MaskSettings(), {})  # fmt: skip
    pooled = {"pooled_output": torch.randn(1, 1280)} if family == "SDXL" else {}
    lesson.prepare([[[torch.randn(1, 77, FAMILIES[family][1]["context_dim"]), pooled]]])
    return lesson


def _anew(family: str, held: torch.dtype, disable_dynamic: bool = False):
    return image_model(family, held)


def quiet() -> None:
    """Without a line for each model that core loads."""
    logging.getLogger().setLevel(logging.WARNING)
