"""LAMP against numbers of its official implementation: modules 1e-5, forward passes 1e-4, sampling 1e-3 relative,
training steps.
"""

import comfy.samplers
import pytest
import torch
import unets
from comfy.k_diffusion import sampling as k_diffusion
from einops import rearrange
from few_shot_motion.host.patching import bridge, image_model
from few_shot_motion.host.sampling import clip_sampling
from few_shot_motion.host.training import model as training_host
from few_shot_motion.host.training.base_model import trainable_model
from few_shot_motion.host.training.conditions import model_conditions
from few_shot_motion.motion_modules import layers, released
from few_shot_motion.motion_modules.diffusers_names import to_comfy
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.samplers import noise, statistics
from few_shot_motion.samplers.first_frame import ADAIN_TO_FIRST_FRAME, sample_stepwise
from few_shot_motion.training.loop import new_run, train
from few_shot_motion.training.loss import lamp_loss
from safetensors.torch import load_file


def frames_last(clips: torch.Tensor) -> torch.Tensor:
    return rearrange(clips, "b f c h w -> b c f h w")


def frames_first(clips: torch.Tensor) -> torch.Tensor:
    return rearrange(clips, "b c f h w -> b f c h w")


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    return (found - expected).abs().max().item()


def weights_of(tensors: dict, case: str) -> dict:
    return {
        key.removeprefix(f"{case}.weight."): value
        for key, value in tensors.items()
        if key.startswith(f"{case}.weight.")
    }


@pytest.mark.parametrize("case", ["k3", "down", "k1", "out4", "f1", "f2"])
def test_motion_conv(golden, case):
    tensors = load_file(golden / "lamp/module_motion_conv.safetensors")
    y = frames_first(tensors[f"{case}.conv2d_out"])
    layer = layers.MotionConv(y.shape[2])
    layer.load_state_dict(
        {key: value for key, value in weights_of(tensors, case).items() if not key.startswith("conv2d")}
    )
    gate, motion = layer(y.flatten(0, 1), y.shape[1])
    out = y + gate * motion
    assert off(frames_last(out), tensors[f"{case}.output"]) < 1e-5


def test_statistics_and_shared_noise(golden):
    tensors = load_file(golden / "lamp/postproc.safetensors")
    assert off(statistics.adain(tensors["adain.content"], tensors["adain.style"]), tensors["adain.output"]) < 1e-6
    video = tensors["histmatch.video_in"][0].permute(1, 2, 3, 0)
    assert torch.equal(statistics.match_histograms(video).permute(3, 0, 1, 2)[None], tensors["histmatch.video_out"])
    run = load_file(golden / "lamp/sampling_tiny_4step.safetensors")
    shared = noise.correlate(frames_first(run["noise_raw"])[0], "shared", alpha=0.2, unit_variance=False)
    assert off(frames_last(shared[None]), run["noise_shared"]) < 1e-6


# -------------------------------------------------------------------------------------------- inside ComfyUI's own UNet


@pytest.fixture
def tiny(golden):
    """ComfyUI's UNet with the image model inside the tiny release, as a MODEL."""
    return unets.sd_model(unets.TINY, unets.base_weights(load_file(golden / "lamp/tiny_unet.safetensors")))


def with_release(model, golden, name: str):
    adapter = released.load_adapter(golden / f"lamp/{name}_unet.safetensors", image_model.base_query(model))
    return bridge.apply_adapter(model, adapter)


@pytest.mark.parametrize("name, topology", [("tiny", unets.TINY), ("sd1topo", unets.SD1_TOPOLOGY)])
@torch.inference_mode()
def test_forward(golden, name, topology):
    release = load_file(golden / f"lamp/{name}_unet.safetensors")
    model = with_release(unets.sd_model(topology, unets.base_weights(release)), golden, name)
    unets.load(model)
    runs = sorted((golden / "lamp").glob(f"{name}_forward*.safetensors"))
    assert runs
    for run in map(load_file, runs):
        latents = frames_first(run["latents"])
        out = unets.eps_of(model, latents, run["timestep"].reshape(-1).expand(len(latents)), run["text"])
        assert off(frames_last(out), run["output"]) < 1e-4


@torch.inference_mode()
def test_release_stores_its_queries_whole(golden):
    """Over another image model the release's own queries act: strength 1 is the release, whatever they were before."""
    release = load_file(golden / "lamp/tiny_unet.safetensors")
    weights = unets.base_weights(release)
    other = {name: value + 0.1 if name.endswith("attn1.to_q.weight") else value for name, value in weights.items()}
    model = with_release(unets.sd_model(unets.TINY, other), golden, "tiny")
    unets.load(model)
    run = load_file(golden / "lamp/tiny_forward.safetensors")
    out = unets.eps_of(model, frames_first(run["latents"]), run["timestep"], run["text"])
    assert off(frames_last(out), run["output"]) < 1e-4


