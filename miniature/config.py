"""The miniature as core sees it: an SD 1.x-shaped model with 64 channels, and the CLIP text tower belonging to it."""

from comfy import sd1_clip, supported_models, supported_models_base

TEXT = {
    "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128,
    "hidden_act": "quick_gelu", "max_position_embeddings": 77, "eos_token_id": 49407, "vocab_size": 49408,
}  # fmt: skip
UNET = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 64, "num_res_blocks": [1, 1],
    "channel_mult": [1, 2], "transformer_depth": [1, 1], "transformer_depth_output": [1, 1, 1, 1],
    "transformer_depth_middle": 1, "context_dim": 64, "num_heads": 4, "use_spatial_transformer": True,
    "legacy": False,
}  # fmt: skip


class MiniatureTextTower(sd1_clip.SDClipModel):
    """Two layers, 64 wide; CLIP's own tokens."""

    def __init__(self, device="cpu", dtype=None, model_options={}):
        super().__init__(device=device, textmodel_json_config=dict(TEXT), dtype=dtype,
                         return_projected_pooled=False, model_options=model_options)  # fmt: skip


class MiniatureClip(sd1_clip.SD1ClipModel):
    """The tower as core expects one of Stable Diffusion 1.x."""

    def __init__(self, device="cpu", dtype=None, model_options={}, **kwargs):
        super().__init__(
            device=device, dtype=dtype, model_options=model_options, clip_model=MiniatureTextTower, **kwargs
        )


class Miniature(supported_models.SD15):
    """Told from a real SD 1.x checkpoint by its 64 channels."""

    unet_config = {**supported_models.SD15.unet_config, "context_dim": 64, "model_channels": 64}
    unet_extra_config = {"num_heads": 4, "num_head_channels": -1}

    def clip_target(self, state_dict={}):
        """Core's own call: tokenizer and text tower of a checkpoint."""
        return supported_models_base.ClipTarget(sd1_clip.SD1Tokenizer, MiniatureClip)
