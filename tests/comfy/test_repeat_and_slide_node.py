"""Repeat-and-slide in ComfyUI: its samplers, masks, guiders and VAE around a small UNet whose frames see each other,
and a small video model.
"""

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.samplers
import comfy.sd
import comfy.supported_models
import pytest
import torch
import unets
from comfy.taesd.taesd import TAESD
from comfy_execution.graph_utils import ExecutionBlocker
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.sampling import sliding
from few_shot_motion.host.sampling.given_frames import PixelQueue
from few_shot_motion.host.sampling.presets import PRESETS
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.nodes.repeat_and_slide import RepeatAndSlideSampler, SamplerRepeatAndSlide


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


@pytest.fixture(scope="module")
def moving(base):
    """The small UNet with an adapter: a model whose frames see each other."""
    tensors = unets.random_weights(MotionModule(bridge.sites_of(base), 0), 1)
    return bridge.apply_adapter(base, MotionAdapter("lamp", {name: 0.3 * value for name, value in tensors.items()}))


class VideoUNet(torch.nn.Module):
    """A video network in little, `b c f h w`: each frame and its neighbours."""

    def __init__(self, device=None, dtype=None, operations=None, **_):
        super().__init__()
        self.conv = torch.nn.Conv3d(4, 4, (5, 3, 3), padding=(2, 1, 1))
        self.dtype = torch.float32

    def forward(self, x, timesteps=None, context=None, **_):
        return torch.tanh(self.conv(x)) + 0.01 * context.mean()


def made_video_model(process=comfy.model_base.ModelType.EPS):
    class VideoLatents(comfy.latent_formats.SD15):
        latent_dimensions = 3

    class Config(comfy.supported_models.SD15):
        latent_format = VideoLatents

    config = Config({"in_channels": 4})
    config.set_inference_dtype(torch.float32, None)
    torch.manual_seed(0)
    model = comfy.model_base.BaseModel(config, process, unet_model=VideoUNet).eval().requires_grad_(False)
    return comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))


@pytest.fixture(scope="module")
def video_model():
    return made_video_model()


@pytest.fixture(scope="module")
def vae():
    halves = [(name, half) for name, half in TAESD().named_children() if name.startswith("taesd_")]
    weights = {f"{name}.{key}": value for name, half in halves for key, value in unets.random_weights(half, 0).items()}
    return comfy.sd.VAE(sd={**weights, "vae_scale": torch.tensor(1.0), "vae_shift": torch.tensor(0.0)})


def text(seed: int, width: int = 64) -> list:
    return [[torch.randn(1, 9, width, generator=torch.Generator().manual_seed(seed)), {}]]


def latents(frames: int, seed: int = 3, size: int = 8) -> dict:
    return {"samples": torch.randn(frames, 4, size, size, generator=torch.Generator().manual_seed(seed)) * 5}


CUSTOM = {"length": 5, "preset": "custom", "seed": 1, "cfg": 2.0, "window": 4, "queue": "latent",
          "sampler_name": "euler", "scheduler": "ddim_uniform",
          "steps": 2, "resample": 1, "resample_start": 0.0, "resample_end": 1.0, "new_frames": 1, "context": 0,
          "inversion": True, "end": "clean",
          "batch": "frames of one clip"}  # fmt: skip


@torch.inference_mode()
def run(model, frames, **changed):
    """The node's two outputs and what it says."""
    out = RepeatAndSlideSampler.execute(model, text(1), text(2), frames, **{**CUSTOM, **changed})
    return out.args[0]["samples"], out.args[1], out.ui.as_dict()["text"][0]


def counting(model) -> tuple:
    """The model with a list of its calls: how many frames, and which of cond and uncond."""
    model, calls = model.clone(), []
    model.set_model_unet_function_wrapper(
        lambda apply, call: (
            calls.append((call["input"].shape, call["cond_or_uncond"]))
            or apply(call["input"], call["timestep"], **call["c"])
        )
    )
    return model, calls


# ------------------------------------------------------------------------------------------------ uses


def test_a_picture_is_animated(moving):
    model, calls = counting(moving)
    first = latents(1)
    clip, pictures, said = run(model, first)
    assert clip.shape == (5, 4, 8, 8) and torch.equal(clip[:1], first["samples"])
    assert torch.isfinite(clip).all() and (clip[1:] - clip[:1]).abs().amax((1, 2, 3)).min() > 0.1
    assert (
        len(calls) == 2 + 4 * 2 * 2
    )  # asked twice whether its frames meet; steps times repeats and one, for every new frame
    assert {shape[0] for shape, _ in calls} == {8} and {tuple(sorted(parts)) for _, parts in calls} == {
        (0, 1)
    }  # cond and uncond in one call
    assert said.startswith("16 calls of the model, 4 per new frame, from sigma")
    assert isinstance(pictures, ExecutionBlocker)
    assert torch.equal(run(moving, first)[0], clip) and not torch.equal(run(moving, first, seed=2)[0], clip)


