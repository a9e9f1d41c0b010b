"""Both towers of CLIP from one file, Hugging Face's or open_clip's names, in fp32."""

from pathlib import Path

import comfy.clip_model
import comfy.clip_vision
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.utils
import folder_paths
import torch
from torch import Tensor

from ...motion_modules.adapter import AdapterError
from ...motion_modules.weights import check_numbers
from ..files.weights_file import check_shapes, fingerprint, model_file, read_tensors
from .clip_pair import BATCH, TOKENS, ClipPair, preprocess, token_ids

FOLDERS = ("clip_vision", "text_encoders")
ACTIVATIONS = ("auto", "quick_gelu", "gelu")
_HEADS = {768: 12, 1024: 16, 1280: 16, 1664: 16}  # of the image tower; the text tower's are 64 wide
_NAMES = {
    (512, 768, 32): "ViT-B/32",
    (512, 768, 16): "ViT-B/16",
    (768, 1024, 14): "ViT-L/14",
    (1024, 1280, 14): "ViT-H/14",
    (1280, 1664, 14): "ViT-bigG/14",
}


def files() -> list[str]:
    """What the node lists: every file where CLIPs lie, whole ones and single towers; which it is, its content tells."""
    return sorted({name for folder in FOLDERS for name in folder_paths.get_filename_list(folder)})


def path_of(name: str) -> Path:
    """The file of CLIP that the node lists under this name. Raises ValueError where there is none."""
    return model_file(name, *FOLDERS)


class _Towers(torch.nn.Module):
    def __init__(self, vision: dict, text: dict, device: torch.device):
        super().__init__()
        operations = comfy.ops.manual_cast
        self.vision = comfy.clip_model.CLIPVisionModelProjection(vision, torch.float32, device, operations)
        self.text = comfy.clip_model.CLIPTextModel(text, torch.float32, device, operations)
        self.text.text_projection = operations.Linear(
            text["hidden_size"], vision["projection_dim"], bias=False, device=device
        )


def from_file(name: str, activation: str = "auto") -> ClipPair:
    """Raises ValueError where the file holds no whole CLIP."""
    file = path_of(name)
    tensors = read_tensors(file)
    try:
        tensors = _hugging_face_names(tensors)
        vision, text = _configs(file.name, tensors, activation)
        wanted = _Towers(vision, text, torch.device("meta")).state_dict()
        scale = min(float(tensors["logit_scale"].float().exp()), 100.0) if "logit_scale" in tensors else 100.0
    except AdapterError:
        raise
    except (LookupError, RuntimeError, ArithmeticError, TypeError, ValueError) as error:
        raise AdapterError(
            f"{file.name} holds a CLIP whose tensors do not tell its size: use a file with both towers and their "
            "projections."
        ) from error
    parts = {"vision": ("vision_model.", "visual_projection."), "text": ("text_model.", "text_projection.")}
    weights = {
        f"{tower}.{key}": value
        for key, value in tensors.items()
        for tower, starts in parts.items()
        if key.startswith(starts)
    }
    _check_whole(file.name, sorted(set(wanted) - set(weights)))
    weights = {key: weights[key] for key in wanted}
    check_shapes(file.name, weights, {key: tuple(value.shape) for key, value in wanted.items()})
    check_numbers(file.name, weights)
    towers = _Towers(vision, text, comfy.model_management.text_encoder_offload_device()).eval().requires_grad_(False)
    towers.load_state_dict({key: value.float() for key, value in weights.items()})
    device = comfy.model_management.text_encoder_device()
    patcher = comfy.model_patcher.CoreModelPatcher(towers, device, comfy.model_management.text_encoder_offload_device())

    def embed_images(images: Tensor) -> Tensor:
        comfy.model_management.load_model_gpu(patcher)
        batches = preprocess(images, vision["image_size"]).split(BATCH)
        return torch.cat(
            [towers.vision(pixel_values=batch.to(device), intermediate_output=-2)[2].float().cpu() for batch in batches]
        )

    def embed_text(prompt: str) -> Tensor:
        comfy.model_management.load_model_gpu(patcher)
        return towers.text(input_tokens=torch.tensor([token_ids(prompt)], device=device))[2][0].float().cpu()

    size = (text["hidden_size"], vision["hidden_size"], vision["patch_size"])
    model = _NAMES.get(size, f"ViT {vision['hidden_size']} wide, patches of {vision['patch_size']}")
    name = (
        f"model: CLIP {model} at {vision['image_size']} px, {file.name}, sha256 {fingerprint(file)}, fp32, "
        f"{vision['hidden_act']}, logit scale {scale:.4g} (not applied)"
    )
    return ClipPair(embed_images, embed_text, name)


def _hugging_face_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    if "visual.class_embedding" not in tensors:
        return tensors
    tensors = comfy.utils.clip_text_transformers_convert(tensors, "", "")
    return comfy.clip_vision.convert_to_transformers(tensors, "visual.")


def _check_whole(file: str, missing: list[str]) -> None:
    if missing:
        raise AdapterError(
            f"{file} holds only a part of CLIP: {missing[0]} is missing; use a file with both towers and their "
            "projections."
        )


def _configs(file: str, tensors: dict[str, Tensor], activation: str) -> tuple[dict, dict]:
    needed = ("vision_model.embeddings.patch_embedding.weight", "visual_projection.weight",
              "text_model.embeddings.token_embedding.weight",
              "text_projection.weight")  # fmt: skip
    _check_whole(file, [name for name in needed if name not in tensors])
    image, words = tensors["visual_projection.weight"].shape[0], tensors["text_projection.weight"].shape[0]
    if image != words:
        raise AdapterError(
            f"The towers in {file} do not belong together: pictures become {image} numbers, prompts {words}."
        )
    patch = tensors["vision_model.embeddings.patch_embedding.weight"]
    places = tensors["vision_model.embeddings.position_embedding.weight"].shape[0]
    width, text_width = patch.shape[0], tensors["text_model.embeddings.token_embedding.weight"].shape[1]
    if (
        activation == "auto"
    ):  # it is in no file: OpenAI's B and L have quick_gelu, the larger ones, which only others trained, gelu
        activation = "gelu" if width >= 1280 else "quick_gelu"

    def shared(tower: str, hidden: int, heads: int) -> dict:
        layers = 1 + max(int(name.split(".")[3]) for name in tensors if name.startswith(f"{tower}.encoder.layers."))
        if layers > len(tensors):
            raise LookupError(f"{layers} layers in {len(tensors)} tensors")
        inner = tensors[f"{tower}.encoder.layers.0.mlp.fc1.weight"].shape[0]
        return {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
                "intermediate_size": inner,
                "hidden_act": activation}  # fmt: skip

    vision = {**shared("vision_model", width, _HEADS.get(width, max(1, width // 64))), "num_channels": 3,
              "patch_size": patch.shape[-1],
              "image_size": round((places - 1) ** 0.5) * patch.shape[-1], "projection_dim": image,
              "model_type": "clip_vision_model"}  # fmt: skip
    text = {
        **shared("text_model", text_width, max(1, text_width // 64)),
        "max_position_embeddings": TOKENS,
        "eos_token_id": 49407,
    }
    return vision, text
