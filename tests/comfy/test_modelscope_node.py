"""Load ModelScope T2V in ComfyUI: a small random UNet through core's sampler, VAE and ours, and files refused."""

import comfy.model_management
import comfy.sd
import modelscope_files
import nodes as core
import pytest
import torch
import unets
from comfy.taesd.taesd import TAESD
from comfy_execution.graph_utils import ExecutionBlocker
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules import modelscope
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformers
from few_shot_motion.nodes.repeat_and_slide import RepeatAndSlideSampler
from modelscope_files import load
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with modelscope_files.models_folder(tmp_path_factory.mktemp("models")) as place:
        yield place


@pytest.fixture(scope="module")
def model(folder):
    return load("unet.safetensors")[0]


@pytest.fixture(scope="module")
def vae_weights():
    halves = [(name, half) for name, half in TAESD().named_children() if name.startswith("taesd_")]
    weights = {f"{name}.{key}": value for name, half in halves for key, value in unets.random_weights(half, 0).items()}
    return {**weights, "vae_scale": torch.tensor(1.0), "vae_shift": torch.tensor(0.0)}


@pytest.fixture(scope="module")
def vae(vae_weights):
    return comfy.sd.VAE(sd=dict(vae_weights))


def text(seed: int, width: int = 64) -> list:
    return [[torch.randn(1, 9, width, generator=torch.Generator().manual_seed(seed)), {}]]


def clip_of(model, length: int, height: int = 4, width: int = 4, positive: list | None = None) -> torch.Tensor:
    """What KSampler makes of a batch of empty latents."""
    empty = {"samples": torch.zeros(length, 4, height, width)}
    with torch.inference_mode():
        return core.KSampler().sample(model, 1, 2, 3.0, "euler", "normal", positive or text(1), text(2), empty)[0][
            "samples"
        ]


