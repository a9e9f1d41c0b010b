"""ModelScope's UNet against numbers of its official implementation and of diffusers: 1e-4 through the node, in both
layouts.
"""

import json

import folder_paths
import pytest
import torch
import unets
from few_shot_motion.host.patching import modelscope_model
from few_shot_motion.motion_modules import modelscope, modelscope_file
from few_shot_motion.nodes.modelscope import LoadModelScope
from safetensors.torch import load_file


@pytest.fixture
def files(golden, tmp_path, monkeypatch):
    """A folder of UNets that the node sees."""
    monkeypatch.setitem(
        folder_paths.folder_names_and_paths, "diffusion_models", ([str(tmp_path)], folder_paths.supported_pt_extensions)
    )
    return tmp_path


def through_the_node(folder, file, suffix: str):
    """A MODEL of a file, saved there under another suffix."""
    if suffix == ".safetensors":
        (folder / file.name).symlink_to(file)
    else:
        torch.save({"state_dict": load_file(file)}, folder / f"{file.stem}{suffix}")
    out = LoadModelScope.execute(f"{file.stem}{suffix}")
    return out.args[0], out.ui.as_dict()["text"][0]


def inputs(golden, name: str) -> tuple[torch.Tensor, ...]:
    """Latents `b f c h w`, timesteps, text; the official output like the latents."""
    tensors = load_file(golden / f"ti2v/{name}_io.safetensors")
    return tensors["x"].movedim(2, 1), tensors["t"], tensors["y"], tensors["out"].movedim(2, 1)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("name, layout", [("unet_tiny", "original names"), ("diffusers_unet_tiny", "diffusers names")])
@torch.inference_mode()
def test_whole_unet(golden, files, name, layout, suffix):
    """Two clips with texts and timesteps of their own."""
    model, said = through_the_node(files, golden / f"ti2v/{name}.safetensors", suffix)
    x, timesteps, text, expected = inputs(golden, name)
    unets.load(model)
    assert (unets.eps_of(model, x, timesteps, text) - expected).abs().max() < 1e-4
    assert said == f"ModelScope T2V UNet ({layout}), 2.8 million parameters in torch.float32"


@torch.inference_mode()
def test_full_structure(golden, files):
    """Every layer of the release, a tenth as wide."""
    model, _ = through_the_node(files, golden / "ti2v/unet_fullstruct.safetensors", ".safetensors")
    x, timesteps, text, expected = inputs(golden, "unet_fullstruct")
    unets.load(model)
    assert (unets.eps_of(model, x, timesteps, text) - expected).abs().max() < 1e-4


def test_schedule(golden, files):
    model, _ = through_the_node(files, golden / "ti2v/unet_tiny.safetensors", ".safetensors")
    official = load_file(golden / "ti2v/schedule.safetensors")["alphas_cumprod"]
    sigmas = ((1 - official) / official).sqrt()
    assert ((model.get_model_object("model_sampling").sigmas - sigmas) / sigmas).abs().max() < 1e-6


@pytest.fixture
def release(golden):
    """The released UNet on the meta device, original names."""
    shapes = json.loads((golden / "ti2v/release_unet_keys.json").read_text())["keys"]
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def test_names_are_bijective(golden, release):
    """Every one of the 1480 tensors has one name here, the same from both layouts."""
    to_diffusers = json.loads((golden / "ti2v/release_key_map_ms_to_diffusers.json").read_text())
    ours, diffusers = modelscope_file.from_original(release), modelscope_file.from_diffusers(to_diffusers.values())
    assert len(set(ours.values())) == len(release) == 1480
    assert {name: diffusers[to_diffusers[name]] for name in release} == ours


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_release_is_whole(golden, release, layout):
    if layout == "diffusers":
        names = json.loads((golden / "ti2v/release_key_map_ms_to_diffusers.json").read_text())
        release = {names[name]: value.squeeze(-1) if value.ndim == 3 else value for name, value in release.items()}
    content = modelscope_file.read("release", release)
    config = modelscope_model.config_of(content, "release").unet_config
    assert (config["model_channels"], config["num_head_channels"], config["context_dim"]) == (320, 64, 1024)
    sites = modelscope.modelscope_sites({name: value.shape for name, value in content.image.items()})
    assert [sum(site.is_block for site in sites), sum(not site.is_block for site in sites)] == [17, 22]
    assert (
        sum(value.numel() for part in (content.image, content.motion.tensors) for value in part.values())
        == 1_411_233_860
    )