@pytest.mark.parametrize("name, topology", [("tiny", unets.TINY), ("sd1topo", unets.SD1_TOPOLOGY)])
@torch.inference_mode()
def test_sampling(golden, name, topology):
    """The official four-step pipeline: guidance, clean first frame, statistics after every step, through ComfyUI's
    guider.
    """
    release = load_file(golden / f"lamp/{name}_unet.safetensors")
    model = with_release(unets.sd_model(topology, unets.base_weights(release)), golden, name)
    run = load_file(golden / f"lamp/sampling_{name}_4step.safetensors")
    found = official_sampling(model, run)
    expected = frames_first(run["latents_final"])[0]
    assert off(found, expected) < 1e-3 * expected.abs().max().item()


def official_sampling(model, run: dict) -> torch.Tensor:
    """LAMP's released sampling of one clip `f c h w`, on the recorded noise and first frame, scaled as its VAE wants it
    times 0.18215.
    """
    schedule = model.get_model_object("model_sampling")
    levels = [schedule.sigma(timestep.float()) for timestep in run["timesteps"]] + [
        schedule.sigmas[0]
    ]  # DDIM ends at abar_0, not at 1
    sigmas = torch.stack([level.reshape(()) for level in levels])
    noise_shared, z0 = frames_first(run["noise_shared"])[0], run["first_frame_latent"][:, :, 0]
    noise = noise_shared * (1 + sigmas[0] ** 2).sqrt() / sigmas[0]  # the release starts from the noise itself, unscaled
    latents = torch.cat([z0, torch.zeros_like(noise[1:])]) / 0.18215

    def sample(denoise, x, sigmas, extra_args=None, callback=None, disable=None):
        clean = extra_args["model_options"][clip_sampling.FIRST_FRAME]
        return sample_stepwise(
            k_diffusion.sample_euler,
            denoise,
            x,
            sigmas,
            clean,
            ADAIN_TO_FIRST_FRAME,
            extra_args=extra_args,
            disable=True,
        )

    guider = comfy.samplers.CFGGuider(clip_sampling.condition_model(model))
    uncond, cond = run["text_uncond_cond"].split(1)
    guider.set_conds([[cond, {}]], [[uncond, {}]])
    guider.set_cfg(7.5)
    clip = guider.sample(noise, latents, comfy.samplers.KSAMPLER(sample), sigmas, seed=0) * 0.18215
    return torch.cat([z0, clip[1:] / (1 + sigmas[-1] ** 2).sqrt()])


@torch.inference_mode(False)
@torch.enable_grad()
@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_steps(golden, tiny, checkpointing):
    """Three official steps: losses, gradients before clipping, parameters after AdamW."""
    recorded = load_file(golden / "lamp/train_tiny.safetensors")
    steps = sum(key.endswith(".loss") for key in recorded)
    adapter = released.load_adapter(golden / "lamp/tiny_unet.safetensors", image_model.base_query(tiny))
    base = trainable_model(tiny)
    module = MotionModule(bridge.sites_of(base))
    module.load_state_dict(adapter.tensors)
    for layer in module.layers.values():
        if hasattr(layer, "norm_temp"):
            layer.norm_temp.requires_grad_(False)
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    options = training_host.attach(base, module, joint_norm=True, checkpointing=checkpointing)
    schedule = base.model.model_sampling
    x0 = frames_first(recorded["latents"])
    texts = [model_conditions(base, [[[text[None], {}]]], x0[0])[0] for text in recorded["text"]]
    predict = training_host.denoiser(base, options, texts, autocast=None)

    def loss_at(step: int, _) -> torch.Tensor:
        sigma = schedule.sigma(recorded[f"step{step}.timesteps"].float())
        scale = schedule.calculate_input(sigma, torch.ones(len(x0)))
        return lamp_loss(predict, x0, frames_first(recorded[f"step{step}.noise"]), sigma, scale)

    loss_at(0, None).backward()
    names = {new: name for name, new in to_comfy(load_file(golden / "lamp/tiny_unet.safetensors")).items()}
    official = {name: names[name.replace(".delta.weight", ".weight")] for name in trained}
    for name, value in trained.items():
        expected = recorded[f"step0.grad.{official[name]}"]
        assert off(value.grad, expected) < 1e-4 * max(expected.abs().max().item(), 1e-2), name
    assert len(trained) == sum(key.startswith("step0.grad.") for key in recorded)

    run = new_run(trained, learning_rate=3e-5)
    for done in train(run, loss_at, steps, seed=0):
        assert done.loss == pytest.approx(recorded[f"step{done.step - 1}.loss"].item(), abs=1e-5)
        assert done.grad_norm == pytest.approx(recorded[f"step{done.step - 1}.grad_norm_total"].item(), rel=1e-4)
    for name, value in trained.items():
        if ".delta." not in name:
            assert off(value, recorded[f"final_param.{official[name]}"]) < 2e-5, name