def output(model, latents: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
    """The UNet's output for clips `b f c h w`."""
    unets.load(model)
    clips = len(latents)
    return unets.eps_of(
        model,
        latents,
        torch.full((clips,), 500.0),
        context if context is not None else text(3)[0][0].expand(clips, -1, -1),
    )


# ------------------------------------------------------------------------------------------------ uses


def test_a_batch_of_latents_is_a_clip(model, vae):
    """KSampler and VAE Decode as they are: every frame comes out, and every frame is of this clip."""
    clip = clip_of(model, 16)
    assert clip.shape == (16, 4, 4, 4) and torch.isfinite(clip).all()
    assert core.VAEDecode().decode(vae, {"samples": clip})[0].shape == (16, 32, 32, 3)
    assert (clip_of(model, 15) - clip[:15]).abs().amax(
        (1, 2, 3)
    ).min() > 1e-3  # what every frame is depends on the last one


@pytest.mark.parametrize("length, height, width", [(1, 4, 4), (3, 5, 7)])
def test_any_length_and_size(model, length, height, width):
    clip = clip_of(model, length, height, width)
    assert clip.shape == (length, 4, height, width) and torch.isfinite(clip).all()


@torch.inference_mode()
def test_clips_in_one_call_do_not_see_each_other(model):
    """Prompt and negative prompt batched by core are as good as one after the other."""
    latents, context = torch.randn(2, 5, 4, 8, 8), torch.cat([text(1)[0][0], text(2)[0][0]])
    both = output(model, latents, context)
    alone = [output(model, latents[i : i + 1], context[i : i + 1]) for i in range(2)]
    assert (both - torch.cat(alone)).abs().max() < 1e-5
    assert (both[1] - output(model, latents[1:], context[:1])[0]).abs().max() > 1e-3  # and each has its text


def test_a_picture_is_animated(model, vae):
    picture = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        out = RepeatAndSlideSampler.execute(
            model, text(1), text(2), picture, length=4, preset="custom", seed=1, cfg=2.0, window=3, queue="latent",
                                            sampler_name="euler",
            scheduler="ddim_uniform", steps=2, resample=1, resample_start=0.0, resample_end=1.0, new_frames=1,
                                            context=0, inversion=True,
            end="clean", batch="frames of one clip", vae=vae)  # fmt: skip
    latents, pictures = out.args[0]["samples"], out.args[1]
    assert latents.shape == (4, 4, 4, 4) and torch.isfinite(latents).all()
    assert pictures.shape == (4, 32, 32, 3) and torch.equal(pictures[0], picture[0])
    assert out.ui.as_dict()["text"][0].startswith("12 calls of the model, 4 per new frame")


@torch.inference_mode()
def test_a_second_copy_is_the_same_model(model):
    latents = torch.randn(1, 4, 4, 8, 8)
    copy = model.clone(force_deepcopy=True)
    assert copy.model is not model.model
    assert torch.equal(output(copy, latents), output(model, latents))


@torch.inference_mode()
def test_half_precision(folder, model, monkeypatch):
    """The release is in half precision; where the device computes in it, so do the temporal layers."""
    save_file(
        {name: value.half() for name, value in modelscope_files.original_file().items()}, folder / "half.safetensors"
    )
    monkeypatch.setattr(comfy.model_management, "unet_dtype", lambda **_: torch.float16)
    monkeypatch.setattr(comfy.model_management, "unet_manual_cast", lambda *_: None)
    half, latents = load("half.safetensors")[0], torch.randn(1, 4, 4, 8, 8)
    added = half.get_additional_models()[0].model
    assert half.model.get_dtype() == torch.float16 and {value.dtype for value in added.parameters()} == {torch.float16}
    assert (output(half, latents) - output(model, latents)).abs().max() < 0.05


def test_vae_of_the_release(folder, vae_weights, vae):
    """Its tensors are named as in a checkpoint."""
    torch.save(
        {"state_dict": {f"first_stage_model.{name}": value for name, value in vae_weights.items()}}, folder / "vae.pth"
    )
    loaded, latents = load("unet.safetensors", "vae.pth")[1], torch.randn(3, 4, 4, 4)
    assert torch.equal(loaded.decode(latents), vae.decode(latents))


def test_no_vae_is_no_error(folder):
    assert isinstance(load("unet.safetensors")[1], ExecutionBlocker)


def test_text_of_another_encoder_is_refused(model):
    with pytest.raises(
        ValueError, match="takes text of 64 channels, this prompt has 48: encode it with OpenCLIP ViT-H"
    ):
        clip_of(model, 2, positive=text(1, width=48))


def test_video_latents_are_refused(model):
    video = {"samples": torch.zeros(1, 4, 3, 4, 4)}
    with pytest.raises(
        ValueError,
        match=r"a batch of latents, one per frame, these have the shape \(1, 4, 3, 4, 4\): use Empty Latent Image",
    ):
        core.KSampler().sample(model, 1, 2, 3.0, "euler", "normal", text(1), text(2), video)


def test_a_motion_module_of_another_family_is_refused(model):
    """AnimateDiff's for SD 1.x have the sizes of this UNet too."""
    tensors = TemporalTransformers(bridge.sites_of(model, "animatediff")).state_dict()
    bridge.apply_adapter(model, MotionAdapter("animatediff", tensors))
    with pytest.raises(
        ValueError, match="made for Stable Diffusion 1.x, the model is ModelScope T2V: its layers have the right sizes"
    ):
        bridge.apply_adapter(model, MotionAdapter("animatediff", tensors, metadata={"base": "Stable Diffusion 1.x"}))


def test_sites_are_those_of_the_family(model):
    assert bridge.family(model) == "ModelScope T2V"
    sites = bridge.sites_of(model, "modelscope")
    assert {site.path for site in sites if site.is_block} == {"input_blocks.0.0", "input_blocks.1", "input_blocks.3",
                                                              "middle_block",
                                                              *(f"output_blocks.{i}" for i in range(4))}  # fmt: skip
    assert len([site for site in sites if not site.is_block]) == 8
    assert all(modelscope.site_of(name) for name in model.get_additional_models()[0].model.state_dict())
