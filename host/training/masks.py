"""Masks beside the clips of a training: brought to the clips' pictures, and what learns from them made for a model."""

import comfy.utils
import torch
from torch import Tensor

from ...motion_modules.mask_predictor import resize_masks
from ...training.clips import check_masks
from ...training.mask_loss import MaskLearner, MaskSettings
from ..inputs.frames import check_shape_of_masks
from ..patching.image_model import CELL
from .footage import Footage

_NAMES = tuple(MaskSettings.__dataclass_fields__)


def take_settings(inputs: dict) -> MaskSettings:
    """The mask settings among a node's listed inputs, taken out of them."""
    return MaskSettings(**{name: inputs.pop(name)[0] for name in _NAMES if name in inputs})


def prepare(masks: list[Tensor], footage: list[Footage], settings: MaskSettings) -> tuple[list[Tensor], list[str]]:
    """MASK batches as masks of the clips' latents: the same frames as were taken of the clips, scaled and cropped like
    them, then small. And what is odd about them, a sentence each.

    Raises ValueError where they cannot be.
    """
    if not masks and settings.split:
        raise ValueError(
            "Split layers learn what the subject is from masks: connect masks, one batch per clip, or turn split off."
        )
    if not masks:
        return [], []
    if len(masks) == len(footage):
        masks = [_like(mask, clip) for mask, clip in zip(masks, footage, strict=True)]
    odd = check_masks(masks, [len(clip.indices) for clip in footage])
    return [_small(mask) for mask in masks], odd


def _like(mask: Tensor, clip: Footage) -> Tensor:
    if len(mask) == clip.total:
        mask = mask[clip.indices]
    check_shape_of_masks((mask.shape[2], mask.shape[1]), clip.source, f"The masks of clip {clip.number}")
    width, height = clip.size if all(clip.size) else clip.source
    if mask.shape[1:] == (height, width):
        return mask.float()
    return comfy.utils.common_upscale(mask[:, None].float(), width, height, "area", "center")[:, 0]


def _small(mask: Tensor) -> Tensor:
    """A mask at a latent's size, which is of the middle of a picture whose sides are no multiples of 8."""
    height, width = (side // CELL for side in mask.shape[-2:])
    top, left = ((side % CELL) // 2 for side in mask.shape[-2:])
    return resize_masks(mask[:, top : top + CELL * height, left : left + CELL * width], height, width)


def learner(base, settings: MaskSettings, steps: int) -> MaskLearner:
    """What learns from masks beside the motion layers of a model."""
    shape = (1, base.model.latent_format.latent_channels, 1, 1)
    shift = base.model.process_latent_in(torch.zeros(shape))
    scale = base.model.process_latent_in(torch.ones(shape)) - shift
    return MaskLearner(settings, steps, scale.flatten(), shift.flatten()).to(base.load_device).train()
