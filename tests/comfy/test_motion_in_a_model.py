"""Motion adapters inside ComfyUI's MODEL: exact where they must be, and gone without a trace."""

import comfy.model_management
import comfy.samplers
import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.sampling import clip_sampling
from few_shot_motion.host.sampling.beginnings import only_beginning
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter
from few_shot_motion.motion_modules.module import MotionModule, initialise

FRAMES = 5


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def made_for(model, rank: int = 0, joint_norm: bool = True, fresh: bool = False, seed: int = 1) -> MotionAdapter:
    """An adapter with every layer alive (or with none, as before its first training step)."""
    module = MotionModule(bridge.sites_of(model), rank)
    if fresh:
        return MotionAdapter("lamp", dict(initialise(module).state_dict()), rank, joint_norm)
    tensors = unets.random_weights(module, seed)
    return MotionAdapter("lamp", {name: 0.3 * value for name, value in tensors.items()}, rank, joint_norm)


@torch.inference_mode()
def output(model, frames: int = FRAMES, sigma_timestep: float = 500.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    latents, text = torch.randn(1, frames, 4, 8, 6, generator=generator), torch.randn(1, 9, 64, generator=generator)
    unets.load(model)
    return unets.eps_of(model, latents, torch.tensor([sigma_timestep]), text)[0]


@pytest.fixture(scope="module")
def plain(base):
    return output(base)


def test_strength_zero_is_the_model_itself(base, plain):
    assert torch.equal(output(bridge.apply_adapter(base, made_for(base), 0.0)), plain)


def test_the_adapter_does_something_and_leaves_nothing_behind(base, plain):
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    moved = output(bridge.apply_adapter(base, made_for(base)))
    assert (moved - plain).abs().max() > 0.05
    assert torch.equal(output(base), plain)
    after = base.model.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], value) for name, value in before.items())


def test_an_untrained_adapter_leaves_the_first_frame_alone(base, plain):
    """Frame 0 takes keys and values from itself: with norms per frame its numbers are the image model's."""
    moved = output(bridge.apply_adapter(base, made_for(base, joint_norm=False, fresh=True)))
    assert torch.allclose(moved[0], plain[0], atol=1e-5)
    assert (moved[1:] - plain[1:]).abs().max() > 1e-3


def test_one_frame_of_an_untrained_adapter_is_the_image_model(base):
    assert torch.allclose(
        output(bridge.apply_adapter(base, made_for(base, fresh=True)), frames=1), output(base, frames=1), atol=1e-5
    )


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_strength_is_continuous_at_both_ends(base, end):
    near = abs(end - 1e-4)
    assert (
        output(bridge.apply_adapter(base, made_for(base), near))
        - output(bridge.apply_adapter(base, made_for(base), end))
    ).abs().max() < 5e-3


def test_cond_and_uncond_together_are_cond_and_uncond_apart(base):
    model = bridge.apply_adapter(base, made_for(base))
    unets.load(model)
    x, text = torch.randn(2, FRAMES, 4, 8, 8), torch.randn(2, 9, 64)
    with torch.inference_mode():
        both = unets.eps_of(model, x, torch.tensor([300.0, 300.0]), text)
        apart = [unets.eps_of(model, x[i : i + 1], torch.tensor([300.0]), text[i : i + 1])[0] for i in range(2)]
    assert torch.allclose(both, torch.stack(apart), atol=1e-5)


def test_two_adapters_add_up(base):
    halves = bridge.apply_adapter(bridge.apply_adapter(base, made_for(base), 0.5), made_for(base, seed=2), 0.5)
    swapped = bridge.apply_adapter(bridge.apply_adapter(base, made_for(base, seed=2), 0.5), made_for(base), 0.5)
    found = output(halves)
    assert (
        torch.isfinite(found).all() and (found - output(swapped)).abs().max() < 0.5 * (found - output(base)).abs().max()
    )
    nothing = bridge.apply_adapter(bridge.apply_adapter(base, made_for(base)), made_for(base, fresh=True), 0.0)
    assert torch.equal(output(nothing), output(bridge.apply_adapter(base, made_for(base))))


def test_a_lora_beside_the_adapter_keeps_its_effect(base):
    """LoRA and adapter together are the adapter on a model whose weights hold the LoRA, whichever was loaded first."""
    keys = ["input_blocks.1.0.in_layers.2.weight", "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"]
    weights = unets.sd_model(unets.TINY).model.diffusion_model.state_dict()
    lora = {f"diffusion_model.{key}": ("diff", (0.1 * torch.randn_like(weights[key]),)) for key in keys}
    merged = {**weights, **{key: weights[key] + 0.7 * lora[f"diffusion_model.{key}"][1][0] for key in keys}}
    adapter = made_for(base)
    expected = output(bridge.apply_adapter(unets.sd_model(unets.TINY, merged), adapter))

    lora_first = base.clone()
    lora_first.add_patches(lora, 0.7)
    lora_first = bridge.apply_adapter(lora_first, adapter)
    lora_last = bridge.apply_adapter(base, adapter)
    lora_last.add_patches(lora, 0.7)
    assert torch.allclose(output(lora_first), expected, atol=1e-5)
    assert torch.allclose(output(lora_last), expected, atol=1e-5)


