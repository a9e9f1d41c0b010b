"""Small ModelScope UNets with random weights, as files in the original layout."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import folder_paths
import pytest
import torch
import unets
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from few_shot_motion.motion_modules.modelscope import ModelScopeLayers, modelscope_sites
from few_shot_motion.nodes.modelscope import LoadModelScope
from safetensors.torch import save_file

HEAD = 16
_UNET = {**unets.TINY, "transformer_depth": [1, 1], "transformer_depth_output": [1, 1, 1, 1], "image_size": 32,
         "in_channels": 4, "out_channels": 4,
         "context_dim": 64, "num_head_channels": HEAD, "use_spatial_transformer": True, "legacy": False,
         "use_linear_in_transformer": True,
         "dtype": torch.float32}  # fmt: skip
_OLD = (  # our names -> the original ones
    (r"temporal_conv\.(\d)\.norm", lambda found: f"temopral_conv.conv{int(found[1]) + 1}.0"),
    (
        r"temporal_conv\.(\d)\.conv",
        lambda found: f"temopral_conv.conv{int(found[1]) + 1}.{2 if found[1] == '0' else 3}",
    ),
    (r"attention_blocks\.(\d)", lambda found: f"attn{int(found[1]) + 1}"),
    (r"norms\.(\d)", lambda found: f"norm{int(found[1]) + 1}"),
    (r"ff_norm", "norm3"),
    (r"^middle_block\.2", "middle_block.3"),
    (r"^(output_blocks\.\d+)\.2\.conv", r"\1.3.conv"),
    (r"^(input_blocks\.\d+)\.0\.op", r"\1.op"),
    (r"^input_blocks\.0\.0\.temporal_transformer", "input_blocks.0.1"),
    (r"temporal_transformer", "2"),
)


def original_file(seed: int = 0) -> dict[str, torch.Tensor]:
    unet = UNetModel(**_UNET)
    layers = ModelScopeLayers(modelscope_sites({name: value.shape for name, value in unet.state_dict().items()}), HEAD)
    made = {**unets.random_weights(unet, seed), **unets.random_weights(layers, seed + 1)}
    return {_original(name): _kernel(name, value) for name, value in made.items()}


def _original(name: str) -> str:
    for new, old in _OLD:
        name = re.sub(new, old, name)
    return name


def _kernel(name: str, value: torch.Tensor) -> torch.Tensor:
    """As a convolution over time alone stores it."""
    is_conv = ".temporal_conv." in name or re.search(r"\.temporal_transformer\.proj_(in|out)\.", name)
    return value.unsqueeze(-1) if is_conv and value.ndim > 1 else value


@contextmanager
def models_folder(place: Path) -> Iterator[Path]:
    """models/diffusion_models and models/vae in one place, with a UNet in it."""
    save_file(original_file(), place / "unet.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("diffusion_models", "vae"):
            patch.setitem(
                folder_paths.folder_names_and_paths, kind, ([str(place)], folder_paths.supported_pt_extensions)
            )
        yield place


def load(file: str, vae: str = "none") -> tuple:
    """The node's MODEL and VAE."""
    return LoadModelScope.execute(file, vae).args