def test_a_longer_clip_begins_like_a_shorter_one(moving):
    assert torch.equal(run(moving, latents(1), length=3)[0], run(moving, latents(1), length=5)[0][:3])


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_cost_what_they_say(moving, preset):
    model, calls = counting(moving)
    clip, _, said = run(model, latents(1, size=4), preset=preset, length=3, window=3)
    expected = {"exact": 50, "balanced": 20, "fast": 5}[preset]
    assert len(calls) - 2 == 2 * expected and f"{expected} per new frame" in said
    tip = next(item.tooltip for item in RepeatAndSlideSampler.define_schema().inputs if item.id == "preset")
    assert all(f"{number}" in tip for number in (50, 20, 5)) and torch.isfinite(clip).all()


def test_progress_counts_calls_and_shows_the_newest_frame(moving, video_model, monkeypatch):
    told = []
    monkeypatch.setattr("latent_preview.prepare_callback", lambda model, total: lambda *state: told.append(state))
    for model, shape in ((moving, (1, 4, 8, 8)), (video_model, (1, 4, 1, 8, 8))):
        told.clear()
        run(model, latents(1))
        assert [(step, total) for step, _, _, total in told] == [(step, 16) for step in range(16)]
        assert {denoised.shape for _, denoised, _, _ in told} == {torch.Size(shape)}


def test_prediction_goes_on_from_several_frames(moving):
    given = latents(3)
    clip, _, _ = run(moving, given, length=6)
    assert torch.equal(clip[:3], given["samples"])
    assert not torch.equal(run(moving, {"samples": given["samples"].flip(0)}, length=6)[0][3:], clip[3:])


def test_end_frames_and_masks_fill_gaps(moving):
    start, end = latents(1), latents(2, seed=4)
    between, _, _ = run(moving, start, end_frames=end, length=6, window=6)
    assert torch.equal(between[:1], start["samples"]) and torch.equal(between[4:], end["samples"])
    whole = latents(6, seed=9)["samples"]
    whole[[0, 4, 5]] = between[[0, 4, 5]]
    mask = torch.tensor([1.0, 0, 0, 0, 1, 1]).view(-1, 1, 1).expand(-1, 16, 16)
    assert torch.equal(run(moving, {"samples": whole}, known_frames=mask, length=6, window=6)[0], between)


def test_several_clips_are_those_made_one_by_one(moving):
    starts = latents(2)
    both, _, said = run(moving, starts, batch="first frames of several clips", length=3)
    apart = [run(moving, {"samples": starts["samples"][i : i + 1]}, length=3, seed=1 + i)[0] for i in range(2)]
    assert torch.equal(both, torch.cat(apart)) and "4 per new frame" in said


def test_a_long_clip(moving):
    clip, _, _ = run(moving, latents(1, size=4), length=40, steps=1, resample=0)
    assert clip.shape[0] == 40 and torch.isfinite(clip).all()


# ------------------------------------------------------------------------------------------------ models and samplers


@pytest.mark.parametrize("sampler", sliding.STEPWISE)
def test_samplers_without_memory(moving, sampler):
    clip, _, _ = run(moving, latents(1), sampler_name=sampler, length=3, end="smallest sigma (official)")
    assert torch.isfinite(clip).all()
    assert torch.equal(
        run(moving, latents(1), sampler_name=sampler, length=3, end="smallest sigma (official)")[0], clip
    )


def test_ddim_is_euler(moving):
    assert torch.equal(run(moving, latents(1), sampler_name="ddim")[0], run(moving, latents(1))[0])


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun", "uni_pc", "dpm_adaptive", "dpmpp_2m_sde"])
def test_samplers_with_memory_are_refused(moving, sampler):
    with pytest.raises(
        ValueError, match=f"{sampler} remembers earlier steps or looks between them: choose euler, ddim"
    ):
        run(moving, latents(1), sampler_name=sampler)


