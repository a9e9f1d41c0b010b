"""What motion needs to know of an image model: its UNet, its family, its places for layers, its own weights."""

import torch
from comfy.ldm.modules.attention import SpatialVideoTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

from ...motion_modules.adapter import AdapterError
from ...motion_modules.methods import METHODS
from ...motion_modules.sites import Site

CELL = 8  # px per position of a latent, in every model that motion layers fit
_FAMILIES = {"SD15": "Stable Diffusion 1.x", "SD20": "Stable Diffusion 2.x",
             "SD21UnclipL": "Stable Diffusion 2.x unCLIP", "SDXL": "SDXL",
             "SSD1B": "SSD-1B", "SDXLRefiner": "SDXL refiner", "ModelScope": "ModelScope T2V"}  # fmt: skip


def image_unet(model) -> UNetModel:
    """The UNet of a MODEL. Raises AdapterError where it is something else."""
    diffusion_model = model.model.diffusion_model
    is_video = isinstance(diffusion_model, UNetModel) and any(
        isinstance(layer, SpatialVideoTransformer) for layer in diffusion_model.modules()
    )
    if not isinstance(diffusion_model, UNetModel) or is_video:
        raise AdapterError("Motion layers need the UNet of an image model (SD 1.x, SD 2.x or SDXL); this model is "
                           f"{family(model)} with a "
                           f"{type(diffusion_model).__name__}: load one of those checkpoints.")  # fmt: skip
    return diffusion_model


def family(model) -> str:
    """The MODEL's family as users call it, core's own name where it is none of those motion fits."""
    name = type(model.model.model_config).__name__
    return _FAMILIES.get(name, name)


def sites_of(model, method: str = "lamp") -> list[Site]:
    """Where a method extends this MODEL's UNet. Raises AdapterError where it has no image UNet."""
    return METHODS[method].sites({name: value.shape for name, value in image_unet(model).state_dict().items()})


def base_query(model):
    """name, shape -> the model's own weight of a query projection, without any LoRA that may be loaded with it."""

    def query(name: str, shape: torch.Size) -> torch.Tensor:
        patches = model.get_key_patches(f"diffusion_model.{name}")
        weight = patches.get(f"diffusion_model.{name}")
        if weight is None or weight[0][0].shape != shape:
            found = "none" if weight is None else tuple(weight[0][0].shape)
            raise AdapterError(f"This adapter was made for Stable Diffusion 1.4, the model is {family(model)}: its "
                               f"{name} is {tuple(shape)}, "
                               f"the model's {found}. Load a Stable Diffusion 1.x checkpoint.")  # fmt: skip
        return weight[0][0].float().cpu()

    return query
