"""Every kind of adapter together with what else people put on a model, on the miniature: it runs, frame 0 stays,
nothing is left behind.
"""

from collections.abc import Callable

import comfy.cldm.cldm
import comfy.controlnet
import comfy.model_patcher
import nodes
import pytest
import torch
import unets
from comfy.ldm.modules.attention import optimized_attention
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_freelunch import FreeU
from comfy_extras.nodes_hypertile import HyperTile
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_tomesd import TomePatchModel
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import AdapterError
from few_shot_motion.nodes.sampling import FirstFrameKSampler
from moving import ADAPTERS, COND, FIRST, FRAMES, SIDE, UNCOND, WIDTH, adapter_for, clip, drawn, miniature, picture


@pytest.fixture(scope="module")
def base():
    return miniature()


@pytest.fixture(scope="module")
def still(base):
    """A picture by the model itself, and the model's weights, before anything was done with it."""
    return picture(base), {name: value.clone() for name, value in base.model.state_dict().items()}


# --------------------------------------------------------------------------------------- what is put beside the adapter


def second_adapter(model, method):
    return {"model": bridge.apply_adapter(model, adapter_for(model, method, seed=4), 0.4)}


def lora(model, method):
    keys = [
        key
        for key in model.model.state_dict()
        if key.endswith(("attn1.to_q.weight", "attn2.to_k.weight", "in_layers.2.weight"))
    ]
    patched = model.clone()
    patched.add_patches({key: ("diff", (0.05 * drawn(*model.model.state_dict()[key].shape),)) for key in keys}, 0.8)
    return {"model": patched}


def control_net(model, method):
    config = {**model.model.model_config.unet_config, "dtype": torch.float32, "hint_channels": 3}
    network = comfy.cldm.cldm.ControlNet(**{key: value for key, value in config.items() if key != "out_channels"})
    network.load_state_dict({name: 0.3 * value for name, value in unets.random_weights(network, 5).items()})
    control = comfy.controlnet.ControlNet(network, load_device=torch.device("cpu"))
    hint = torch.rand(FRAMES, 8 * SIDE, 8 * SIDE, 3, generator=torch.Generator().manual_seed(6))
    positive, _ = nodes.ControlNetApplyAdvanced().apply_controlnet(COND, UNCOND, control, hint, 0.5, 0.0, 1.0)
    return {"positive": positive}


def ip_adapter(model, method):
    """Image tokens beside the text, as IP-Adapter packs do it: the cross-attention of some blocks replaced."""

    def attend(q, k, v, extra):
        image = 0.5 * drawn(1, 4, q.shape[-1], seed=8).to(q).expand(len(q), -1, -1)
        return optimized_attention(q, k, v, extra["n_heads"]) + optimized_attention(q, image, image, extra["n_heads"])

    patched = model.clone()
    for block in (("middle", 0), *(("output", i) for i in range(4))):
        patched.set_model_attn2_replace(attend, *block)
    return {"model": patched}


def free_u(model, method):
    return {"model": FreeU.execute(model, 1.3, 1.4, 0.9, 0.2).args[0]}


def hyper_tile(model, method):
    """Four tiles of every frame; at its default size the tiles are larger than these latents."""
    return {"model": HyperTile.execute(model, 32, 1, 0, False)[0]}


def token_merging(model, method):
    return {"model": TomePatchModel.execute(model, 0.3).args[0]}


def perturbed_attention(model, method):
    return {"model": PerturbedAttentionGuidance.execute(model, 2.0).args[0]}


def context_windows(model, method):
    return {"model": ContextWindowsManualNode.execute(model, FRAMES - 1, 1, "standard_static", 1, False, "pyramid", 0,
                                                      False,
                                                      latent_retain_index_list="0").args[0]}  # fmt: skip


def a_prompt_per_frame(model, method):
    return {"positive": [[torch.cat([COND[0][0], drawn(FRAMES - 1, 9, WIDTH, seed=9)]), {}]]}


def an_area(model, method):
    half = nodes.ConditioningSetArea().append(UNCOND, 4 * SIDE, 8 * SIDE, 4 * SIDE, 0, 1.0)[0]
    return {"positive": COND + half}


def without_guidance(model, method):
    return {"cfg": 1.0}


BESIDE = (
    second_adapter,
    lora,
    control_net,
    ip_adapter,
    free_u,
    hyper_tile,
    token_merging,
    perturbed_attention,
    context_windows,
    a_prompt_per_frame,
    an_area,
    without_guidance,
)


