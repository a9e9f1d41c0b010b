"""Repeat-and-slide on clips whose exact denoiser is known: Gaussian frames, each resembling the one before."""

import pytest
import torch
from few_shot_motion.samplers import noising
from few_shot_motion.samplers.repeat_and_slide import (
    calls_per_slide,
    frames_meet,
    invert,
    repeat_and_slide,
    repeats_at,
    sample_slide,
    seeded_noise,
)
from few_shot_motion.samplers.slides import plan_slides

VE, FLOW = noising.VARIANCE_EXPLODING, noising.FLOW


SIGMAS = {VE: torch.cat([torch.logspace(0.9, -1.2, 10), torch.zeros(1)]), FLOW: torch.linspace(0.9, 0, 11)}


class Oracle:
    """The exact denoiser of unit Gaussian frames with correlation rho to the power of their distance; each pixel by
    itself.
    """

    def __init__(self, process: noising.Noising = VE, rho: float = 0.9, stop_at: int | None = None):
        self.process, self.rho, self.stop_at, self.calls = process, rho, stop_at, 0

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        frames, sigma = torch.arange(len(x)), sigma.reshape(-1)[0]
        covariance = self.rho ** (frames[:, None] - frames).abs().double()
        a, b = self.process.signal(sigma).double(), self.process.noise(sigma).double()
        posterior = a * covariance @ torch.linalg.inv(a**2 * covariance + b**2 * torch.eye(len(x)))
        return torch.einsum("fg,gchw->fchw", posterior.float(), x)


def euler(model, x: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    denoised = model(x, sigmas[0].expand(len(x)))
    return denoised + sigmas[1] / sigmas[0] * (x - denoised)


def clip(
    length: int, model, process=VE, window=6, context=5, new_frames=1, resample=2, seed=0, known=None, size=8, **options
):
    """A clip `f c h w` from one random frame, or from the given ones."""
    if known is None:
        known = {0: torch.randn(1, size, size, generator=torch.Generator().manual_seed(100))}
    sigmas = SIGMAS[process]
    repeats, noise = repeats_at(sigmas, resample), seeded_noise(seed)
    slides = plan_slides([frame in known for frame in range(length)], window, context, new_frames)

    def solve(q, slide):
        return sample_slide(euler, model, q, slide.known, sigmas, repeats, process, noise, **options)

    frames = dict(known)
    for made in repeat_and_slide(slides, known, solve):
        frames |= zip(made.indices, made.latents, strict=True)
    return torch.stack([frames[frame] for frame in range(length)]), slides


# ------------------------------------------------------------------------------------------------ what comes out


@pytest.mark.parametrize("process", [VE, FLOW])
def test_a_new_frame_has_the_conditional_distribution(process):
    """Given the frames before, the next one is rho times the last plus noise of variance 1 - rho^2; resampling is what
    brings it there.
    """
    known, slopes = dict(enumerate(true_clip(5))), []
    for resample in (0, 2, 8):
        frames, _ = clip(6, Oracle(process), process, known=known, resample=resample)
        slopes.append(float((frames[5] * frames[4]).mean() / (frames[4] ** 2).mean()))
    assert slopes[0] < 0.65 and slopes == sorted(slopes) and slopes[-1] == pytest.approx(0.9, abs=0.05)
    rest = frames[5] - slopes[-1] * frames[4]
    assert float(rest.var()) == pytest.approx(1 - 0.9**2, rel=0.35)  # ten steps of DDIM lose some of it


def true_clip(frames: int, size: int = 64, rho: float = 0.9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    made = [torch.randn(1, size, size, generator=generator)]
    for _ in range(frames - 1):
        made.append(rho * made[-1] + (1 - rho**2) ** 0.5 * torch.randn(1, size, size, generator=generator))
    return torch.stack(made)


def test_a_gap_is_filled_from_both_sides():
    """Between two known frames the exact mean is that of both; known ones come back bit for bit."""
    truth = true_clip(6)
    known = {frame: truth[frame] for frame in (0, 1, 2, 4, 5)}
    frames, slides = clip(6, Oracle(), known=known, resample=8)
    assert len(slides) == 1 and all(torch.equal(frames[frame], known[frame]) for frame in known)
    weight = 0.9 / (1 + 0.9**2)
    rest = frames[3] - weight * (frames[2] + frames[4])
    assert abs(float((rest * (frames[2] + frames[4])).mean())) < 0.04
    assert float(rest.var()) == pytest.approx(
        (1 - 0.9**2) / (1 + 0.9**2), rel=0.35
    )  # ten steps of DDIM lose some of it


@pytest.mark.parametrize("known", [[0], [3], [0, 7], [2, 3, 9], [0, 1, 2, 5, 11], [11]])
@pytest.mark.parametrize("new_frames", [1, 2])
def test_known_frames_come_back_bit_for_bit(known, new_frames):
    given = {frame: torch.randn(1, 4, 4) for frame in known}
    frames, slides = clip(12, Oracle(), window=5, context=3, new_frames=new_frames, known=given, resample=0)
    assert all(torch.equal(frames[frame], given[frame]) for frame in known)
    assert sorted([*known, *(frame for slide in slides for frame in slide.new)]) == list(range(12))
    assert torch.isfinite(frames).all() and frames.std() > 0.3


def test_a_still_world_stays_still():
    frames, _ = clip(12, Oracle(rho=0.9999), resample=2)
    assert (frames - frames[0]).abs().max() < 0.15


def test_without_inversion_the_start_is_noise_alone():
    still, start = Oracle(rho=0.9999), []
    noise = seeded_noise(0)

    def recorded(role, like):
        start.append(noise(role, like))
        return start[-1]

    seen = []

    def model(x, sigma):
        seen.append(x)
        return still(x, sigma)

    q, known, sigmas = torch.ones(4, 1, 2, 2), [True, True, True, False], SIGMAS[VE]
    sample_slide(euler, model, q, known, sigmas, repeats_at(sigmas, 0), VE, recorded, inversion=False)
    assert torch.allclose(seen[0][3], start[0][3] * (1 + sigmas[0] ** 2).sqrt())


def test_inversion_starts_from_the_nearest_known_frame():
    q, sigma = torch.arange(6.0).reshape(6, 1, 1, 1), torch.tensor(2.0)
    x = invert(q, [True, False, False, True, False, False], sigma, VE, lambda role, like: torch.zeros_like(like))
    assert x.flatten().tolist() == [0, 0, 3, 3, 3, 3]


@pytest.mark.parametrize("process", [VE, FLOW])
def test_the_model_sees_known_frames_at_its_noise_level(process):
    """Under noise of zero the context arrives as a(sigma) z, at every call of a step with repeats."""
    q, sigmas, seen = torch.randn(4, 1, 2, 2), SIGMAS[process], []

    def model(x, sigma):
        seen.append((x, sigma[0]))
        return x

    repeats = repeats_at(sigmas, 2)
    sample_slide(
        euler, model, q, [True, True, True, False], sigmas, repeats, process, lambda role, like: torch.zeros_like(like)
    )
    assert len(seen) == calls_per_slide(repeats) == 30
    for x, sigma in seen:
        assert torch.allclose(x[:3], process.signal(sigma) * q[:3], atol=1e-6)


def test_a_longer_clip_begins_like_a_shorter_one():
    short, long = clip(6, Oracle())[0], clip(9, Oracle())[0]
    assert torch.equal(long[:6], short)
    assert not torch.equal(clip(6, Oracle(), seed=1)[0][1:], short[1:])


# ------------------------------------------------------------------------------------------------ price


@pytest.mark.parametrize("resample, new_frames", [(0, 1), (4, 1), (4, 2), (2, 3)])
def test_calls_are_those_of_the_formula(resample, new_frames):
    """Steps times one more than the repeats, for every slide: 50 for the paper's ten steps and four repeats."""
    model = Oracle()
    clip(13, model, window=6, context=6 - new_frames, new_frames=new_frames, resample=resample)
    assert model.calls == 12 // new_frames * 10 * (1 + resample)


def test_resampling_in_a_range_of_noise_levels():
    sigmas = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0])
    assert repeats_at(sigmas, 3, high=4.0, low=2.0) == [0, 3, 3, 0]
    assert calls_per_slide([0, 3, 3, 0]) == 10


