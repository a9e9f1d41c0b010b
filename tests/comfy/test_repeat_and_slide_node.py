"""Repeat-and-Slide TI2V Sampler in ComfyUI: pictures animated, clips continued, gaps filled, with a VAE or without."""

import pytest
import torch
import unets
from comfy_execution.graph_utils import ExecutionBlocker
from few_shot_motion.host.sampling.given_frames import PixelQueue
from few_shot_motion.host.sampling.presets import PRESETS
from few_shot_motion.nodes.repeat_and_slide import RepeatAndSlideSampler
from sliding_models import counting, latents, made_moving, made_vae, made_video_model, run


@pytest.fixture(scope="module")
def moving():
    return made_moving(unets.sd_model(unets.TINY))


@pytest.fixture(scope="module")
def video_model():
    return made_video_model()


@pytest.fixture(scope="module")
def vae():
    return made_vae()


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
    assert said.startswith(
        "16 calls of the model, 4 per new frame; custom: steps 2, resample 1 until 1, new_frames 1; from sigma 1.62"
    )
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


def test_widgets_keep_their_places():
    """Workflows store widgets by position: new ones go to the end."""
    inputs = RepeatAndSlideSampler.define_schema().inputs
    widgets = [item.id for item in inputs if hasattr(item, "default")]
    assert widgets == ["length", "preset", "seed", "cfg", "window", "queue", "sampler_name", "scheduler", "steps",
                       "resample", "resample_start",
                       "resample_end", "new_frames", "context", "inversion", "end", "batch"]  # fmt: skip
    assert all(item.tooltip for item in inputs)
    assert list(PRESETS) == ["exact", "balanced", "fast"]
