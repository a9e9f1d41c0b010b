"""Tune-A-Video against numbers of its official implementation: modules and UNets 1e-5, gradients 1e-4 relative."""

import pytest
import torch
import unets
from comfy.ldm.modules.attention import BasicTransformerBlock, SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from einops import rearrange
from few_shot_motion.host.patching import bridge, image_model
from few_shot_motion.host.training import model as training_host
from few_shot_motion.host.training.conditions import model_conditions
from few_shot_motion.motion_modules import released, unet
from few_shot_motion.motion_modules.call import Acting, Call, Places
from few_shot_motion.motion_modules.diffusers_names import to_comfy
from few_shot_motion.motion_modules.key_frames import key_tokens
from few_shot_motion.motion_modules.methods import METHODS
from few_shot_motion.motion_modules.module import MotionModule, initialise
from few_shot_motion.motion_modules.sites import Site
from few_shot_motion.training.loss import video_loss
from safetensors.torch import load_file, save_file

RULE = ("first", "former")
TINY = {**unets.TINY, "context_dim": 24}


def frames_first(clips: torch.Tensor) -> torch.Tensor:
    return rearrange(clips, "b c f h w -> b f c h w")


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    return (found - expected).abs().max().item()


def parts(tensors: dict, prefix: str = "w.") -> dict:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def test_attention(golden):
    case = load_file(golden / "tav/sc_attn.safetensors")
    w, x = parts(case), case["x"]
    keys = key_tokens(x, RULE, frames=5)
    q, k, v = (
        rearrange(t @ w[f"to_{n}.weight"].T, "b l (n d) -> b n l d", n=4)
        for t, n in ((x, "q"), (keys, "k"), (keys, "v"))
    )
    out = rearrange(torch.nn.functional.scaled_dot_product_attention(q, k, v), "b n l d -> b l (n d)")
    assert off(out @ w["to_out.0.weight"].T + w["to_out.0.bias"], case["y"]) < 1e-5


def a_call(weights: dict, path: str, frames: int, names: dict, **design) -> tuple[dict, Call]:
    """The options and the call with which a layer of width 32 runs, its motion layers out of `weights`; their names are
    at `path`.
    """
    module = MotionModule([Site("layer.transformer_blocks.0", 32, is_block=True)], tuned=("attn1", "attn2"), **design)
    state = {
        name: torch.zeros_like(value) for name, value in module.state_dict().items()
    }  # the queries are whole in the layer itself
    state |= {f"layer.{path}{name}": value for name, value in weights.items() if f"layer.{path}{name}" in state}
    module.load_state_dict(state)
    places = Places(None, names, {})
    call = Call(frames, places, [Acting(module)], joint_norm=1, key_frames=module.key_frames)
    options = {"block": ("input", 1), "block_index": 0, "transformer_index": 0, "activations_shape": [1, 1, 1, 1]}
    return options, call


def image_weights(weights: dict) -> dict:
    return {
        name: value
        for name, value in weights.items()
        if not any(part in name for part in ("_temp.", "memory_update_layer"))
    }


@torch.inference_mode()
def block_output(file, **design) -> tuple[torch.Tensor, torch.Tensor]:
    """A recorded transformer block: ours and the official output."""
    case = load_file(file)
    block = BasicTransformerBlock(32, 4, 8, context_dim=24, operations=unets.EightGroups)
    block.load_state_dict(image_weights(parts(case)))
    options, call = a_call(parts(case), "transformer_blocks.0.", 4, {}, **design)
    return unet.transformer_block(block, "layer.transformer_blocks.0", case["x"], case["ctx"], options, call), case["y"]


@torch.inference_mode()
def transformer_output(file, **design) -> tuple[torch.Tensor, torch.Tensor]:
    case = load_file(file)
    layer = SpatialTransformer(32, 4, 8, context_dim=24, operations=unets.EightGroups)
    layer.load_state_dict(image_weights(parts(case)))
    options, call = a_call(parts(case), "", 4, {id(layer): "layer"}, **design)
    text = case["ctx"].repeat_interleave(4, dim=0)
    out = unet.spatial_transformer(layer, frames_first(case["x"]).flatten(0, 1), text, options, call)
    return rearrange(out, "(b f) c h w -> b c f h w", f=4), case["y"]


def test_block(golden):
    assert off(*block_output(golden / "tav/block.safetensors", key_frames=RULE)) < 1e-5


def test_transformer(golden):
    assert off(*transformer_output(golden / "tav/transformer3d.safetensors", key_frames=RULE)) < 1e-5


@torch.inference_mode()
def test_res_block_with_norms_over_all_frames(golden):
    case = load_file(golden / "tav/resnet3d.safetensors")
    layer = ResBlock(16, 20, 0, out_channels=24, operations=unets.EightGroups)
    prefix = "down_blocks.0.resnets.0."
    names = to_comfy(prefix + name for name in parts(case))
    layer.load_state_dict(
        {names[prefix + name].removeprefix("input_blocks.1.0."): value for name, value in parts(case).items()}
    )
    call = Call(3, Places(None, {id(layer): "layer"}, {}), [], joint_norm=1)
    out = unet.res_block(layer, frames_first(case["x"]).flatten(0, 1), case["temb"].repeat_interleave(3, dim=0), call)
    assert off(rearrange(out, "(b f) c h w -> b c f h w", f=3), case["y"]) < 1e-5


# -------------------------------------------------------------------------------------------- inside ComfyUI's own UNet


