"""Model files of real size whose weights nobody trained, under the names that the shipped workflows give them: made
once, in half precision, by `python3 dev widths`.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import comfy.bg_removal_model
import comfy.cldm.cldm
import comfy.ops
import torch
from few_shot_motion.host.metrics.clip_file import _Towers
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.animatediff_file import row_name
from few_shot_motion.motion_modules.mask_predictor import PREDICTOR, MaskPredictor
from safetensors.torch import save_file

from .. import model_files
from ..width_prompts import ADAPTERS, MODULE_SDXL
from .parts import text_encoder, vae
from .real_widths import FAMILIES, adapter, fill, image_model, layers

_HALF = torch.float16
_VISION = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
           "hidden_act": "quick_gelu", "num_channels": 3, "patch_size": 14, "image_size": 224, "projection_dim": 768,
           "model_type": "clip_vision_model"}  # fmt: skip
_TEXT = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
         "hidden_act": "quick_gelu", "max_position_embeddings": 77, "eos_token_id": 49407}  # fmt: skip


def _half(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A network's tensors with random weights; whole numbers stay what they are."""
    fill(module)
    return {
        name: (value.half() if value.is_floating_point() else value).contiguous().clone()
        for name, value in module.state_dict().items()
    }


def _checkpoint(family: str, file: Path) -> None:
    """UNet, text encoders and VAE, as core's Load Checkpoint wants them."""
    config = FAMILIES[family][0](dict(FAMILIES[family][1]))
    unet = image_model(family, _HALF).model.diffusion_model.state_dict()
    content = config.process_unet_state_dict_for_saving(unet)
    content |= config.process_clip_state_dict_for_saving(_half(text_encoder(family, _HALF)))
    content |= config.process_vae_state_dict_for_saving(_half(vae(_HALF)))
    save_file({name: value.contiguous() for name, value in content.items()}, file)


def _controlnet(file: Path) -> None:
    own = ("image_size", "in_channels", "model_channels", "channel_mult", "num_res_blocks", "transformer_depth",
           "transformer_depth_middle", "context_dim", "use_spatial_transformer", "legacy")  # fmt: skip
    config = {name: FAMILIES["SD 1.5"][1][name] for name in own}
    made = comfy.cldm.cldm.ControlNet(**config, hint_channels=3, num_heads=8, dtype=_HALF, device="cpu",
                                      operations=comfy.ops.disable_weight_init)  # fmt: skip
    save_file(_half(made), file)


def _meta(family: str):
    """An image model without weights, whose layers are made on the CPU."""
    model = image_model(family, _HALF, "meta")
    model.offload_device = torch.device("cpu")
    return model


def _adapter(family: str, motion: str, file: Path, masks: bool = False) -> None:
    made = adapter(_meta(family), motion)
    metadata = {"base": "SDXL" if family == "SDXL" else "Stable Diffusion 1.x"}
    if masks:
        learnt = {f"{PREDICTOR}{name}": value for name, value in _random(MaskPredictor()).items()}
        made, metadata = replace(made, mask_tensors=learnt), {**metadata, "mask_input": "x0"}
    save_adapter(replace(made, metadata=metadata), file)


def _random(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    fill(module)
    return module.state_dict()


def _motion_module(family: str, levels: int, file: Path) -> None:
    """AnimateDiff's under its own names: none in the middle, as in version 3 and SDXL's."""
    module, _ = layers(_meta(family), "AnimateDiff v2")
    fill(module, 0.1)
    tensors, content = module.state_dict(), {}
    for side, count in (("down_blocks", 2), ("up_blocks", 3)):
        for i in range(levels):
            for j in range(count):
                row = f"{row_name(side, i, j, 2)}.temporal_transformer."
                content |= {f"{side}.{i}.motion_modules.{j}.temporal_transformer.{name.removeprefix(row)}": value.half()
                            for name, value in tensors.items() if name.startswith(row)}  # fmt: skip
    torch.save(content, file)


def _lora(file: Path) -> None:
    """A LoRA on the image model's self-attention, of rank 64."""
    shapes = {name: value.shape for name, value in _meta("SD 1.5").model.diffusion_model.state_dict().items()}
    content = {}
    for name, shape in shapes.items():
        if ".attn1.to_" in name and name.endswith(".weight"):
            path = f"diffusion_model.{name.removesuffix('.weight')}"
            content[f"{path}.lora_up.weight"] = torch.zeros(shape[0], 64, dtype=_HALF)
            content[f"{path}.lora_down.weight"] = torch.full((64, shape[1]), 0.01, dtype=_HALF)
    save_file(content, file) if file.suffix == ".safetensors" else torch.save(content, file)


def _clip(file: Path) -> None:
    tensors = _half(_Towers(_VISION, _TEXT, torch.device("cpu")))
    save_file({name.partition(".")[2]: value for name, value in tensors.items()}, file)


def _background_removal(file: Path) -> None:
    model = comfy.bg_removal_model.BackgroundRemovalModel
    settings = Path(inspect.getfile(model)).parent / "background_removal" / "birefnet.json"
    save_file(_half(model(settings).model), file)


def _optical_flow(file: Path) -> None:
    from torchvision.models.optical_flow import raft_large

    save_file(raft_large(weights=None).state_dict(), file)


MAKERS: dict[str, Callable[[Path], None]] = {
    model_files.SD15: lambda file: _checkpoint("SD 1.5", file),
    model_files.SDXL: lambda file: _checkpoint("SDXL", file),
    ADAPTERS["LAMP"]: lambda file: _adapter("SD 1.5", "LAMP", file),
    ADAPTERS["LAMP with masks"]: lambda file: _adapter("SD 1.5", "LAMP rank 32", file, True),
    ADAPTERS["Recurrent"]: lambda file: _adapter("SD 1.5", "Recurrent", file),
    ADAPTERS["LAMP, SDXL"]: lambda file: _adapter("SDXL", "LAMP rank 32", file),
    model_files.MODULE: lambda file: _motion_module("SD 1.5", 4, file),
    MODULE_SDXL: lambda file: _motion_module("SDXL", 3, file),
    model_files.LCM_MODULE: lambda file: _motion_module("SD 1.5", 4, file),
    model_files.DOMAIN: _lora,
    model_files.LCM: _lora,
    model_files.CANNY: _controlnet,
    model_files.CLIP: _clip,
    model_files.BIREFNET: _background_removal,
    model_files.RAFT: _optical_flow,
}


@torch.no_grad()
def main() -> None:
    """Make the files named behind the models folder, those that are not there yet."""
    models = Path(sys.argv[1])
    for name in sys.argv[2:]:
        file = models / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f"part_{file.name}")
            MAKERS[file.name](part)
            part.replace(file)
            print(f"made: {name}, {file.stat().st_size / 1e9:.2f} GB", flush=True)
