"""Motion beside what other packs do to a model: stubs that do it, every method at full strength."""

from dataclasses import replace

import pytest
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, Upsample, forward_timestep_embed
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from few_shot_motion.host.patching import bridge
from few_shot_motion.nodes.sampling import FirstFrameKSampler
from moving import COND, EVERY, FIRST, FRAMES, SIDE, UNCOND, ZERO, adapter_for, clip, miniature, moving, picture


@pytest.fixture(scope="module")
def base():
    return miniature()


@pytest.fixture(scope="module", params=EVERY)
def model(request, base):
    return moving(base, request.param)


# ------------------------------------------------------------------------------------- tiles stacked into one call


def tiled(model, at_once: int):
    """A clone that samples four tiles of the picture, so many of them stacked into a call, as TiledDiffusion does."""

    def run(apply, call):
        x, t, c, half = call["input"], call["timestep"], dict(call["c"]), SIDE // 2
        corners = [(top, left) for top in (0, half) for left in (0, half)]
        out = torch.zeros_like(x)
        for start in range(0, 4, at_once):
            some = corners[start : start + at_once]
            tiles = torch.cat([x[..., top : top + half, left : left + half] for top, left in some])
            times = {name: value for name, value in c.items() if name != "c_crossattn"}
            made = apply(tiles, t.repeat(len(some)), c_crossattn=c["c_crossattn"].repeat(len(some), 1, 1), **times)
            for (top, left), tile in zip(some, made.chunk(len(some)), strict=True):
                out[..., top : top + half, left : left + half] = tile
        return out

    patched = model.clone()
    patched.set_model_unet_function_wrapper(run)
    return patched


def test_tiles_stacked_into_a_call_are_clips_of_their_own(model):
    alone, stacked = clip(tiled(model, 1)), clip(tiled(model, 4))
    assert (alone - stacked).abs().max() < 1e-4 * alone.std()
    assert (alone - clip(model)).abs().max() > 1e-2, "no tile was made"


def test_a_stack_that_cuts_clips_gets_a_sentence(base):
    model = moving(base, "lamp").clone()

    def cut(apply, call):
        c, parts = dict(call["c"]), (slice(0, 3), slice(3, None))
        text = c.pop("c_crossattn")
        made = [apply(call["input"][part], call["timestep"][part], c_crossattn=text[part], **c) for part in parts]
        return torch.cat(made)

    model.set_model_unet_function_wrapper(cut)
    with pytest.raises(ValueError, match="hands 3 latents at once to a model with motion, the clip has 4 frames"):
        clip(model)


# ---------------------------------------------------------------------------------------- layers put between layers


@pytest.fixture
def inserted(base):
    """Another pack's modules in every row of the UNet, before and behind each layer, while it samples."""
    unet = base.model.diffusion_model
    rows = [unet.middle_block, *unet.input_blocks, *unet.output_blocks]
    before = [list(row) for row in rows]

    def put(module_for):
        for row, layers in zip(rows, before, strict=True):
            row._modules.clear()
            for layer in layers:
                for each in (module_for(), layer, module_for()):
                    row.append(each)

    yield put
    for row, layers in zip(rows, before, strict=True):
        row._modules.clear()
        for layer in layers:
            row.append(layer)


def test_inserted_identities_change_nothing(model, inserted):
    alone = clip(model)
    inserted(torch.nn.Identity)
    assert torch.equal(clip(model), alone)


class Foreign(torch.nn.Module):
    """Another pack's motion module: something that is run by a handler of its own."""

    def forward(self, x):
        return x + 0.1 * x.roll(1, 0)


def test_another_packs_layers_act_also_as_the_last_of_all(base, model, inserted):
    """What stands behind the last of our layers goes into the UNet's last convolution like everything else."""
    theirs = model.clone()
    theirs.set_model_forward_timestep_embed_patch((Foreign, lambda layer, x, *rest: layer(x)))
    alone = clip(theirs)
    rows = base.model.diffusion_model.output_blocks
    rows[-1].append(Foreign())
    last = clip(theirs)
    assert torch.isfinite(last).all() and (last - alone)[1:].abs().max() > 1e-3


def test_a_handler_of_a_layer_motion_stands_behind_is_asked(base):
    """SUPIR's way: something in front of every upsampler."""
    asked = []

    def theirs(layer, x, emb, context, options, output_shape, *rest):
        asked.append(type(layer))
        return layer(x, output_shape=output_shape)

    model = moving(base, "lamp")
    alone = clip(model)
    for order in (True, False):
        first = base.clone() if order else model.clone()
        first.set_model_forward_timestep_embed_patch((Upsample, theirs))
        both = moving(first, "lamp") if order else first
        assert torch.equal(clip(both), alone) and set(asked) == {Upsample}
        asked.clear()


def test_a_handler_of_a_layer_motion_sits_in_gets_a_sentence(base):
    theirs = moving(base, "lamp").clone()
    theirs.set_model_forward_timestep_embed_patch((ResBlock, lambda layer, x, emb, *rest: layer(x, emb)))
    with pytest.raises(ValueError, match="Another node runs this model's ResBlock layers its own way"):
        clip(theirs)


