"""The node that loads ModelScope's text-to-video model."""

from pathlib import Path

import folder_paths
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..host.files.weights_file import model_file, stamp
from ..host.patching.modelscope_model import load_modelscope, load_vae
from ..host.said import say
from ..host.sockets import CATEGORY, TOLD_BY_THE_RUN, options

_UNETS, _VAES, _NO_VAE = "diffusion_models", "vae", "none"
_BLOCKED = "Load ModelScope T2V has no VAE file to load: choose one there, or use Load VAE."
_UNET = (
    "A file in models/diffusion_models: ModelScope's text2video_pytorch_model.pth, or diffusers' "
    "diffusion_pytorch_model of ModelScope or ZeroScope. Press R to refresh the list."
)
_VAE = (
    "A file in models/vae, for ModelScope's own VQGAN_autoencoder.pth, which Load VAE does not take. none: the VAE of "
    "any Stable Diffusion 1.x or 2.x does as well."
)
_MODEL_OUT = "The model; its text encoder is OpenCLIP ViT-H, from Load CLIP with the type stable_diffusion."


class LoadModelScope(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_LoadModelScope",
            display_name="Load ModelScope T2V",
            category=f"{CATEGORY}/loaders",
            description="Loads ModelScope's text-to-video UNet, or ZeroScope's. A batch of latents is one clip for it, "
                        "as for a model with a motion adapter.",
            search_aliases=["ModelScope", "ZeroScope", "text to video", "t2v", "damo", "TI2V-Zero", "文生视频"],
            inputs=[
                io.Combo.Input("unet", options=options(folder_paths.get_filename_list(_UNETS),
                                                       f"ModelScope's UNet into models/{_UNETS}"), tooltip=_UNET),
                io.Combo.Input("vae", options=[_NO_VAE, *folder_paths.get_filename_list(_VAES)], default=_NO_VAE,
                               optional=True, tooltip=_VAE),
            ],
            outputs=[io.Model.Output(tooltip=_MODEL_OUT),
                     io.Vae.Output(tooltip="The VAE, where a file is chosen.")],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, unet: str = "", vae: str = _NO_VAE) -> bool:
        return TOLD_BY_THE_RUN

    @classmethod
    def fingerprint_inputs(cls, unet: str, vae: str = _NO_VAE, **_) -> str:
        return " ".join(
            stamp(file and Path(file))
            for file in (folder_paths.get_full_path(_UNETS, unet), folder_paths.get_full_path(_VAES, vae))
        )

    @classmethod
    def execute(cls, unet: str, vae: str = _NO_VAE) -> io.NodeOutput:
        model, said = load_modelscope(model_file(unet, _UNETS, what="ModelScope's UNet"))
        loaded = ExecutionBlocker(_BLOCKED)
        if vae != _NO_VAE:
            loaded = load_vae(model_file(vae, _VAES, what="ModelScope's VAE"))
        return io.NodeOutput(model, loaded, ui=say(said))


NODES = [LoadModelScope]
