"""Text encoders and VAEs of the image models' own size, in ComfyUI's own classes, without weights anybody trained."""

import comfy.model_management
import comfy.model_patcher
import comfy.sd1_clip
import comfy.sdxl_clip
import torch
from comfy.ldm.models.autoencoder import AutoencoderKL

_VAE = {"double_z": True, "z_channels": 4, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 128,
        "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0}  # fmt: skip
_ENCODERS = {"SD 1.5": comfy.sd1_clip.SD1ClipModel, "SDXL": comfy.sdxl_clip.SDXLClipModel}


def text_encoder(family: str, dtype: torch.dtype) -> torch.nn.Module:
    """CLIP-L, and beside it SDXL's second one."""
    return _ENCODERS[family](device="cpu", dtype=dtype)


def vae(dtype: torch.dtype) -> torch.nn.Module:
    """The VAE of SD 1.x and SDXL, encoder and decoder."""
    return AutoencoderKL(ddconfig=_VAE, embed_dim=4).to(dtype)


def managed(module: torch.nn.Module) -> comfy.model_patcher.ModelPatcher:
    """A module under ComfyUI's memory management."""
    return comfy.model_patcher.ModelPatcher(module, comfy.model_management.get_torch_device(), torch.device("cpu"))