@pytest.mark.parametrize("process", ["EPS", "V_PREDICTION", "FLOW"])
def test_video_models_of_every_parametrisation(process):
    model = made_video_model(comfy.model_base.ModelType[process])
    first = latents(1)["samples"]
    clip, _, said = run(model, {"samples": first})
    assert clip.shape == (1, 4, 5, 8, 8) and torch.equal(clip[:, :, 0], first) and torch.isfinite(clip).all()
    assert torch.equal(run(model, {"samples": first[:, :, None]})[0], clip)
    if process == "FLOW":
        assert 0 < float(said.rsplit(" ", 1)[1]) <= 0.94  # not from pure noise


def test_a_batch_of_video_latents_is_as_many_clips(video_model):
    starts = latents(2)["samples"][:, :, None]
    both, _, _ = run(video_model, {"samples": starts}, length=3)
    apart = [run(video_model, {"samples": starts[i : i + 1]}, length=3, seed=1 + i)[0] for i in range(2)]
    assert both.shape == (2, 4, 3, 8, 8) and torch.equal(both, torch.cat(apart))


@pytest.mark.parametrize("process", ["EPS", "V_PREDICTION", "FLOW"])
def test_noise_is_added_as_the_models_own_sampling_adds_it(process):
    sampling = made_video_model(comfy.model_base.ModelType[process]).model.model_sampling
    noising, sigma = sliding.noising_of(sampling), sampling.percent_to_sigma(0.4)
    sigma, z, eps = torch.tensor(float(sigma)), torch.randn(3, 4, 2, 2), torch.randn(3, 4, 2, 2)
    assert torch.allclose(noising.at(sigma, z, eps), sampling.noise_scaling(sigma, eps.clone(), z), atol=1e-6)


def test_a_clean_latent_needs_no_settling():
    """Whatever scale a model wants its input in: at no noise a latent is itself, at more it keeps its unit variance."""
    sampling = type("Edm", (comfy.model_sampling.ModelSamplingContinuousEDM, comfy.model_sampling.EDM), {})()
    sampling.set_parameters(0.002, 120.0, sigma_data=0.5)
    noising, x = sliding.noising_of(sampling), torch.randn(2, 4, 2, 2)
    assert torch.allclose(noising.settle(x, torch.tensor(0.0)), x)
    assert torch.allclose(noising.settle(x, torch.tensor(0.5)), x / 2**0.5)


def test_schedules_that_start_from_pure_noise_start_later(moving, caplog):
    zero_snr = moving.clone()
    sampling = type("Zsnr", (comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS), {})(zsnr=True)
    zero_snr.add_object_patch("model_sampling", sampling)
    clip, _, said = run(zero_snr, latents(1), scheduler="normal", steps=4)
    assert torch.isfinite(clip).all() and float(said.rsplit(" ", 1)[1]) < 15
    assert "starts from pure noise, which leaves nothing of the known frames: started at sigma" in caplog.text
    caplog.clear()
    assert (
        torch.isfinite(run(moving, latents(1), scheduler="normal", length=2)[0]).all() and not caplog.text
    )  # SD's own schedule starts in sight


# ------------------------------------------------------------------------------------------------ pixels


def test_pictures_in_and_out(moving, vae):
    image = torch.rand(1, 66, 64, 3)  # not a multiple of 8: cut as VAE Encode does
    clip, pictures, _ = run(moving, image, vae=vae, length=3)
    assert clip.shape == (3, 4, 8, 8) and pictures.shape == (3, 64, 64, 3)
    assert torch.equal(pictures[0], image[0, 1:65]) and pictures.min() >= 0 and pictures.max() <= 1
    assert torch.allclose(clip[:1], vae.encode(image), atol=1e-6)
    assert torch.allclose(pictures[1:], vae.decode(clip[1:]), atol=1e-6)


def test_pictures_through_a_video_model(video_model, vae):
    images = torch.rand(2, 64, 64, 3)
    clip, pictures, _ = run(video_model, images[:1], vae=vae, end_frames=images[1:], length=4, queue="pixel")
    assert clip.shape == (1, 4, 4, 8, 8) and pictures.shape == (4, 64, 64, 3)
    assert torch.equal(pictures[[0, 3]], images) and torch.isfinite(pictures).all()
    clips, pictures, _ = run(video_model, images, vae=vae, length=3, batch="first frames of several clips")
    assert clips.shape == (2, 4, 3, 8, 8) and torch.equal(pictures[[0, 3]], images)


def test_a_pixel_queue_takes_the_way_through_the_vae(moving, vae):
    image = torch.rand(1, 64, 64, 3)
    by_pixels, pictures, _ = run(moving, image, vae=vae, length=4, queue="pixel", window=3)
    by_latents, _, _ = run(moving, image, vae=vae, length=4, window=3)
    assert torch.equal(by_pixels[:2], by_latents[:2]) and not torch.allclose(by_pixels[2:], by_latents[2:], atol=1e-3)
    assert torch.allclose(pictures[1:], vae.decode(by_pixels[1:]), atol=1e-5)


