"""AnimateDiff against numbers of its official implementation and of diffusers: modules 1e-5, whole UNets and motion
LoRA 1e-4.

SDXL's scope of the group norms is diffusers' for every version (../shared/golden/animatediff/README.md), so its numbers
stand for both.
"""

import dataclasses
import json
import re

import pytest
import torch
import unets
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from einops import rearrange
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules import animatediff, animatediff_file, released
from few_shot_motion.motion_modules.methods import check_fits
from safetensors.torch import load_file, save_file

TWO_PER_LEVEL = {
    **unets.TINY,
    "num_res_blocks": [2, 2],
    "transformer_depth": [1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 0, 0, 0],
}
UNETS = {"nomid": unets.TINY, "mid": TWO_PER_LEVEL}
SCOPES = {  # output of the fixture -> group norms of the UNet, group norms of the motion module: over all frames?
    "out_official_v1_joint_resnorm": (True, False), "out_official_v2v3_perframe": (False, False),
          "out_diffusers": (False, True),
}  # fmt: skip
_SD = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "dtype": torch.float32,
    "use_spatial_transformer": True,
    "legacy": False,
}
FULL_SIZE = {
    "Stable Diffusion 1.x": {**_SD, "model_channels": 320, "channel_mult": [1, 2, 4, 4], "num_res_blocks": [2, 2, 2, 2],
                             "num_heads": 8,
                             "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
                             "transformer_depth_output": [1] * 9 + [0] * 3,
                             "transformer_depth_middle": 1, "context_dim": 768},
    "SDXL": {**_SD, "model_channels": 320, "channel_mult": [1, 2, 4], "num_res_blocks": [2, 2, 2],
             "num_head_channels": 64,
             "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
             "transformer_depth_middle": 10, "context_dim": 2048, "use_linear_in_transformer": True,
             "num_classes": "sequential",
             "adm_in_channels": 2816},
}  # fmt: skip
V1, V2, V3, XL = "v1_mm_sd_v14_v15", "v2_mm_sd_v15_v2", "v3_sd15_mm", "sdxl_mm_sdxl_v10_beta"
PER_FRAME, LINEAR, SDXL_BETAS = (False, False), animatediff_file.SD_SCHEDULE, animatediff_file.SDXL_SCHEDULE
RELEASES = {
    V1: ("v1", 24, (True, False), LINEAR), "diffusers_MotionAdapter_v1": ("v1", 24, (True, False), LINEAR),
    V2: ("v2", 32, PER_FRAME, LINEAR), "diffusers_MotionAdapter_v2": ("v2", 32, PER_FRAME, LINEAR),
    V3: ("v3", 32, PER_FRAME, LINEAR), "diffusers_MotionAdapter_v3": ("v3", 32, PER_FRAME, LINEAR),
    XL: ("SDXL", 32, (False, True), SDXL_BETAS),
            "diffusers_MotionAdapter_sdxl": ("SDXL", 32, (False, True), SDXL_BETAS),
}  # fmt: skip


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    return (found - expected).abs().max().item()


def weights_of(tensors: dict) -> dict[str, torch.Tensor]:
    return {name[2:]: value.float() for name, value in tensors.items() if name.startswith("w.")}


def original_names(tensors: dict) -> dict[str, torch.Tensor]:
    """The motion modules of a UNet in diffusers' names as AnimateDiff's own files have them: two tables of positions
    per module.
    """
    found = {}
    for name, value in tensors.items():
        if ".motion_modules." not in name:
            continue
        for a in (0, 1) if name.endswith(".pe") else (0,):
            new = re.sub(r"(motion_modules\.\d+)\.", r"\1.temporal_transformer.", name)
            new = re.sub(r"attn([12])", lambda match: f"attention_blocks.{int(match[1]) - 1}", new)
            new = re.sub(r"norm([12])\.", lambda match: f"norms.{int(match[1]) - 1}.", new).replace(
                "norm3.", "ff_norm."
            )
            found[new.replace("pos_embed.pe", f"attention_blocks.{a}.pos_encoder.pe")] = value.clone()
    return found


