"""ModelScope's text-to-video UNet as a MODEL: ComfyUI's own UNet with ModelScope's temporal layers as its motion.

Frames ride in the batch, as with every other motion of this pack: KSampler, VAE Decode, context windows and our
samplers see an image model.
"""

from pathlib import Path

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.supported_models
import comfy.utils
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_detection import detect_unet_config
from safetensors import SafetensorError

from ...motion_modules import modelscope_file
from ...motion_modules.adapter import AdapterError
from ...motion_modules.modelscope import head_width
from ...motion_modules.modelscope_file import WANTED
from ...motion_modules.weights import DAMAGED, SAFETENSORS, check_head, open_safetensors, refuse
from .bridge import apply_adapter

_VAE_PREFIX = "first_stage_model."


class _Model(comfy.model_base.BaseModel):
    def extra_conds(self, **kwargs):
        text, wanted = kwargs.get("cross_attn"), self.model_config.unet_config["context_dim"]
        if text is not None and text.shape[-1] != wanted:
            raise ValueError(f"ModelScope T2V takes text of {wanted} channels, this prompt has {text.shape[-1]}: "
                             "encode it with OpenCLIP ViT-H, the text "
                             "encoder of ModelScope and Stable Diffusion 2.x.")  # fmt: skip
        if (noise := kwargs.get("noise")) is not None and noise.ndim != 4:
            raise ValueError("ModelScope T2V takes a clip as a batch of latents, one per frame, these have the shape "
                             f"{tuple(noise.shape)}: use Empty "
                             "Latent Image with the number of frames as batch_size.")  # fmt: skip
        return super().extra_conds(**kwargs)


class ModelScope(comfy.supported_models.SD20):
    """Stable Diffusion 2.x's UNet, schedule and latents, which predicts noise whatever its weights look like."""

    # the transformer behind the first convolution is 512 channels wide, the widest of SD 2.x there 320
    memory_usage_factor = 1.6

    def __init__(self, unet_config: dict, head_channels: int):
        super().__init__(unet_config)
        self.unet_config["num_head_channels"] = head_channels

    def get_model(self, state_dict, prefix="", device=None):
        """Core's own call: the model around the UNet, its noise prediction not guessed from weights."""
        return _Model(self, comfy.model_base.ModelType.EPS, device=device)


class _Whole(comfy.ops.disable_weight_init):
    """Core's layers with parameters from the start; its own wait for the file where core manages the memory."""

    Linear = torch.nn.Linear


def load_modelscope(file: Path):
    """The MODEL, and what it is. Raises AdapterError, one sentence, where the file cannot be used."""
    content = _read(file)
    model = apply_adapter(_image_model(content, file), content.motion)
    kind, millions = content.motion.metadata["kind"], content.parameters() / 1e6
    return model, f"{kind}, {millions:.1f} million parameters in {model.model.get_dtype_inference()}"


def load_image_model(file: str, disable_dynamic: bool = False):
    """The UNet without its temporal layers, anew from its file: for whoever needs a second one."""
    return _image_model(_read(Path(file)), Path(file), disable_dynamic)


def _read(file: Path) -> modelscope_file.ModelScope:
    return modelscope_file.read(file.name, _tensors(file))


def _tensors(file: Path) -> dict[str, torch.Tensor]:
    check_head(file)
    try:
        if file.suffix.lower() in SAFETENSORS:
            open_safetensors(file)
        content = comfy.utils.load_torch_file(str(file))
    except AdapterError:
        raise
    except (SafetensorError, *DAMAGED) as error:
        refuse(file, error)
    return (
        {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
        if isinstance(content, dict)
        else {}
    )


def _image_model(content: modelscope_file.ModelScope, file: Path, disable_dynamic: bool = False):
    """As core makes a MODEL of a UNet (comfy.sd.load_diffusion_model_state_dict), with a size of any kind."""
    config = config_of(content, file.name)
    device, offload_device = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    dtypes, weight_dtype = config.supported_inference_dtypes, comfy.utils.weight_dtype(content.image)
    dtype = comfy.model_management.unet_dtype(
        model_params=content.parameters(), supported_dtypes=dtypes, weight_dtype=weight_dtype
    )
    config.set_inference_dtype(dtype, comfy.model_management.unet_manual_cast(dtype, device, dtypes), device=device)
    model = config.get_model(content.image)
    patcher_class = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = patcher_class(model, load_device=device, offload_device=offload_device)
    if not comfy.model_management.is_device_cpu(offload_device):
        model.to(offload_device)
    model.load_model_weights(dict(content.image), assign=patcher.is_dynamic())
    patcher.cached_patcher_init = (load_image_model, (str(file),))
    return patcher


def config_of(content: modelscope_file.ModelScope, file: str) -> ModelScope:
    """The network's size, from the shapes of its tensors.

    Raises AdapterError where they are not those of one network.
    """
    try:
        config = ModelScope(detect_unet_config(content.image, "") or {}, head_width(content.motion.tensors))
        unet = UNetModel(**config.unet_config, device="meta", operations=_Whole)
        wrong = modelscope_file.not_of(content, {name: value.shape for name, value in unet.state_dict().items()})
    except (LookupError, ArithmeticError, ValueError, TypeError, AssertionError) as error:
        raise AdapterError(f"{file} is no whole ModelScope UNet, its tensors do not tell its size: {WANTED}") from error
    if wrong:
        raise AdapterError(
            f"{file} is no whole ModelScope UNet, {len(wrong)} tensors are missing, foreign or of another shape, "
            f"{wrong[0]} for one: {WANTED}"
        )
    return config


def load_vae(file: Path):
    """Any SD VAE; ModelScope's own names its tensors as in a checkpoint. Raises AdapterError where it is none."""
    tensors = _tensors(file)
    inner = {name.removeprefix(_VAE_PREFIX): value for name, value in tensors.items() if name.startswith(_VAE_PREFIX)}
    try:
        vae = comfy.sd.VAE(sd=inner or tensors)
        vae.throw_exception_if_invalid()
    except RuntimeError as error:
        raise AdapterError(
            f"{file.name} is no VAE that ComfyUI knows, it holds {len(tensors)} tensors such as "
            f"{', '.join(list(tensors)[:3])}: choose ModelScope's VQGAN_autoencoder.pth, or a VAE of Stable Diffusion "
            "1.x or 2.x."
        ) from error
    return vae