PAIRS = [
    (beside, method)
    for beside in BESIDE
    for method in ADAPTERS
    if (beside, method) not in ((second_adapter, "recurrent"), (token_merging, "recurrent"))
]


def test_two_memories_are_refused(base):
    """Each would have to be read by one self-attention."""
    model = bridge.apply_adapter(base, adapter_for(base, "recurrent"), 0.7)
    with pytest.raises(
        AdapterError, match="and a memory of its own: a model can follow one of them, so take one adapter out"
    ):
        second_adapter(model, "recurrent")


def test_a_memory_of_merged_places_is_refused(base):
    model = token_merging(bridge.apply_adapter(base, adapter_for(base, "recurrent")), "recurrent")["model"]
    with pytest.raises(ValueError, match="another node .Token Merging or the like. left 45 of 64 places"):
        clip(model)


@pytest.mark.parametrize("beside, method", PAIRS, ids=[f"{beside.__name__}-{method}" for beside, method in PAIRS])
def test_an_adapter_and(base, still, beside: Callable, method: str):
    model = bridge.apply_adapter(base, adapter_for(base, method))
    alone = clip(model)
    together = clip(**{"model": model, **beside(model, method)})
    assert torch.isfinite(together).all()
    assert torch.equal(together[:1], FIRST["samples"])
    assert (together - alone)[1:].abs().amax((1, 2, 3)).min() > 1e-3, "it did nothing"
    assert torch.equal(clip(model), alone), "it stayed in the adapter's model"
    assert torch.equal(picture(base), still[0])
    assert all(torch.equal(value, still[1][name]) for name, value in base.model.state_dict().items())


def test_every_window_of_a_long_clip_begins_with_the_clean_first_frame(base):
    """With latent_retain_index_list 0 and causal_window_fix on: 64 frames through windows of 16 and the first frame
    before them.
    """
    model = bridge.apply_adapter(base, adapter_for(base, "lamp"))
    windows = ContextWindowsManualNode.execute(
        model, 16, 4, "standard_static", 1, False, "pyramid", 0, False, latent_retain_index_list="0"
    ).args[0]
    seen, sampling = [], base.get_model_object("model_sampling")
    windows.set_model_unet_function_wrapper(
        lambda apply, call: seen.append(call) or apply(call["input"], call["timestep"], **call["c"])
    )
    first = {"samples": FIRST["samples"][..., :4, :4]}
    with torch.inference_mode():
        made = FirstFrameKSampler.execute(windows, COND, UNCOND, first, 64, 7, 1, 1.0, "euler", "normal", "none").args[
            0
        ]["samples"]
    assert made.shape[0] == 64 and torch.equal(made[:1], first["samples"]) and torch.isfinite(made).all()
    assert [len(call["input"]) for call in seen] == [16, 17, 17, 17, 17]
    for call in seen:
        arrives = sampling.calculate_input(call["timestep"], call["input"])[:1]
        assert torch.allclose(arrives, base.model.process_latent_in(first["samples"]), atol=1e-5)


@pytest.mark.parametrize("method", ADAPTERS)
def test_low_memory_changes_nothing(base, method, monkeypatch):
    """Where cond and uncond do not fit together they are evaluated one after the other."""
    model = bridge.apply_adapter(base, adapter_for(base, method))
    together, parts = clip(model), []
    monkeypatch.setattr(comfy.model_patcher.ModelPatcher, "get_free_memory", lambda *_: 0)
    watched = model.clone()
    watched.set_model_unet_function_wrapper(
        lambda apply, call: (
            parts.append(len(call["cond_or_uncond"])) or apply(call["input"], call["timestep"], **call["c"])
        )
    )
    assert torch.allclose(clip(watched), together, atol=1e-3) and parts == [1, 1, 1, 1]


@pytest.mark.parametrize("method", ADAPTERS)
@pytest.mark.parametrize("family", unets.FAMILIES)
def test_every_family(family, method):
    """SD 2.x and SDXL: other projections and heads, deeper transformers, pooled text, v."""
    base = unets.family_model(family)
    model = bridge.apply_adapter(base, adapter_for(base, method))
    with torch.inference_mode():
        plain, moved = (
            FirstFrameKSampler.execute(
                there, unets.prompt(family), unets.prompt(family, 1), FIRST, FRAMES, 7, 2, 2.0, "euler", "normal",
                                       "none"
            ).args[0]["samples"] for there in (base, model)
        )  # fmt: skip
    assert (
        torch.isfinite(moved).all()
        and torch.equal(moved[:1], FIRST["samples"])
        and (moved - plain)[1:].abs().max() > 1e-3
    )
