"""CLIP as a measure: both towers of one family, in fp32 from one file, or the CLIP and CLIP_VISION that core has
loaded.

Core hands out a text tower whose projection is uninitialised memory where the file had none, and image models have
none: such are refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import comfy.clip_model
import comfy.model_management
import comfy.sd1_clip
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...motion_modules.weights import open_safetensors
from ..files.weights_file import fingerprint, read_tensors, weights_fingerprint

_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
TOKENS = 77
BATCH = 32


@dataclass(frozen=True)
class ClipPair:
    """embed_images: f c h w in [0, 1] => f d; embed_text: a prompt => d, or None without a text tower."""

    embed_images: Callable[[Tensor], Tensor]
    embed_text: Callable[[str], Tensor] | None
    description: str


@cache
def _tokenizer():
    return comfy.sd1_clip.SDTokenizer().tokenizer


def token_ids(prompt: str) -> list[int]:
    """CLIP's own 77 tokens, begin and end included; what is beyond is cut off. Brackets mean nothing here."""
    ids = _tokenizer()(prompt, truncation=True, max_length=TOKENS)["input_ids"]
    return ids + ids[-1:] * (TOKENS - len(ids))


def is_cut(prompt: str) -> bool:
    """Whether a prompt is longer than the 77 tokens that CLIP reads."""
    return len(_tokenizer()(prompt)["input_ids"]) > TOKENS


def preprocess(images: Tensor, side: int) -> Tensor:
    """f c h w in [0, 1] => f c side side: as CLIP's own code, on 8-bit pictures: short side bicubic, centre crop,
    normalise.
    """
    pictures = (images * 255).round().byte().movedim(1, -1).cpu().numpy()
    h, w = pictures.shape[1:3]
    if h < w:
        new_h, new_w = side, int(side * w / h)
    else:
        new_h, new_w = int(side * h / w), side
    top, left = round((new_h - side) / 2), round((new_w - side) / 2)
    scaled = [Image.fromarray(picture).resize((new_w, new_h), Image.Resampling.BICUBIC) for picture in pictures]
    made = [picture.crop((left, top, left + side, top + side)) for picture in scaled]
    x = torch.from_numpy(np.stack([np.asarray(picture) for picture in made])).float().movedim(-1, 1) / 255
    return (x - torch.tensor(_MEAN).view(3, 1, 1)) / torch.tensor(_STD).view(3, 1, 1)


def connected(clip, clip_vision) -> ClipPair:
    """Raises ValueError where the text tower has no projection of its own, or the two do not belong together."""
    model = clip_vision.config
    if model.get("model_type") != "clip_vision_model" or "projection_dim" not in model:
        raise ValueError(
            f"Pictures are looked at with CLIP, this CLIP_VISION is a {model.get('model_type')}: load one of CLIP's."
        )
    side = clip_vision.image_size
    name = (
        f"model: CLIP_VISION {model['hidden_size']} wide, patches of {model['patch_size']}, at {side} px, "
        f"{_dtype(clip_vision.model)}, weights' sha256 {weights_fingerprint(clip_vision.model)}"
    )

    def embed_images(images: Tensor) -> Tensor:
        comfy.model_management.load_model_gpu(clip_vision.patcher)
        batches = preprocess(images, side).split(BATCH)
        device = clip_vision.load_device
        return torch.cat(
            [
                clip_vision.model(pixel_values=batch.to(device), intermediate_output=-2)[2].float().cpu()
                for batch in batches
            ]
        )

    if clip is None:
        return ClipPair(embed_images, None, name)
    tower = text_tower(clip)
    image, words = model.get("projection_dim"), tower.transformer.text_projection.weight.shape[0]
    if image != words:
        raise ValueError(
            f"CLIP and CLIP_VISION do not belong together: pictures become {image} numbers, prompts {words}; load both "
            "of one family."
        )

    def embed_text(prompt: str) -> Tensor:
        clip.load_model()
        tower.reset_clip_options()
        tower.set_clip_options({"projected_pooled": True, "execution_device": clip.patcher.load_device})
        try:
            return tower.encode_token_weights([[(token, 1.0) for token in token_ids(prompt)]])[1][0].float().cpu()
        finally:
            tower.reset_clip_options()

    files = ", ".join(f"{file.name}, sha256 {fingerprint(file)}" for file in _origin(clip))
    return ClipPair(embed_images, embed_text, f"{name}; CLIP {files}, {_dtype(tower.transformer)}")


def text_tower(clip):
    """The one text tower of a CLIP, its projection read from a file."""
    model = clip.cond_stage_model
    if not isinstance(model, comfy.sd1_clip.SD1ClipModel) or not isinstance(
        getattr(getattr(model, model.clip), "transformer", None), comfy.clip_model.CLIPTextModel
    ):
        raise ValueError(
            f"A prompt is measured with one CLIP text tower, this CLIP is a {type(model).__name__}: load one with Load "
            "CLIP."
        )
    if not any(_has_projection(file) for file in _origin(clip)):
        raise ValueError("This CLIP's text tower came without a projection, as in every Stable Diffusion 1.x "
                         "checkpoint, so its numbers would mean "
                         "nothing: choose a whole CLIP file as clip_file, or load one with Load CLIP.")  # fmt: skip
    return getattr(model, model.clip)


def _origin(clip) -> list[Path]:
    made_by = clip.patcher.cached_patcher_init
    paths = made_by[1][0] if made_by else []
    return [Path(path) for path in ([paths] if isinstance(paths, str) else paths)]


def _has_projection(file: Path) -> bool:
    if file.suffix in (".safetensors", ".sft"):
        with open_safetensors(file) as content:
            names = list(content.keys())
    else:
        names = list(read_tensors(file))
    return any(name.endswith(("text_projection", "text_projection.weight")) for name in names)


def _dtype(module: torch.nn.Module) -> str:
    return str(next(module.parameters()).dtype).removeprefix("torch.")
