"""Small MODELs of ComfyUI's own classes, for the tiers that have ComfyUI."""

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import torch

# LAMP's golden UNets in ComfyUI's terms (../shared/golden/lamp/README.md): the tiny one, and SD 1.x's exact topology at
# a tenth of its width
TINY = {"model_channels": 32, "channel_mult": [1, 2], "num_res_blocks": [1, 1], "transformer_depth": [1, 0],
        "transformer_depth_output": [1, 1, 0, 0],
        "transformer_depth_middle": 1}  # fmt: skip
SD1_TOPOLOGY = {"model_channels": 32, "channel_mult": [1, 2, 4, 4], "num_res_blocks": [2, 2, 2, 2],
                "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
                "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
                "transformer_depth_middle": 1}  # fmt: skip
NANO = {"model_channels": 32, "channel_mult": [1], "num_res_blocks": [1], "transformer_depth": [1],
        "transformer_depth_output": [1, 0], "transformer_depth_middle": 1}  # fmt: skip
# The other families' ways, small: linear projections and heads 64 wide (SD 2.x); no attention on the first row, two
# blocks deep, pooled text (SDXL)
SD2 = {**TINY, "model_channels": 64, "use_linear_in_transformer": True, "context_dim": 48}
SDXL = {**SD2, "transformer_depth": [0, 2], "transformer_depth_output": [2, 2, 0, 0], "transformer_depth_middle": 2,
        "num_classes": "sequential",
        "num_head_channels": 64, "adm_in_channels": 32 + 6 * 256}  # fmt: skip
_COMMON = {"image_size": 32, "in_channels": 4, "out_channels": 4, "context_dim": 64, "use_spatial_transformer": True,
           "legacy": False,
           "adm_in_channels": None, "use_linear_in_transformer": False, "use_temporal_attention": False}  # fmt: skip


class EightGroups(comfy.ops.disable_weight_init):
    """Layers whose group norms have the 8 groups of the golden UNets of Tune-A-Video and recurrent attention."""

    class GroupNorm(comfy.ops.disable_weight_init.GroupNorm):
        def __init__(self, num_groups, num_channels, **settings):
            super().__init__(8, num_channels, **settings)


class Golden3d(comfy.supported_models.SD15):
    """Their UNets' family: four heads; with TINY or FOUR_LEVELS, and a context of 24."""

    unet_extra_config = {"num_heads": 4, "num_head_channels": -1}  # noqa: RUF012
    custom_operations = EightGroups


FOUR_LEVELS = {"model_channels": 16, "channel_mult": [1, 1, 2, 2], "num_res_blocks": [1, 1, 1, 1],
               "transformer_depth": [1, 1, 1, 0], "transformer_depth_output": [1, 1, 1, 1, 1, 1, 0, 0],
               "transformer_depth_middle": 1, "context_dim": 24}  # fmt: skip


def sd_model(unet: dict, weights: dict | None = None, seed: int = 0, family=comfy.supported_models.SD15,
             kind=comfy.model_base.BaseModel, dtype: torch.dtype = torch.float32,
             disable_dynamic: bool = False):  # fmt: skip
    """A MODEL with this UNet, its weights given (ComfyUI's names) or random, on the CPU, computing in their dtype."""
    config = family({**_COMMON, **unet})
    config.set_inference_dtype(dtype, None)
    made, predicts = _KINDS.get(family, (kind, "EPS"))
    model = made(config, comfy.model_base.ModelType[predicts])
    if weights is None:
        weights = random_weights(model.diffusion_model, seed)
    model.diffusion_model.load_state_dict({name: value.clone() for name, value in weights.items()})
    patcher = comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))
    patcher.cached_patcher_init = (sd_model, (unet, weights, seed, family, kind, dtype))
    return patcher


_KINDS = {
    comfy.supported_models.SD20: (comfy.model_base.BaseModel, "V_PREDICTION"),
    comfy.supported_models.SDXL: (comfy.model_base.SDXL, "EPS"),
}
FAMILIES = {
    "SD 1.x": (TINY, comfy.supported_models.SD15),
    "SD 2.x": (SD2, comfy.supported_models.SD20),
    "SDXL": (SDXL, comfy.supported_models.SDXL),
}


def family_model(name: str, seed: int = 0):
    """A small random MODEL of one of FAMILIES."""
    unet, family = FAMILIES[name]
    return sd_model(unet, seed=seed, family=family)


def prompt(name: str, seed: int = 0, frames: int = 1) -> list:
    """A random CONDITIONING for such a MODEL, of one prompt or one per frame."""
    generator, width = torch.Generator().manual_seed(seed), {**_COMMON, **FAMILIES[name][0]}["context_dim"]
    drawn = [
        (torch.randn(1, 9, width, generator=generator), torch.randn(1, 32, generator=generator)) for _ in range(frames)
    ]
    text, pooled = map(torch.cat, zip(*drawn, strict=True))
    return [[text, {"pooled_output": pooled}]]


def random_weights(module: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Unit-gain random weights for a module whose layers come uninitialised."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, value in module.state_dict().items():
        drawn = torch.randn(value.shape, generator=generator)
        is_norm = value.ndim == 1 and name.endswith("weight")
        weights[name] = (
            1 + 0.1 * drawn if is_norm else 0.1 * drawn if value.ndim == 1 else drawn / value[0].numel() ** 0.5
        )
    return weights


def base_weights(release: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The frozen image model inside a release, in ComfyUI's names."""
    from few_shot_motion.motion_modules.diffusers_names import to_comfy

    added = (".conv1d.", ".conv_gate.", ".attn_temp.", ".norm_temp.", ".memory_update_layer.")
    names = to_comfy(release)
    return {
        names[name].replace(".conv2d.", "."): value
        for name, value in release.items()
        if not any(part in name for part in added)
    }


def load(model) -> None:
    """Put a MODEL on the device as the sampler would."""
    comfy.model_management.load_models_gpu([model, *model.get_additional_models()], force_full_load=True)
    model.pre_run()


def call_options(model, frames: int) -> dict:
    """The transformer_options with which a sampler that makes a clip of so many frames calls this MODEL's UNet."""
    import comfy.sampler_helpers

    options = comfy.model_patcher.create_model_options_clone(model.model_options)
    comfy.sampler_helpers.prepare_model_patcher(model, {}, options)
    return {**options["transformer_options"], "cond_or_uncond": [0], "sigmas": torch.ones(frames)}


def eps_of(model, latents: torch.Tensor, timesteps: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    """A MODEL's raw UNet output for clips `b f c h w` that already are as the UNet sees them; timesteps `b` of the
    1000, context `b l c`.
    """
    clips, frames = latents.shape[:2]
    sigma = model.model.model_sampling.sigma(timesteps.float()).repeat_interleave(frames)
    level = sigma.view(-1, 1, 1, 1)
    x = latents.flatten(0, 1) * (1 + level**2).sqrt()  # undone by the model's own input scaling
    text = context.repeat_interleave(frames, dim=0)
    denoised = model.model.apply_model(x, sigma, c_crossattn=text, transformer_options=call_options(model, frames))
    return ((x - denoised) / level).unflatten(0, (clips, frames))
