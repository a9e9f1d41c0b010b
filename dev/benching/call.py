"""One call of a MODEL's UNet as a sampler would make it, with random clips: to be counted or timed."""

from collections.abc import Callable

import comfy.model_management
import comfy.model_patcher
import comfy.sampler_helpers
import torch
from comfy.ldm.modules.attention import attention_pytorch
from few_shot_motion.host.patching.motion_stack import FRAMES

from .counting import Count, Counting
from .real_widths import FAMILIES


def fused_attention(_, *tensors: torch.Tensor, **words) -> torch.Tensor:
    """ComfyUI's attention by PyTorch's own kernel, whatever the device: an `optimized_attention_override`."""
    words.pop("transformer_options", None)
    return attention_pytorch(*tensors, **words)


def loaded(model, family: str, clips: int, frames: int, size: tuple[int, int]) -> Callable[[], torch.Tensor]:
    """`prepared`, of a MODEL that is put on its device first, whole, with its motion."""
    comfy.model_management.load_models_gpu([model, *model.get_additional_models()], force_full_load=True)
    model.pre_run()
    return prepared(model, family, clips, frames, size)


def prepared(model, family: str, clips: int, frames: int, size: tuple[int, int]) -> Callable[[], torch.Tensor]:
    """A call of a MODEL that is loaded, with so many clips of so many frames; size: height and width of the latents."""
    batch, device = clips * frames, model.load_device
    config = FAMILIES[family][1]
    options = comfy.model_patcher.create_model_options_clone(model.model_options)
    comfy.sampler_helpers.prepare_model_patcher(model, {}, options)
    options = {**options["transformer_options"], "cond_or_uncond": list(range(clips)), FRAMES: frames,
               "optimized_attention_override": fused_attention}  # fmt: skip
    x, sigma = torch.randn(batch, 4, *size, device=device), torch.full((batch,), 2.0, device=device)
    text = torch.randn(batch, 77, config["context_dim"], device=device)
    conds = {"y": torch.randn(batch, config["adm_in_channels"], device=device)} if config["adm_in_channels"] else {}
    return lambda: model.model.apply_model(x, sigma, c_crossattn=text, transformer_options=options, **conds)


@torch.no_grad()
def counted(model, family: str, clips: int, frames: int = 16, size: tuple[int, int] = (40, 64)) -> Count:
    """What a call of a MODEL made on "meta" does: kernels, and bytes read and written."""
    model.patch_model(model.load_device)
    try:
        call = prepared(model, family, clips, frames, size)
        with Counting() as count:
            call()
    finally:
        model.unpatch_model()
    return count
