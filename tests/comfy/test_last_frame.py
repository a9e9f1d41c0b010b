"""First-Frame-Conditioned KSampler with a given last frame, or a loop; and motion that is learnt for it."""

from dataclasses import replace

import folder_paths
import pytest
import torch
import unets
from classroom import run, same
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.sampling import clip_sampling, long_clips
from few_shot_motion.host.training import lesson
from few_shot_motion.nodes.frame_noise import FrameNoise
from few_shot_motion.nodes.sampling import FirstFrameKSampler
from few_shot_motion.training.loss import lamp_loss
from moving import COND, FIRST, FRAMES, SIDE, UNCOND, adapter_for, drawn

LAST = {"samples": 3 * drawn(1, 4, SIDE, SIDE, seed=5)}
STATISTICS = ["none", "match at the end", "match at every step (LAMP)"]
LEARNT = {"frames": str(FRAMES), "ends": "both"}


@pytest.fixture(scope="module", params=[torch.float32, torch.float16])
def base(request):
    """Inside inference_mode both, as the executor; half precision is computed in fp32 on a CPU."""
    model = unets.sd_model(unets.TINY)
    model.set_model_compute_dtype(torch.float32)
    model.model.diffusion_model.to(request.param)
    return model


def moving(base, **metadata):
    return bridge.apply_adapter(base, replace(adapter_for(base, "lamp"), metadata=LEARNT | metadata))


def made(model, length=FRAMES, first=FIRST, statistics="match at the end", seed=7, **inputs):
    with torch.inference_mode():
        return FirstFrameKSampler.execute(
            model, COND, UNCOND, first, length, seed, 2, 3.0, inputs.pop("sampler", "euler"), "normal", statistics,
            **inputs,
        ).args[0]["samples"]  # fmt: skip


@pytest.fixture
def seen(monkeypatch):
    """Every clip as the UNet is to see it, and the scale it gets."""
    calls, inner = [], clip_sampling.condition_on_first_frame

    def watched(predict, x, known, scale, ends):
        return inner(lambda noised: calls.append((noised, scale)) or predict(noised), x, known, scale, ends)

    monkeypatch.setattr(clip_sampling, "condition_on_first_frame", watched)
    return calls