@pytest.mark.parametrize("case, joint", [("v1_pe24", False), ("v2_pe32", False), ("sdxl_pe32", True)])
@torch.inference_mode()
def test_module(golden, case, joint):
    tensors = load_file(golden / f"animatediff/module_{case}.safetensors")
    weights = {name.removeprefix("temporal_transformer."): value for name, value in weights_of(tensors).items()}
    x, clips = tensors["x"], len(tensors["x"])
    for joint_norm, expected in ((joint, tensors["out"]), (True, tensors["out_diffusers_same_weights"])):
        layer = animatediff.TemporalTransformer(x.shape[1], joint_norm=joint_norm, max_frames=int(case[-2:]))
        layer.load_state_dict(weights)
        frames = rearrange(x, "b c f h w -> (b f) c h w")
        out = rearrange(frames + layer(frames, x.shape[2]).flatten(0, 1), "(b f) c h w -> b c f h w", b=clips)
        assert off(out, expected) < 1e-5


@pytest.fixture(params=UNETS)
def fixture(request, golden):
    """The image model inside a fixture as a MODEL, and everything in the fixture."""
    tensors = load_file(golden / f"animatediff/unet_sd15mini_{request.param}.safetensors")
    weights = {name: value for name, value in weights_of(tensors).items() if ".motion_modules." not in name}
    return unets.sd_model(UNETS[request.param], unets.base_weights(weights)), tensors


def output(model, tensors: dict) -> torch.Tensor:
    unets.load(model)
    latents = rearrange(tensors["x"], "b c f h w -> b f c h w")
    return rearrange(unets.eps_of(model, latents, tensors["timestep"], tensors["context"]), "b f c h w -> b c f h w")


@pytest.mark.parametrize("layout", ["original", "diffusers"])
@torch.inference_mode()
def test_whole_unet(fixture, layout, tmp_path):
    """Each scope of the group norms, and the version's own without asking for it; positions are the file's."""
    model, tensors = fixture
    weights = weights_of(tensors)
    save_file(original_names(weights) if layout == "original" else weights, tmp_path / "motion.safetensors")
    adapter = released.load_adapter(tmp_path / "motion.safetensors", None)
    own = "out_official_v2v3_perframe" if adapter.metadata["version"] == "v2" else "out_official_v1_joint_resnorm"
    assert (adapter.joint_norm, adapter.joint_own_norm) == SCOPES[own]
    assert animatediff_file.as_diffusers(adapter) == dataclasses.replace(adapter, joint_norm=False, joint_own_norm=True)
    for expected, (joint_norm, joint_own_norm) in SCOPES.items():
        scoped = dataclasses.replace(adapter, joint_norm=joint_norm, joint_own_norm=joint_own_norm)
        assert off(output(bridge.apply_adapter(model, scoped), tensors), tensors[expected]) < 1e-4, expected


@pytest.fixture
def version_2(golden, tmp_path):
    """A MODEL with a version 2 module, the fixture, and a motion LoRA for it."""
    tensors = load_file(golden / "animatediff/unet_sd15mini_mid.safetensors")
    weights = weights_of(tensors)
    model = unets.sd_model(
        TWO_PER_LEVEL, unets.base_weights({name: value for name, value in weights.items() if ".motion_" not in name})
    )
    save_file(original_names(weights), tmp_path / "motion.safetensors")
    file = load_file(golden / "animatediff/motion_lora_for_unet_sd15mini_mid.safetensors")
    expected = file.pop("out_official_v2v3_perframe_lora0.8")
    return (
        bridge.apply_adapter(model, released.load_adapter(tmp_path / "motion.safetensors", None)),
        tensors,
        file,
        expected,
    )


def in_diffusers_names(name: str) -> str:
    return "unet." + re.sub(
        r"attention_blocks\.(\d)", lambda match: f"attn{int(match[1]) + 1}", name.replace("temporal_transformer.", "")
    )


