"""Small models and videos for the tests of the metric nodes, and a call of a node as the executor calls it."""

import math

import numpy as np
import torch
import transformers
from few_shot_motion.host.metrics import clip_file
from few_shot_motion.nodes.clip_metrics import ClipVideoMetrics
from safetensors.torch import save_file


def clip_model(
    text: int = 128, vision: int = 128, patch: int = 32, layers: int = 3, act: str = "quick_gelu", projection: int = 64
):
    torch.manual_seed(5)
    common = {"num_hidden_layers": layers, "hidden_act": act}
    words = {
        **common,
        "hidden_size": text,
        "intermediate_size": 4 * text,
        "num_attention_heads": text // 64,
        "vocab_size": 49408,
        "eos_token_id": 49407,
    }
    pixels = {**common, "hidden_size": vision, "intermediate_size": 2 * vision,
              "num_attention_heads": clip_file._HEADS.get(vision, vision // 64),
              "patch_size": patch, "image_size": 224}  # fmt: skip
    model = transformers.CLIPModel(
        transformers.CLIPConfig(text_config=words, vision_config=pixels, projection_dim=projection)
    )
    with torch.no_grad():
        for name, value in model.named_parameters():
            if not name.endswith("logit_scale"):
                value.mul_(3 if "weight" in name and value.ndim > 1 else 1)  # away from embeddings that are all alike
    return model.eval()


def saved(model, file, only=()) -> str:
    tensors = {
        name: value.contiguous().clone()
        for name, value in model.state_dict().items()
        if not only or name.startswith(only)
    }
    save_file(tensors, file)
    return file.name


def pictures(frames: int = 5, height: int = 300, width: int = 421, seed: int = 0) -> torch.Tensor:
    """IMAGE f h w 3 of 8-bit colours."""
    rng = np.random.default_rng(seed)
    small = torch.from_numpy(rng.random((frames, 3, 9, 12), dtype=np.float32))
    large = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")
    return ((large * 255).round() / 255).movedim(1, -1)


def measured(node, **inputs) -> list:
    given = {key: value if isinstance(value, list) else [value] for key, value in inputs.items()}
    with torch.inference_mode():
        return list(node.execute(**given).args)


def clip_metrics_of(**inputs) -> list:
    return measured(ClipVideoMetrics, **{"activation": "auto", "table": "", **inputs})


def nan_frame() -> torch.Tensor:
    broken = pictures()
    broken[3, 0, 0, 0] = math.nan
    return broken


def moving(frames: int = 4, size: int = 96) -> torch.Tensor:
    whole = pictures(1, size + 64, size + 64)[0]
    return torch.stack([whole[2 * i : size + 2 * i, 3 * i : size + 3 * i] for i in range(frames)])


def open_clip_names(tensors: dict) -> dict:
    """The tensors of transformers' CLIPModel under open_clip's names, q, k and v in one."""
    made = {"logit_scale": tensors["logit_scale"]}
    for tower, prefix in (("vision_model", "visual."), ("text_model", "")):
        layers = 1 + max(int(name.split(".")[3]) for name in tensors if name.startswith(f"{tower}.encoder"))
        for i in range(layers):
            old, new = f"{tower}.encoder.layers.{i}", f"{prefix}transformer.resblocks.{i}"
            for end in ("weight", "bias"):
                made[f"{new}.attn.in_proj_{end}"] = torch.cat(
                    [tensors[f"{old}.self_attn.{x}_proj.{end}"] for x in "qkv"]
                )
                for theirs, ours in (("attn.out_proj", "self_attn.out_proj"), ("ln_1", "layer_norm1"),
                                     ("ln_2", "layer_norm2"),
                                     ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")):  # fmt: skip
                    made[f"{new}.{theirs}.{end}"] = tensors[f"{old}.{ours}.{end}"]
    for end in ("weight", "bias"):
        made |= {f"ln_final.{end}": tensors[f"text_model.final_layer_norm.{end}"],
                 f"visual.ln_pre.{end}": tensors[f"vision_model.pre_layrnorm.{end}"],
                 f"visual.ln_post.{end}": tensors[f"vision_model.post_layernorm.{end}"]}  # fmt: skip
    made |= {
        "visual.class_embedding": tensors["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": tensors["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": tensors["vision_model.embeddings.position_embedding.weight"],
        "visual.proj": tensors["visual_projection.weight"].T,
        "token_embedding.weight": tensors["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": tensors["text_model.embeddings.position_embedding.weight"],
        "text_projection": tensors["text_projection.weight"].T,
    }
    return {name: value.contiguous().clone() for name, value in made.items()}