def test_the_pixel_queue_does_not_clamp(vae):
    before = vae.process_output
    frames = latents(2)["samples"] * 3
    queue = PixelQueue(vae)
    pixels = queue.decode(frames)
    raw = vae.first_stage_model.decode(frames).movedim(1, -1)
    assert torch.allclose(pixels, (raw + 1) / 2, atol=1e-5)
    assert pixels.min() < 0 or pixels.max() > 1
    assert torch.allclose(queue.encode(pixels), vae.first_stage_model.encode(raw.movedim(-1, 1)), atol=1e-4)
    assert vae.process_output is before


# ------------------------------------------------------------------------------------------------ SamplerCustomAdvanced


@torch.inference_mode()
def advanced(model, latent: dict, sigmas=None, **changed) -> tuple[torch.Tensor, torch.Tensor]:
    from comfy_extras.nodes_custom_sampler import CFGGuider, SamplerCustomAdvanced
    from few_shot_motion.nodes.frame_noise import FrameNoise

    settings = {
        "window": 4,
        "context": 0,
        "new_frames": 1,
        "resample": 1,
        "resample_start": 0.0,
        "resample_end": 1.0,
        "inversion": True,
    }
    sampler = SamplerRepeatAndSlide.execute(**{**settings, "sampler_name": "euler", **changed}).args[0]
    guider = CFGGuider.execute(model, text(1), text(2), 2.0).args[0]
    if sigmas is None:
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "ddim_uniform", 2)
    noise = FrameNoise.execute(3, "independent", 0.0, True).args[0]
    return tuple(out["samples"] for out in SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent).args)


def test_as_a_sampler_it_makes_a_clip_from_its_first_frame(moving):
    model, calls = counting(moving)
    latent = latents(5)
    clip, denoised = advanced(model, latent)
    assert torch.allclose(clip[:1], latent["samples"][:1], atol=1e-5) and torch.isfinite(clip).all()
    assert torch.allclose(denoised, clip, atol=1e-5) and len(calls) == 2 + 16
    other = {"samples": torch.cat([latent["samples"][:1], torch.zeros(4, 4, 8, 8)])}
    assert torch.allclose(advanced(moving, other)[0], clip, atol=1e-5)  # what the other frames hold does not matter


def test_as_a_sampler_it_takes_a_noise_mask(moving, video_model):
    mask = torch.tensor([0.0, 0, 1, 1, 0]).view(-1, 1, 1).expand(-1, 64, 64)
    latent = latents(5)
    clip, _ = advanced(moving, {**latent, "noise_mask": mask})
    assert torch.allclose(clip[[0, 1, 4]], latent["samples"][[0, 1, 4]], atol=1e-5)
    assert (clip[[2, 3]] - latent["samples"][[2, 3]]).abs().max() > 0.1
    film = latent["samples"].movedim(0, 1)[None]
    clip, _ = advanced(video_model, {"samples": film, "noise_mask": mask})
    assert clip.shape == film.shape and torch.allclose(clip[:, :, [0, 1, 4]], film[:, :, [0, 1, 4]], atol=1e-5)


def test_as_a_sampler_it_says_where_a_flow_starts(caplog):
    model = made_video_model(comfy.model_base.ModelType.FLOW)
    film = latents(3)["samples"].movedim(0, 1)[None]
    clip, _ = advanced(model, {"samples": film}, torch.tensor([1.0, 0.5, 0.0]))
    assert torch.isfinite(clip).all() and "started at sigma 0.8935 instead of 1" in caplog.text
    with pytest.raises(ValueError, match="The sigmas from 1 to 0.95 are all of pure noise: use sigmas that end at 0"):
        advanced(model, {"samples": film}, torch.tensor([1.0, 0.97, 0.95]))


# ----------------------------------------------------------------------------------------------- refusals, and no trace


def test_a_model_whose_frames_do_not_meet_is_refused(base):
    model, calls = counting(base)
    with pytest.raises(
        ValueError, match="This model makes each frame for itself: .* Give it motion with Load Motion Adapter"
    ):
        run(model, latents(1))
    assert len(calls) == 4
    with pytest.raises(ValueError, match="makes each frame for itself"):
        advanced(base, latents(3))


def test_a_video_model_of_single_frames_is_refused():
    model = made_video_model()
    conv = model.model.diffusion_model.conv
    conv.weight[:, :, [0, 1, 3, 4]] = 0
    with pytest.raises(ValueError, match="makes each frame for itself"):
        run(model, latents(1))


