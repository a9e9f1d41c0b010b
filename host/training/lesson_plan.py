"""From what a user gives a training node to what it learns: settings resolved, all checked, clips read, learnt."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import comfy.model_management
import comfy.utils
import torch

from ...motion_modules.adapter import settings_text
from ...training.mask_loss import MaskSettings
from ..inputs.models import encoded
from ..patching.image_model import family
from ..said import say
from .base_model import check_trainable
from .kept_run import Keeper
from .material import Material, gather
from .progress import Progress
from .recipes import CUSTOM, described, resolve
from .report import outcome
from .run import Learnt, Sampling, learn
from .settings import LATER, Settings


def train_motion(model, vae, clips: Sequence, positive: list, captions: list[str], masks: list, widgets: Mapping,
                 chosen: Mapping) -> Learnt:  # fmt: skip
    """A training as Train Motion LoRA asks for it: `widgets` its own values, `chosen` Motion Training Settings'.

    Raises ValueError, one sentence, before the first step for whatever can be known by then.
    """
    recipe = widgets.get("recipe", CUSTOM)
    values, by_hand = resolve(recipe, widgets, chosen)
    settings, learning = _taken(Settings, values), _taken(MaskSettings, values)
    check_trainable(model)
    _check(settings, learning, masks)
    keeper = Keeper(str(values.get("name", "motion")), values["save_every"], values.get("resume", False))
    progress = Progress(comfy.model_management.get_torch_device(), keeper.name)
    material = gather(vae, clips, positive, masks, captions, settings, learning, progress.stage)
    material.lines.insert(0, described(recipe, settings, by_hand))
    say(material.lines[0])
    decisive = asdict(settings) | (asdict(learning) if masks else {})
    for later, neutral in LATER.items():  # so that runs go on that were kept before there was such a setting
        if decisive[later] == neutral:
            del decisive[later]
    is_scheduled = masks and learning.is_scheduled
    # a run may go on for more steps than it was begun with
    material.identity = {"settings": decisive | ({} if is_scheduled else {"steps": 0}), **material.identity}
    notes = _notes(model, settings, learning, material, captions, recipe, decisive) | _masks_note(masks, learning)
    learnt = learn(model, vae, material, positive, settings, learning, notes, keeper,
                   _sampling(vae, material, positive, values))  # fmt: skip
    learnt.lines[:0] = outcome(learnt.adapter, learnt.run, settings.steps)
    for line in reversed(outcome(learnt.adapter, learnt.run, settings.steps)):
        say(line)
    return learnt


def _taken(kind, values: Mapping[str, Any]):
    """A dataclass of settings from all values."""
    return kind(**{field.name: values[field.name] for field in fields(kind) if field.name in values})


def _check(settings: Settings, learning: MaskSettings, masks: list) -> None:
    _check_parts(settings, learning)
    _check_first_frame(settings, learning, masks)
    if settings.both_ends and (settings.method != "LAMP" or masks):
        found = "there are masks to learn from" if masks else f"the method is {settings.method}"
        raise ValueError(
            f"Both ends of a clip are given in LAMP's training without masks, and {found}: turn both_ends off, or "
            f"{'take the masks away' if masks else 'choose LAMP'}."
        )
    if masks and settings.method != "LAMP":
        raise ValueError(
            f"Masks are learnt from beside LAMP's motion, the method is {settings.method}: choose LAMP, or take "
            "the masks away."
        )


def _check_parts(settings: Settings, learning: MaskSettings) -> None:
    """What needs convolutions over the frames, where there are to be none."""
    if settings.convolution != "none":
        return
    if settings.both_ends:
        raise ValueError(
            "With both_ends a motion learns by centred convolutions, and convolution is none: turn both_ends off, or "
            "choose another convolution."
        )
    if settings.method == "Recurrent" and settings.motion_convolutions:
        raise ValueError(
            "motion_convolutions is on, and convolution is none: turn motion_convolutions off, or choose another "
            "convolution."
        )
    if learning.split:
        raise ValueError(
            "Split layers are convolutions, and convolution is none: turn split off, or choose another convolution."
        )


def _check_first_frame(settings: Settings, learning: MaskSettings, masks: list) -> None:
    """What needs a given first frame, where it is learnt like the others."""
    if settings.method != "LAMP" or settings.from_first_frame:
        return
    if settings.both_ends:
        raise ValueError(
            "both_ends gives a clip's first frame and its last, and first_frame is learnt: turn both_ends off, or "
            "choose given."
        )
    if masks and learning.mask_input == "conditioned":
        raise ValueError(
            "The mask_input conditioned is mixed into a given first frame, and first_frame is learnt: choose another "
            "mask_input, or given."
        )


def _notes(model, settings: Settings, learning: MaskSettings, material: Material, captions: list[str], recipe: str,
           decisive: dict) -> dict[str, str]:  # fmt: skip
    width, height = material.size
    return {
        "base": family(model),
        "prompts": settings_text(sorted(set(captions))),
        "frames": str(settings.frames),
        **({"ends": "both"} if settings.both_ends else {}),
        **({"first_frame": "learnt"} if settings.method == "LAMP" and not settings.from_first_frame else {}),
        "width": str(width),
        "height": str(height),
        "fps": f"{settings.fps:g}",
        "recipe": recipe,
        "training": settings_text(decisive),
        "licence": "Follows the licence of the base model and the rights in the clips.",
    }


def _masks_note(masks: list, learning: MaskSettings) -> dict[str, str]:
    return {"mask_input": learning.mask_input} if masks else {}


def _sampling(vae, material: Material, positive: list, values: Mapping[str, Any]) -> Sampling:
    """Where sample clips begin: at a given picture and prompt, or at the first clip's own."""
    first, picture = material.clips.latents[0][:1], values.get("sample_image")
    if picture is not None:
        seen = comfy.utils.common_upscale(picture[:1, ..., :3].movedim(-1, 1), *material.size, "area", "center")
        first = encoded(vae, seen.movedim(1, -1), "sample_image")
    every = values.get("sample_every", 0)
    if values.get("mask_input") == "conditioned" and material.clips.masks:
        every = 0  # such a motion wants a mask with its first frame
    return Sampling(every, torch.as_tensor(first), values.get("sample_positive") or positive[0],
                    values.get("sample_negative"))  # fmt: skip