@pytest.mark.parametrize("statistics", STATISTICS)
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
@pytest.mark.parametrize("length", [3, FRAMES, 2 * FRAMES + 1])
def test_both_ends_come_back_exact_and_are_clean_in_every_call(base, seen, statistics, sampler, length):
    model = moving(base)
    clip = made(model, length, statistics=statistics, sampler=sampler, last_frame=LAST)
    again = made(model, length, statistics=statistics, sampler=sampler, last_frame=LAST)
    free = made(model, length, statistics=statistics, sampler=sampler)
    assert len(clip) == length and torch.equal(clip, again) and torch.isfinite(clip).all()
    assert torch.equal(clip[:1], FIRST["samples"]) and torch.equal(clip[-1:], LAST["samples"])
    assert not torch.equal(free[-1:], LAST["samples"]) and not torch.equal(free[1], clip[1]) or length > FRAMES
    seen[:] = seen[: len(seen) // 3]
    pieces = 1 if length <= FRAMES else 3
    last_piece = seen[-len(seen) // pieces :]
    inside = base.model.process_latent_in(LAST["samples"])
    for x, scale in last_piece:
        assert torch.allclose(x[-1:] * scale, inside, atol=1e-5)
    for x, scale in seen[: len(seen) - len(last_piece)]:
        assert not torch.allclose(x[-1:] * scale, inside, atol=0.1)


@pytest.mark.parametrize("length", [2, FRAMES, 2 * FRAMES])
def test_a_loop_is_a_clip_back_to_its_first_frame_without_that(base, length):
    model, noise = moving(base), FrameNoise.execute(11, "shared", 0.3, True).args[0]
    loop = made(model, length, loop=True, noise=noise)
    assert len(loop) == length and torch.equal(loop[:1], FIRST["samples"])
    if length == FRAMES:  # one run, of one frame more than was learnt
        assert len(long_clips.plan(model, length + 1, ends=True, loops=True)) == 1
        there = bridge.apply_adapter(base, replace(adapter_for(base, "lamp"), metadata=LEARNT | {"frames": "5"}))
        assert torch.equal(loop, made(there, length + 1, last_frame=FIRST, noise=noise)[:-1])
    assert not torch.equal(loop[-1], made(model, length, noise=noise)[-1])


def test_each_first_frame_ends_in_its_own_last_one_or_all_in_one(base):
    model = moving(base)
    firsts, lasts = ({"samples": 3 * drawn(2, 4, SIDE, SIDE, seed=seed)} for seed in (8, 9))
    for given in (lasts, LAST):
        clips = made(model, first=firsts, last_frame=given).chunk(2)
        ends = given["samples"].expand(2, -1, -1, -1)
        for i, clip in enumerate(clips):
            alone = made(model, first={"samples": firsts["samples"][i : i + 1]}, seed=7 + i,
                         last_frame={"samples": ends[i : i + 1]})  # fmt: skip
            assert torch.equal(clip, alone) and torch.equal(clip[-1], ends[i])
    loops = made(model, first=firsts, loop=True).chunk(2)
    assert all(torch.equal(loop[0], first) for loop, first in zip(loops, firsts["samples"], strict=True))


@pytest.mark.parametrize("loop", [False, True])
def test_with_a_mask_and_a_clip_to_refine(base, loop):
    model, black = moving(base), torch.zeros(1, SIDE * 8, SIDE * 8)
    black[..., : SIDE * 4] = 1
    clip = {"samples": drawn(FRAMES, 4, SIDE, SIDE, seed=3)}
    ends = {"loop": True} if loop else {"last_frame": LAST}
    masked, refined = made(model, motion_mask=black, **ends), made(model, clip=clip, denoise=0.5, **ends)
    assert len(masked) == len(refined) == FRAMES
    still = masked[: FRAMES - (not loop), ..., SIDE // 2 :]
    assert torch.equal(still, FIRST["samples"][..., SIDE // 2 :].expand_as(still))
    if not loop:
        assert torch.equal(masked[-1:], LAST["samples"]) and torch.equal(refined[-1:], LAST["samples"])


def test_motion_that_never_learnt_it_is_named(base, caplog):
    caplog.set_level("INFO")
    made(moving(base), last_frame=LAST)
    made(moving(base), loop=True)
    assert "learnt last frames" not in caplog.text
    for ends in ({"last_frame": LAST}, {"loop": True}):
        caplog.clear()
        made(moving(base, ends="first"), **ends)
        assert "No motion in the model has learnt last frames" in caplog.text


@pytest.mark.parametrize(
    "length, ends, sentence",
    [
        (2, {"last_frame": LAST}, "A clip of 2 frames leaves none to make between the first and the last"),
        (4, {"last_frame": {"samples": drawn(1, 4, 6, SIDE)}}, "The last frame has latents of 8x6, the first of 8x8"),
        (4, {"last_frame": {"samples": drawn(3, 4, SIDE, SIDE)}}, "There are 3 last frames for 1 first ones"),
        (4, {"last_frame": LAST, "loop": True}, "A loop ends in its first frame, and last_frame is another"),
        (1, {"loop": True}, "A loop of one frame has nothing that could move"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(base, length, ends, sentence):
    with pytest.raises(ValueError, match=sentence):
        made(moving(base), length, **ends)


@pytest.fixture
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))


@pytest.fixture
def given(monkeypatch):
    """How many last frames each step of a training gives."""
    steps = []

    def watched(predict, x0, eps, sigma, scale, power=0.0, ends=0, focus=0.0):
        steps.append(ends)
        return lamp_loss(predict, x0, eps, sigma, scale, power, ends, focus)

    monkeypatch.setattr(lesson, "lamp_loss", watched)
    return steps


def test_half_the_steps_give_the_last_frame_too_and_the_adapter_says_so(output_folder, given):
    adapter, _ = run(steps=40, both_ends=True)
    assert 10 <= sum(given) <= 30 and set(given) == {0, 1}
    assert adapter.heads_for_an_end and adapter.centred and '"both_ends": true' in adapter.metadata["training"]
    del given[:]
    plain, _ = run(name="plain", steps=40)
    assert set(given) == {0} and not plain.heads_for_an_end and not plain.centred
    assert "both_ends" not in plain.metadata["training"] and '"convolution"' not in plain.metadata["training"]


@pytest.mark.parametrize("method", ["LAMP", "Recurrent"])
def test_centred_convolutions_are_another_training_kept_and_gone_on_with(output_folder, method):
    given = {"method": method, "motion_convolutions": True, "precision": "bf16"}
    causal, centred = run(name="a", **given)[0], run(name="b", convolution="centred", save_every=3, **given)[0]
    assert centred.centred and not causal.centred and not same(causal.tensors, centred.tensors)
    with pytest.raises(ValueError, match="convolution centred, now None"):
        run(name="b", resume=True, **given)


def test_moved_clips_are_another_training_kept_and_gone_on_with(output_folder):
    """48 px wide they are 6 latents wide; moved by less than one they are moved by one."""
    plain, moved = run(name="a")[0], run(name="b", shift=16, save_every=3)[0]
    assert not same(plain.tensors, moved.tensors) and '"shift": 16' in moved.metadata["training"]
    assert "shift" not in plain.metadata["training"] and same(
        run(name="b", shift=16, resume=True)[0].tensors, moved.tensors
    )
    with pytest.raises(ValueError, match="shift 16, now None"):
        run(name="b", resume=True)
    with pytest.raises(ValueError, match=r"^shift is 25 px and the clips are 48 px wide: choose .*, 24\.$"):
        run(name="c", shift=25)


def test_tune_a_video_has_no_convolutions_to_centre(output_folder):
    assert not run(method="Tune-A-Video", convolution="centred")[0].centred


def test_it_resumes_bit_for_bit(output_folder, monkeypatch):
    whole, losses = run(both_ends=True)
    run(name="cut", steps=3, save_every=3, both_ends=True)
    resumed, again = run(name="cut", resume=True, both_ends=True)
    assert again == losses and same(resumed.tensors, whole.tensors)
    with pytest.raises(ValueError, match="both_ends True, now None"):
        run(name="cut", resume=True)


@pytest.mark.parametrize(
    "found, changes",
    [("the method is Recurrent", {"method": "Recurrent"}), ("the method is Tune-A-Video", {"method": "Tune-A-Video"}),
     ("there are masks to learn from", {"masks": [torch.ones(5, 64, 48)] * 2})],
)  # fmt: skip
def test_other_trainings_refuse_both_ends(output_folder, found, changes):
    with pytest.raises(ValueError, match=f"Both ends of a clip are given in LAMP's .*, and {found}: turn both_ends"):
        run(both_ends=True, **changes)