def test_layers_that_act_late_are_found(base, moving):
    adapter = MotionAdapter(
        "lamp", {k: v.clone() for k, v in moving.get_additional_models()[0].model.state_dict().items()}
    )
    still = {name: torch.zeros_like(value) if ".delta." in name else value for name, value in adapter.tensors.items()}
    late = bridge.apply_adapter(base, MotionAdapter("lamp", still), 1.0, start_percent=0.4)
    assert torch.isfinite(run(late, latents(1), length=2, steps=4)[0]).all()


@pytest.mark.parametrize(
    "frames, changed, message",
    [
        (latents(1), {"context": 4}, "A window of 4 frames has no room for new ones beside 4 of context"),
        (latents(1), {"new_frames": 4}, "4 new frames per slide and 1 of context do not fit a window of 4"),
        (latents(1), {"length": 0}, "A clip of 0 frames was asked for"),
        (latents(5), {}, "All 5 frames are known already: ask for a longer clip"),
        (latents(6), {}, "6 frames are given for a clip of 5: set length to more than that"),
        (latents(1), {"window": 1}, "A window of 1 frames has no room"),
        (
            latents(1),
            {"end_frames": latents(1, size=6)},
            "different sizes, in latents 8x8 at the start and 6x6 at the end",
        ),
        (latents(5), {"known_frames": torch.zeros(5, 8, 8)}, "No frame of the clip is known"),
        (latents(5), {"known_frames": torch.zeros(4, 8, 8)}, "The mask has 4 frames and 5 are given for a clip of 5"),
        (latents(5), {"known_frames": torch.eye(8).expand(5, 8, 8)}, "Frame 0 of the mask is marked in part"),
        (
            latents(5),
            {"known_frames": torch.ones(5, 8, 8), "end_frames": latents(1)},
            "A mask of known frames and end frames were both given",
        ),
        (
            {"samples": torch.zeros(1, 16, 8, 8)},
            {},
            r"shape \(1, 16, 8, 8\), this model's are \(frames, 4, height, width\)",
        ),
        ({"samples": torch.full((1, 4, 8, 8), float("nan"))}, {}, "hold values that are no numbers"),
        (torch.rand(1, 64, 64, 3), {}, "A VAE is needed, pictures were given: connect"),
        (latents(1), {"queue": "pixel"}, "A VAE is needed, the queue is of pixels: connect"),
    ],
)
def test_bad_input_gets_one_sentence(moving, frames, changed, message):
    with pytest.raises(ValueError, match=message) as raised:
        run(moving, frames, **changed)
    assert "\n" not in str(raised.value) and str(raised.value).count(". ") <= 1


def test_a_vae_of_another_model_is_refused(moving, vae):
    other = type("Other", (), {"latent_dim": 3, "latent_channels": 16})()
    with pytest.raises(ValueError, match="does not encode single frames of 4 channels, it makes 16 over 3 dimensions"):
        run(moving, torch.rand(1, 64, 64, 3), vae=other)


def test_cancelling_stops_within_a_call_and_leaves_the_model_clean(base, moving):
    def plain() -> torch.Tensor:
        unets.load(base)
        return unets.eps_of(base, torch.ones(1, 3, 4, 8, 8), torch.tensor([500.0]), text(5)[0][0])

    with torch.inference_mode():
        before = plain()
    model, calls = moving.clone(), []

    def count_and_cancel(apply, call):
        calls.append(1)
        if len(calls) == 9:  # in the middle of the second slide
            comfy.model_management.interrupt_current_processing()
        return apply(call["input"], call["timestep"], **call["c"])

    model.set_model_unet_function_wrapper(count_and_cancel)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(model, latents(1))
    assert len(calls) == 9
    with torch.inference_mode():
        assert torch.equal(plain(), before)
    assert not comfy.model_management.processing_interrupted()


def test_widgets_keep_their_places():
    """Workflows store widgets by position: new ones go to the end."""
    inputs = RepeatAndSlideSampler.define_schema().inputs
    widgets = [item.id for item in inputs if hasattr(item, "default")]
    assert widgets == ["length", "preset", "seed", "cfg", "window", "queue", "sampler_name", "scheduler", "steps",
                       "resample", "resample_start",
                       "resample_end", "new_frames", "context", "inversion", "end", "batch"]  # fmt: skip
    assert all(item.tooltip for item in inputs)
    assert list(PRESETS) == ["exact", "balanced", "fast"]
