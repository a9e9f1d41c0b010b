"""The image models that people have, at their own width, and every motion for them; their weights nobody trained."""

import comfy.model_management
import comfy.model_patcher
import comfy.supported_models
import torch
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.patching.modelscope_model import ModelScope
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformers
from few_shot_motion.motion_modules.methods import METHODS, Layers
from few_shot_motion.motion_modules.modelscope import ModelScopeLayers

_COMMON = {"image_size": 32, "in_channels": 4, "out_channels": 4, "use_spatial_transformer": True, "legacy": False,
           "model_channels": 320, "adm_in_channels": None, "use_linear_in_transformer": False,
           "use_temporal_attention": False}  # fmt: skip
_SD = {**_COMMON, "channel_mult": [1, 2, 4, 4], "num_res_blocks": [2, 2, 2, 2],
       "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "context_dim": 768,
       "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], "transformer_depth_middle": 1}  # fmt: skip
_SDXL = {**_COMMON, "channel_mult": [1, 2, 4], "num_res_blocks": [2, 2, 2], "transformer_depth": [0, 0, 2, 2, 10, 10],
         "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "transformer_depth_middle": 10,
         "context_dim": 2048, "num_classes": "sequential", "adm_in_channels": 2816,
         "use_linear_in_transformer": True}  # fmt: skip
_MODELSCOPE = {**_SD, "context_dim": 1024, "use_linear_in_transformer": True}
FAMILIES = {
    "SD 1.5": (comfy.supported_models.SD15, _SD),
    "SDXL": (comfy.supported_models.SDXL, _SDXL),
    "ModelScope": (lambda config: ModelScope(config, 64), _MODELSCOPE),
}
PLAIN, ZERO = "plain", "Text2Video-Zero"
# what is counted and timed of each family; "LAMP rank 32": a method and its adapter's rank
MOTIONS = {
    "SD 1.5": ("LAMP", "LAMP rank 32", "AnimateDiff v2", "Recurrent", "Tune-A-Video", ZERO),
    "SDXL": ("LAMP", "LAMP rank 32", "AnimateDiff v2"),
    "ModelScope": ("ModelScope",),
}


def image_model(family: str, dtype: torch.dtype, device: str = "cpu"):
    """A MODEL of one of FAMILIES, its weights random, or on "meta" none."""
    made, config = FAMILIES[family]
    config = made(dict(config))
    config.set_inference_dtype(dtype, None)
    model = config.get_model({}, device=device)
    fill(model.diffusion_model)
    place = torch.device(device) if device == "meta" else comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(model, place, torch.device(device))


@torch.no_grad()
def fill(module: torch.nn.Module, gain: float = 1.0) -> None:
    """Random weights for layers that come without any: one row of numbers is drawn and laid into all of them."""
    drawn = torch.randn(1_000_003, generator=torch.Generator().manual_seed(0))
    for name, value in module.named_parameters():
        if value.ndim < 2:
            value.fill_(1.0 if name.endswith("weight") else 0.0)
        elif not value.is_meta:
            times = -(-value.numel() // len(drawn))
            value.copy_(drawn.repeat(times)[: value.numel()].view_as(value) * gain * value[0].numel() ** -0.5)


def moving(model, motion: str):
    """The MODEL with a motion of MOTIONS, every layer of it alive."""
    if motion == PLAIN:
        return model
    return (
        bridge.attend_to(model, ("first",)) if motion == ZERO else bridge.apply_adapter(model, adapter(model, motion))
    )


def adapter(model, motion: str) -> MotionAdapter:
    """An adapter of random weights in the model's precision, on "meta" without any."""
    module, design = layers(model, motion)
    fill(module, 0.1)
    dtype = model.model.get_dtype_inference()
    tensors = {name: value if name.endswith(".pe") else value.to(dtype) for name, value in module.state_dict().items()}
    return MotionAdapter(design.method, tensors, design.rank, design.joint_norm, recurrence=design.recurrence,
                         joint_own_norm=design.joint_own_norm)  # fmt: skip


def layers(model, motion: str) -> tuple[Layers, MotionAdapter]:
    """A motion's layers for a MODEL, and an adapter of them that has no tensors yet."""
    title, _, rank = motion.lower().partition(" rank ")
    method = title.split()[0]
    sites = bridge.sites_of(model, method)
    if method == "recurrent":
        sites = [site for site in sites if site.is_block]
    with torch.device(model.offload_device):
        if method == "animatediff":
            return TemporalTransformers(sites), MotionAdapter(method, {}, joint_norm=False)
        if method == "modelscope":
            design = MotionAdapter(method, {}, joint_norm=False, joint_own_norm=True)
            return ModelScopeLayers(sites, 64), design
        design = MotionAdapter(method, {}, int(rank or 0), recurrence="fixed" if method == "recurrent" else "")
        return METHODS[method].build(design, sites, torch.nn), design


def row_of_numbers(device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """What `lay_over` takes weights from: more than any cache holds."""
    return 0.02 * torch.randn(2**26, generator=torch.Generator().manual_seed(0)).to(device, dtype)


def lay_over(network: torch.nn.Module, row: torch.Tensor) -> None:
    """Make every weight of a network on "meta" a part of one row of numbers: it computes as much, and holds little."""
    at = 0
    for module in network.modules():
        for kind, named in (("parameters", module._parameters), ("buffers", module._buffers)):
            for name, value in named.items():
                if value is not None and value.is_meta:
                    at = 0 if at + value.numel() > len(row) else at
                    part = row[at : at + value.numel()].view(value.shape)
                    named[name] = torch.nn.Parameter(part, False) if kind == "parameters" else part.clone()
                    at += value.numel()