# ------------------------------------------------------------------------------------------ blocks run by another node


def run_by_another_node(model):
    """A clone whose blocks a wrapper runs itself and never asks the model, as DeepCache does."""

    def run(apply, call):
        base = apply.__self__
        unet, sampling, c = base.diffusion_model, base.model_sampling, call["c"]
        x = sampling.calculate_input(call["timestep"], call["input"])
        options = {**c["transformer_options"], "original_shape": list(x.shape)}
        emb = unet.time_embed(timestep_embedding(sampling.timestep(call["timestep"]).float(), unet.model_channels))
        h, hs = x, []
        for i, row in enumerate(unet.input_blocks):
            options["block"] = ("input", i)
            h = forward_timestep_embed(row, h, emb, c["c_crossattn"], options)
            hs.append(h)
        options["block"] = ("middle", 0)
        h = forward_timestep_embed(unet.middle_block, h, emb, c["c_crossattn"], options)
        for i, row in enumerate(unet.output_blocks):
            options["block"] = ("output", i)
            h = torch.cat([h, hs.pop()], dim=1)
            h = forward_timestep_embed(row, h, emb, c["c_crossattn"], options, hs[-1].shape if hs else None)
        return sampling.calculate_denoised(call["timestep"], unet.out(h), call["input"])

    patched = model.clone()
    patched.set_model_unet_function_wrapper(run)
    return patched


def test_blocks_run_by_another_node_move(base):
    """Where all of a motion is inside the blocks."""
    v2 = replace(adapter_for(base, "animatediff"), joint_norm=False)
    for model in (bridge.apply_adapter(base, v2), moving(base, "modelscope"), moving(base, ZERO)):
        alone = clip(model)
        assert (clip(run_by_another_node(model)) - alone).abs().max() < 1e-4 * alone.std()
        assert torch.equal(clip(model), alone) and (alone - clip(base))[1:].abs().max() > 1e-3


@pytest.mark.parametrize("method", ["lamp", "animatediff", "recurrent", "tune-a-video"])
def test_blocks_run_by_another_node_get_a_sentence(base, method):
    """Where the last convolution or its group norm takes part: that is in no block."""
    with pytest.raises(ValueError, match="Another node runs this model's blocks itself, as DeepCache does"):
        clip(run_by_another_node(moving(base, method)))


def test_a_plain_picture_is_the_same_beside_all_of_this(base, model):
    before = picture(base)
    clip(tiled(model, 2))
    assert torch.equal(picture(base), before)


def test_a_single_noise_level_for_a_whole_clip_is_told_to_every_frame(base):
    """A sampler that hands over one sigma instead of one per frame."""
    import comfy.samplers

    model = moving(base, "lamp")
    seen = {}

    def sampler(predict, x, sigmas, extra_args=None, **_):
        seen["each"] = predict(x, sigmas[0] * x.new_ones(len(x)), **extra_args)
        seen["one"] = predict(x, sigmas[:1], **extra_args)
        return x

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(COND, UNCOND)
    guider.set_cfg(2.0)
    latents = FIRST["samples"].repeat(FRAMES, 1, 1, 1)
    with torch.inference_mode():
        guider.sample(torch.randn(latents.shape), latents, comfy.samplers.KSAMPLER(sampler), torch.tensor([5.0, 0.0]))
    assert torch.equal(seen["each"], seen["one"])


def test_windows_another_pack_cuts_are_clips_of_their_length(base):
    """AnimateDiff-Evolved's sliding contexts: a wrapper behind ours that hands the sampler's clip on in parts."""
    import comfy.samplers
    from comfy.patcher_extension import WrappersMP

    def windows(executor, model, conds, x, timestep, options):
        parts = [executor(model, conds, x[i : i + 20], timestep[i : i + 20], options) for i in (0, 20)]
        return [torch.cat(out) for out in zip(*parts, strict=True)]

    model = moving(base, "animatediff").clone()
    model.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, "theirs", windows)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(COND, UNCOND)
    guider.set_cfg(2.0)
    latents, sampler = FIRST["samples"].repeat(40, 1, 1, 1), comfy.samplers.sampler_object("euler")
    with torch.inference_mode():
        made = guider.sample(torch.randn(latents.shape), latents, sampler, torch.tensor([5.0, 0.0]))
    assert made.shape == latents.shape and torch.isfinite(made).all()


def test_a_clip_too_long_gets_its_sentence_also_where_another_node_runs_the_blocks(base):
    v2 = replace(adapter_for(base, "animatediff"), joint_norm=False)
    model = run_by_another_node(bridge.apply_adapter(base, v2))
    with torch.inference_mode(), pytest.raises(ValueError, match="A clip of 33 frames is longer than the 32"):
        FirstFrameKSampler.execute(model, COND, UNCOND, FIRST, 33, 7, 1, 1.0, "euler", "normal", "none")
