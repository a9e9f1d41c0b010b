"""Recurrent causal attention against numbers of its official implementation: modules and UNets 1e-5, gradients 1e-4
relative.
"""

from dataclasses import replace

import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge, image_model
from few_shot_motion.motion_modules import released
from few_shot_motion.motion_modules.diffusers_names import to_comfy
from few_shot_motion.motion_modules.methods import METHODS
from few_shot_motion.motion_modules.recurrent import FORMS, Memory
from few_shot_motion.motion_modules.sites import block_sites
from few_shot_motion.samplers import noise, statistics
from safetensors.torch import load_file
from test_golden_tav import TINY, a_model, as_file, block_output, frames_first, off, parts, transformer_output

FRAMES = 5
CASES = [("attn_v2_first_former_mem", "official"), ("attn_v1_first_mem", "official, first + memory")]


def attention(w: dict, x: torch.Tensor, form: str) -> tuple[torch.Tensor, torch.Tensor, list]:
    """The official layer from its weights: output, o before the output projection, and the memories after every frame
    but the last.
    """
    layer = Memory(32, FORMS[form])
    layer.memory_update_layer.weight, layer.memory_update_layer.bias = (
        w["memory_update_layer.weight"],
        w["memory_update_layer.bias"],
    )
    memories = []
    layer.memory_update_layer.register_forward_hook(lambda *call: memories.append(torch.relu(call[-1])))
    to = lambda tokens, name: tokens @ w[f"{name}.weight"].T  # noqa: E731
    q, k, v = (to(x, name) for name in ("to_q", "to_k", "to_v"))
    o = layer(q, k, v, 4, FRAMES, lambda tokens: (to(tokens, "to_k"), to(tokens, "to_v")))
    return to(o, "to_out.0") + w["to_out.0.bias"], o, memories


@pytest.mark.parametrize("name, form", CASES)
def test_attention_and_its_gradients(golden, name, form):
    case = load_file(golden / f"recurrent/{name}.safetensors")
    w = {key: torch.nn.Parameter(value) for key, value in parts(case).items()}
    x = case["x"].requires_grad_()
    y, o, memories = attention(w, x, form)
    assert off(y, case["y"]) < 1e-5
    assert off(o.unflatten(0, (-1, FRAMES)), case["o"]) < 1e-5
    assert off(torch.stack(memories, dim=1), case["mem"][:, :-1]) < 1e-5
    (y * case["cotangent"]).sum().backward()
    for key, value in {**w, "x": x}.items():
        expected = case[f"grad.{key}"]
        assert off(value.grad, expected) < 1e-4 * expected.abs().max().item(), key


@pytest.mark.parametrize("name, form", CASES)
def test_attention_with_the_published_memory(golden, name, form):
    """W = b = 0: the memory stays at zero, those zeros stay in the softmax, and its weights get no gradient at all."""
    case = load_file(golden / f"recurrent/{name}.safetensors")
    w = {
        key: torch.nn.Parameter(torch.zeros_like(value) if "memory" in key else value)
        for key, value in parts(case).items()
    }
    y, _, memories = attention(w, case["x"], form)
    assert off(y, case["y_zero_memory"]) < 1e-5
    assert all(torch.count_nonzero(memory) == 0 for memory in memories)
    (y * case["cotangent"]).sum().backward()
    assert all(torch.count_nonzero(value.grad) == 0 for key, value in w.items() if "memory" in key)
    assert w["to_q.weight"].grad.abs().max() > 1e-3


def test_block(golden):
    assert off(*block_output(golden / "recurrent/block_v2.safetensors", recurrence="official")) < 1e-5


def test_transformer(golden):
    assert off(*transformer_output(golden / "recurrent/transformer3d_v2.safetensors", recurrence="official")) < 1e-5


@torch.inference_mode()
@pytest.mark.parametrize("form, version", [("official", "v2"), ("official, first + memory", "v1")])
@pytest.mark.parametrize("zero", [False, True])
def test_unet(golden, tmp_path, form, version, zero):
    """The released folder inside ComfyUI's UNet, in both layouts of keys, with the fixture's memory and with the
    published one.
    """
    case = load_file(golden / "recurrent/unet_small.safetensors")
    release = {
        name: torch.zeros_like(value) if zero and "memory" in name else value for name, value in parts(case).items()
    }
    model = a_model(release, TINY)
    adapter = released.load_adapter(as_file(release, tmp_path), image_model.base_query(model))
    assert (adapter.method, adapter.recurrence) == ("recurrent", "official")
    model = bridge.apply_adapter(model, replace(adapter, recurrence=form))
    unets.load(model)
    out = unets.eps_of(model, frames_first(case["sample"]), case["timestep"], case["ctx"])
    assert off(out, frames_first(case[f"y_{version}_zero_memory" if zero else f"y_{version}"])) < 1e-5


def test_noise_and_statistics(golden):
    case = load_file(golden / "recurrent/noise_adain.safetensors")
    assert off(statistics.adain(case["adain.content"], case["adain.style"]), case["adain.out"]) < 1e-6
    for strategy in ("shared", "autoregressive"):
        for clip, expected in zip(
            frames_first(case["noise.base"]), frames_first(case[f"noise.{strategy}"]), strict=True
        ):
            assert off(noise.correlate(clip, strategy, alpha=0.2, unit_variance=False), expected) < 1e-6


def test_layout_of_stable_diffusion(golden):
    """SD 1.4's size: 16 memories beside Tune-A-Video's layers, and what is trained."""
    import json

    shapes = {
        name: torch.Size(shape)
        for name, shape in json.loads((golden / "recurrent/sd14_unet3d_keys.json").read_text()).items()
    }
    added = ("_temp.", "memory_update_layer")
    names = to_comfy(shapes)
    base = {new: shapes[old] for old, new in names.items() if not any(part in old for part in added)}
    adapter = bridge.MotionAdapter("recurrent", {}, recurrence="official")
    with torch.device("meta"):
        module = METHODS["recurrent"].build(adapter, block_sites(base), torch.nn)
    found = {name: value.shape for name, value in module.state_dict().items() if any(part in name for part in added)}
    assert (
        found == {new: shapes[old] for old, new in names.items() if any(part in old for part in added)}
        and len(found) == 112 + 32
    )
    assert sum(value.numel() for name, value in module.named_parameters() if "norm_temp" not in name) == 99_148_160
