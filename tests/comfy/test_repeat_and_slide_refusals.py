"""What Repeat-and-Slide refuses, in one sentence, and that it leaves no trace."""

import comfy.model_management
import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import MotionAdapter
from sliding_models import advanced, counting, latents, made_moving, made_vae, made_video_model, run, text


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


@pytest.fixture(scope="module")
def moving(base):
    return made_moving(base)


@pytest.fixture(scope="module")
def vae():
    return made_vae()


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
        (latents(1), {"length": 0}, "length is 0, it goes from 1 to 4096"),
        (latents(5), {}, "All 5 frames are known already: ask for a longer clip"),
        (latents(6), {}, "6 frames are given for a clip of 5: set length to more than that"),
        (latents(1), {"window": 1}, "window is 1, it goes from 2 to 1024"),
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
            r"shape \(1, 16, 8, 8\), this model's have 4 channels",
        ),
        ({"samples": torch.full((1, 4, 8, 8), float("nan"))}, {}, "holds values that are no numbers"),
        (torch.rand(1, 64, 64, 3), {}, "A VAE is needed, pictures were given: connect"),
        (latents(1), {"queue": "pixel"}, "A VAE is needed, the queue is of pixels: connect"),
    ],
)
def test_bad_input_gets_one_sentence(moving, frames, changed, message):
    with pytest.raises(ValueError, match=message) as raised:
        run(moving, frames, **changed)
    assert "\n" not in str(raised.value) and str(raised.value).count(". ") <= 1


def test_a_vae_of_another_model_is_refused(moving, vae):
    other = type("Other", (), {"latent_dim": 3, "latent_channels": 16, "encode": None, "decode": None})()
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