def test_memory_does_not_grow_with_the_clip():
    slides = plan_slides([True] + [False] * 199, 6, 5)
    made = repeat_and_slide(slides, {0: torch.zeros(1, 2, 2)}, lambda q, slide: q + 1)
    held = [len(made.gi_frame.f_locals["queue"]) for _ in made]
    assert len(held) == 199 and max(held) <= 6


def test_cancelling_stops_at_once():
    model = Oracle(stop_at=47)  # in the second slide
    with pytest.raises(KeyboardInterrupt):
        clip(6, model)
    assert model.calls == 47


def test_pixels_are_decoded_once_and_encoded_only_to_be_seen():
    counted = {"decode": 0, "encode": 0}

    def count(name, scale):
        def run(frames):
            counted[name] += len(frames)
            return frames * scale

        return run

    slides = plan_slides([True] * 3 + [False] * 4, 4, 3)
    known, seen = {f: torch.full((1, 1, 1), float(f)) for f in range(3)}, []

    def solve(q, slide):
        seen.append(q.flatten().tolist())
        return q + 10

    made = list(repeat_and_slide(slides, known, solve, count("decode", 2), count("encode", 0.25)))
    assert counted == {"decode": 4, "encode": 3}
    assert [float(frames.pixels) for frames in made] == [2 * float(frames.latents) for frames in made]
    assert seen[1] == [1, 2, 5, 0]  # 10 made, 20 decoded, 5 encoded


def test_frames_of_different_sizes_are_refused():
    known = {0: torch.zeros(4, 8, 8), 3: torch.zeros(4, 8, 6)}
    with pytest.raises(ValueError, match="different sizes .4x8x6, 4x8x8.: scale them to one size first"):
        list(repeat_and_slide(plan_slides([True, False, False, True], 4, 3), known, lambda q, slide: q))


# ------------------------------------------------------------------------------------------------ asking the model


@pytest.mark.parametrize("model, meet", [(Oracle(), True), (Oracle(rho=0.0), False), (lambda x, sigma: x * 0.5, False)])
def test_a_model_is_asked_whether_its_frames_meet(model, meet):
    x = torch.randn(6, 1, 8, 8)
    assert frames_meet(model, x, [True] * 5 + [False], torch.tensor(2.0)) is meet