def in_pefts_names(name: str) -> str:
    name = re.sub(
        r"processor\.(to_\w+)_lora",
        lambda match: "to_out.0" if match[1] == "to_out" else match[1],
        in_diffusers_names(name),
    )
    return name.replace("down.weight", "lora_A.weight").replace("up.weight", "lora_B.weight")


def in_kohyas_names(name: str) -> str:
    path, part = re.fullmatch(r"(.+)_lora\.(down|up)\.weight", name.replace("processor.", "")).groups()
    return f"lora_unet_{path.replace('.', '_')}.lora_{part}.weight"


@pytest.mark.parametrize("renamed", [str, in_diffusers_names, in_pefts_names, in_kohyas_names])
@torch.inference_mode()
def test_motion_lora(version_2, tmp_path, renamed):
    model, tensors, file, expected = version_2
    torch.save(
        {"state_dict": {renamed(name): value for name, value in file.items()}, "animatediff_config": {}},
        tmp_path / "lora.ckpt",
    )
    lora = released.load_adapter(tmp_path / "lora.ckpt", None)
    assert lora.rank == 4 and len(lora.tensors) == len(file) == 176
    assert off(output(bridge.apply_adapter(model, lora, 0.8), tensors), expected) < 1e-4
    twice = bridge.apply_adapter(bridge.apply_adapter(model, lora, 0.5), lora, 0.3)
    assert off(output(twice, tensors), expected) < 1e-4
    assert off(output(model, tensors), tensors["out_official_v2v3_perframe"]) < 1e-4  # and gone without it


@pytest.mark.parametrize(
    "schedule, top, middle", [(LINEAR, 25.146, 2.285), (SDXL_BETAS, 65.929, 2.218), ({}, 14.615, 1.618)]
)
def test_noise_schedule(fixture, schedule, top, middle):
    """sigma_max and sigma[500] of the official configurations; sigma_min is the same in all."""
    model, tensors = fixture
    adapter = animatediff_file.read("motion", weights_of(tensors))
    patched = bridge.apply_adapter(model, dataclasses.replace(adapter, schedule=schedule))
    sigmas = patched.get_model_object("model_sampling").sigmas
    assert [float(sigmas[i]) for i in (-1, 500, 0)] == pytest.approx([top, middle, 0.02917], abs=6e-4)


@pytest.mark.parametrize("release", RELEASES)
def test_releases_are_recognised_and_fit_their_base_only(golden, release):
    """Every tensor of the released files finds its place in ComfyUI's full-size UNets."""
    shapes = json.loads((golden / "animatediff/real_keys.json").read_text())[release]
    adapter = animatediff_file.read(
        release, {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    )
    version, frames, scope, schedule = RELEASES[release]
    assert (adapter.metadata["version"], int(adapter.metadata["frames"])) == (version, frames)
    assert (adapter.joint_norm, adapter.joint_own_norm) == scope and adapter.schedule == schedule
    assert len(adapter.tensors) == {"v2": 588, "SDXL": 420}.get(version, 560)
    parameters = sum(value.numel() for name, value in adapter.tensors.items() if not name.endswith(".pe"))
    assert parameters == {"v2": 453_209_280, "SDXL": 236_779_200}.get(version, 417_137_600)
    for base, settings in FULL_SIZE.items():
        with torch.device("meta"):
            sites = animatediff.animatediff_sites(
                {name: value.shape for name, value in UNetModel(**settings).state_dict().items()}
            )
        assert len(sites) == {"SDXL": 16}.get(base, 21)
        if base == adapter.metadata["base"]:
            check_fits(adapter, sites, base)
            for other in (
                ("Stable Diffusion 2.x", "ModelScope T2V") if version != "SDXL" else ()
            ):  # UNets of the same sizes
                with pytest.raises(
                    ValueError,
                    match=f"made for {base}, the model is {other}: its layers have the right sizes, but were trained "
                    "on",
                ):
                    check_fits(adapter, sites, other)
        else:
            with pytest.raises(
                ValueError,
                match=f"made for {adapter.metadata['base']}, the model is {base}: .*Load the checkpoint family",
            ):
                check_fits(adapter, sites, base)