def test_outside_its_range_only_the_queries_stay(base, plain):
    adapter = made_for(base)
    still = {name: torch.zeros_like(value) if ".delta." in name else value for name, value in adapter.tensors.items()}
    late = bridge.apply_adapter(base, MotionAdapter("lamp", still), 1.0, start_percent=0.5)
    assert torch.equal(output(late, sigma_timestep=900.0), output(base, sigma_timestep=900.0))
    assert (output(late, sigma_timestep=100.0) - output(base, sigma_timestep=100.0)).abs().max() > 0.01


def test_a_low_rank_adapter_is_its_products(base):
    thin = made_for(base, rank=4)
    whole = {}
    for name, value in thin.tensors.items():
        if ".down." in name:
            up = thin.tensors[name.replace(".down.", ".up.")]
            whole[name.replace(".down.", ".")] = torch.einsum("or,r...->o...", up.flatten(1), value)
        elif ".up." not in name:
            whole[name] = value
        elif name.endswith("bias"):
            whole[name.replace(".up.", ".")] = value
    thin_out, whole_out = (
        output(bridge.apply_adapter(base, adapter)) for adapter in (thin, MotionAdapter("lamp", whole))
    )
    assert torch.allclose(thin_out, whole_out, atol=1e-4)


def test_wrong_models_are_refused(base):
    with pytest.raises(
        AdapterError, match="This adapter was made for another model, the model is Stable Diffusion 1.x"
    ):
        bridge.apply_adapter(unets.sd_model({**unets.TINY, "model_channels": 64}), made_for(base))

    class Flux:
        model_config = type("Flux", (), {})()
        diffusion_model = torch.nn.Linear(1, 1)

    with pytest.raises(AdapterError, match="this model is Flux with a Linear: load one of those checkpoints"):
        bridge.image_unet(type("Model", (), {"model": Flux}))


# ------------------------------------------------------------------------------------------------ the clean first frame


def sampled(model, sampler: str, seen: list | None = None, sampler_object=None) -> tuple[torch.Tensor, torch.Tensor]:
    """A short clip with guidance; returns the given first latent and the sampled clip."""
    generator = torch.Generator().manual_seed(3)
    first = torch.randn(1, 4, 8, 8, generator=generator) * 5
    latents = only_beginning({"samples": first}, FRAMES, None).latents
    cond, uncond = ([[torch.randn(1, 9, 64, generator=generator), {}]] for _ in range(2))
    if seen is not None:
        model = model.clone()
        model.set_model_unet_function_wrapper(
            lambda apply, call: seen.append(call) or apply(call["input"], call["timestep"], **call["c"])
        )
    noise = torch.randn(latents.shape, generator=generator)
    sampler_object = sampler_object or comfy.samplers.sampler_object(sampler)
    with torch.inference_mode():
        return first, clip_sampling.sample_clip(
            model, cond, uncond, latents, noise, 3, 3, 4.0, sampler_object, "normal"
        )


@pytest.mark.parametrize("sampler", ["euler", "ddim", "euler_ancestral", "dpmpp_2m", "dpmpp_2m_sde", "lcm"])
def test_frame_zero_comes_back_bit_for_bit(base, sampler):
    first, clip = sampled(bridge.apply_adapter(base, made_for(base, joint_norm=False)), sampler)
    assert torch.equal(clip[:1], first)
    assert torch.isfinite(clip).all() and (clip[1:] - first).abs().amax((1, 2, 3)).min() > 0.1


def test_the_unet_sees_frame_zero_clean_at_every_step(base):
    seen = []
    first, _ = sampled(bridge.apply_adapter(base, made_for(base)), "dpmpp_2m", seen)
    sampling = base.model.model_sampling
    assert len(seen) == 3
    for call in seen:
        arrives = sampling.calculate_input(call["timestep"], call["input"])
        for chunk in arrives.chunk(len(call["cond_or_uncond"])):
            assert torch.allclose(chunk[:1], first * 0.18215, atol=1e-5)


@pytest.mark.parametrize("sampler", list(clip_sampling.MEMORYLESS))
def test_statistics_at_every_step(base, sampler):
    model = bridge.apply_adapter(base, made_for(base, joint_norm=False))
    first, clip = sampled(model, sampler, sampler_object=clip_sampling.stepwise_sampler(sampler, seed=3, steps=3))
    assert torch.equal(clip[:1], first)
    assert torch.allclose(clip.mean((-2, -1)), first.mean((-2, -1)).expand(FRAMES, 4), atol=1e-3)
    again = sampled(model, sampler, sampler_object=clip_sampling.stepwise_sampler(sampler, seed=3, steps=3))[1]
    assert torch.equal(clip, again)


def test_samplers_with_memory_are_refused_step_by_step():
    with pytest.raises(ValueError, match="dpmpp_2m has one: choose euler, ddim"):
        clip_sampling.stepwise_sampler("dpmpp_2m", 0, 20)


def test_an_interrupted_or_failed_run_leaves_the_model_clean(base, plain):
    for failure in (comfy.model_management.InterruptProcessingException, RuntimeError):

        def fail(apply, call, failure=failure):
            raise failure("in the middle")

        model = bridge.apply_adapter(base, made_for(base))
        model.set_model_unet_function_wrapper(fail)
        with pytest.raises(failure):
            sampled(model, "euler")
        assert torch.equal(output(base), plain)