def a_model(release: dict, topology: dict = TINY):
    return unets.sd_model(topology, unets.base_weights(release), family=unets.Golden3d)


def as_file(release: dict, folder):
    """A release as its authors' code writes it."""
    (folder / "unet").mkdir()
    torch.save(release, folder / "unet" / "diffusion_pytorch_model.bin")
    return folder


@torch.inference_mode()
def test_unet(golden, tmp_path):
    case = load_file(golden / "tav/unet_small.safetensors")
    model = a_model(parts(case))
    adapter = released.load_adapter(as_file(parts(case), tmp_path), image_model.base_query(model))
    assert adapter.method == "tune-a-video"
    model = bridge.apply_adapter(model, adapter)
    unets.load(model)
    out = unets.eps_of(model, frames_first(case["sample"]), case["timestep"], case["ctx"])
    assert off(out, frames_first(case["y"])) < 1e-5


@torch.inference_mode()
def test_inflating_an_image_model(golden, tmp_path):
    """The official fresh UNet with its random temporal bias, and ours, which is the image model itself on one frame."""
    case = load_file(golden / "tav/inflate.safetensors")
    base = a_model(parts(case, "w3d."), unets.FOUR_LEVELS)
    unets.load(base)
    image = case["sample2d"][:, None]
    assert off(unets.eps_of(base, image, case["timestep"], case["ctx"])[:, 0], case["y2d"]) < 1e-5

    save_file(parts(case, "w3d."), tmp_path / "tav.safetensors")
    official = bridge.apply_adapter(
        base, released.load_adapter(tmp_path / "tav.safetensors", image_model.base_query(base))
    )
    unets.load(official)
    for clip, expected in ((image, "y3d_f1"), (frames_first(case["video"]), "y3d_video")):
        assert off(unets.eps_of(official, clip, case["timestep"], case["ctx"]), frames_first(case[expected])) < 1e-5

    fresh = bridge.MotionAdapter("tune-a-video", {})
    tensors = initialise(
        METHODS["tune-a-video"].build(fresh, bridge.sites_of(base, "tune-a-video"), torch.nn)
    ).state_dict()
    ours = bridge.apply_adapter(base, bridge.MotionAdapter("tune-a-video", dict(tensors)))
    unets.load(ours)
    out = unets.eps_of(ours, image, case["timestep"], case["ctx"])
    assert off(out, frames_first(case["y3d_f1_temp_bias_zero"])) < 1e-5 and off(out[:, 0], case["y2d"]) < 1e-5


@torch.inference_mode(False)
@torch.enable_grad()
@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_step(golden, checkpointing):
    """The official loss over all frames, and the gradient of everything trained."""
    release, case = (
        parts(load_file(golden / "tav/unet_small.safetensors")),
        load_file(golden / "tav/train_step.safetensors"),
    )
    model = a_model(release)
    adapter = released.from_release("tune-a-video", release).relative_to(image_model.base_query(model))
    module = METHODS["tune-a-video"].build(adapter, bridge.sites_of(model, "tune-a-video"), torch.nn)
    module.load_state_dict(adapter.tensors)
    options = training_host.attach(model, module, joint_norm=True, checkpointing=checkpointing)
    latents, eps = frames_first(case["latents"]), frames_first(case["noise"])
    texts = [model_conditions(model, [[[text[None], {}]]], latents[0])[0] for text in case["ctx"]]
    schedule = model.model.model_sampling
    sigma = schedule.sigma(case["timestep"].float())
    scale = schedule.calculate_input(sigma, torch.ones(2))
    assert (
        off((latents + sigma.view(-1, 1, 1, 1, 1) * eps) * scale.view(-1, 1, 1, 1, 1), frames_first(case["noisy"]))
        < 1e-5
    )
    loss = video_loss(training_host.denoiser(model, options, texts, autocast=None), latents, eps, sigma, scale)
    loss.backward()
    assert loss.item() == pytest.approx(case["loss"].item(), abs=1e-5)
    names = {
        new.replace(".to_q.weight", ".to_q.delta.weight") if ".attn_temp." not in new else new: old
        for old, new in to_comfy(release).items()
    }
    trained = {name: value.grad for name, value in module.named_parameters() if "norm_temp" not in name}
    assert len(trained) == len(parts(case, "grad."))
    for name, found in trained.items():
        expected = case[f"grad.{names[name]}"]
        assert off(found, expected) < 1e-4 * max(expected.abs().max().item(), 1e-2), name
    norm = torch.stack([found.norm() for found in trained.values()]).norm()
    assert norm.item() == pytest.approx(case["grad_norm"].item(), rel=1e-4)


def test_layout_of_stable_diffusion(golden):
    """SD 1.4's size: the 112 tensors of 16 blocks, and what is trained of them."""
    import json

    shapes = {
        name: torch.Size(shape)
        for name, shape in json.loads((golden / "tav/sd14_unet3d_keys.json").read_text()).items()
    }
    base = {new: shapes[old] for old, new in to_comfy(shapes).items() if "_temp." not in old}
    with torch.device("meta"):
        module = METHODS["tune-a-video"].build(
            bridge.MotionAdapter("tune-a-video", {}), METHODS["tune-a-video"].sites(base), torch.nn
        )
    found = {name: value.shape for name, value in module.state_dict().items() if "_temp." in name}
    assert found == {new: shapes[old] for old, new in to_comfy(shapes).items() if "_temp." in old} and len(found) == 112
    assert sum(value.numel() for name, value in module.named_parameters() if "norm_temp" not in name) == 74_354_880
