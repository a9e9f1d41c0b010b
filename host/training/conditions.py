"""Captions as the UNet wants them in a training, and what of a CONDITIONING a training cannot use."""

import math

import comfy.sampler_helpers
import comfy.samplers
import torch
from torch import Tensor

_WORDS = {"area": "an area", "mask": "a mask", "start_percent": "a range of steps", "end_percent": "a range of steps",
          "hooks": "hooks", "control": "a ControlNet", "gligen": "a GLIGEN",
          "concat_latent_image": "a picture"}  # fmt: skip


def check_captions(positive: list) -> None:
    """Raises ValueError, one sentence, for a caption that is more than the words for a whole clip."""
    for i, caption in enumerate(positive, start=1):
        if len(caption) != 1:
            raise ValueError(
                f"Caption {i} is {len(caption)} prompts in one, a clip has one: leave out what combines or empties "
                "conditionings."
            )
        found = {word for key, word in _WORDS.items() if _is_set(key, caption[0][1])}
        if found:
            raise ValueError(
                f"Caption {i} comes with {' and '.join(sorted(found))}, training takes words alone, for whole clips "
                "and all steps: connect CLIP Text Encode itself."
            )


def _is_set(key: str, options: dict) -> bool:
    neutral = {"start_percent": 0.0, "end_percent": 1.0}.get(key)
    value = options.get(key, neutral)
    return value is not None and (isinstance(value, Tensor) or value != neutral)


def model_conditions(base, conditioning: list, latents: Tensor) -> list[dict[str, Tensor]]:
    """Per caption, what the UNet wants of it for a clip `f c h w`: text, and SDXL's size and pooled text."""
    conditions = []
    for caption in conditioning:
        conds = comfy.sampler_helpers.convert_cond(caption)
        conds = comfy.samplers.encode_model_conds(base.model.extra_conds, conds, latents, base.load_device, "positive")
        made = {
            key: cond.process_cond(batch_size=len(latents), area=None).cond
            for key, cond in conds[0]["model_conds"].items()
        }
        conditions.append({key: value.clone() if isinstance(value, Tensor) else value for key, value in made.items()})
    return conditions


def in_one_batch(conditions: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """One call's conditions from those of its clips. Texts of 77 and 154 tokens are repeated to one length, which
    attention does not notice.
    """
    return {key: _joined([condition[key] for condition in conditions]) for key in conditions[0]}


def _joined(values: list[Tensor]) -> Tensor:
    if len({value.shape[1:] for value in values}) > 1 and all(value.ndim == 3 for value in values):
        tokens = math.lcm(*(value.shape[1] for value in values))
        values = [value.repeat(1, tokens // value.shape[1], 1) for value in values]
    return torch.cat(values)
