"""First-Frame-Conditioned KSampler beyond the frames its motion was learnt with: pieces that go on from each other."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.sampling import long_clips
from few_shot_motion.nodes.motion import ApplyMotionAdapter
from few_shot_motion.nodes.sampling import FirstFrameConditioning, FirstFrameKSampler
from few_shot_motion.samplers.pieces import Piece, pieces
from moving import COND, FIRST, SIDE, UNCOND, adapter_for, drawn

LEARNT, LONG = 4, 9
EVERY_STEP = "match at every step (LAMP)"


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def adapter(base, frames=LEARNT):
    """A LAMP adapter that says it was learnt from clips of 4 frames."""
    return replace(adapter_for(base, "lamp"), metadata={"frames": str(frames)} if frames else {})


def made(model, length=LONG, statistics="match at the end", sampler="euler", positive=COND, negative=UNCOND, **inputs):
    with torch.inference_mode():
        return FirstFrameKSampler.execute(
            model, positive, negative, FIRST, length, 7, 2, 3.0, sampler, "normal", statistics, **inputs
        ).args[0]["samples"]


@pytest.mark.parametrize("statistics", ["none", "match at the end", EVERY_STEP])
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
def test_a_longer_clip_begins_with_the_first_piece_and_differs_behind_it(base, statistics, sampler):
    moving = bridge.apply_adapter(base, adapter(base))
    clip, first = (made(moving, length, statistics, sampler) for length in (LONG, LEARNT))
    assert clip.shape[0] == LONG and torch.isfinite(clip).all()
    assert torch.equal(clip[:LEARNT], first) and torch.equal(clip[:1], FIRST["samples"])
    assert (clip[1:] - clip[:-1]).abs().amax((1, 2, 3)).min() > 0.01


def test_it_is_said_and_what_is_no_longer_is_as_before(base, caplog):
    caplog.set_level("INFO")
    moving, unlearnt = (bridge.apply_adapter(base, adapter(base, frames)) for frames in (LEARNT, LONG))
    plan = pieces(LONG, LEARNT, long_clips.OVERLAP)
    made(moving)
    assert f"9 frames are more than this motion was learnt with: made in {len(plan)} pieces of 4" in caplog.text
    assert f", in {2 * len(plan)} steps instead of 2." in caplog.text
    caplog.clear()
    made(moving, LEARNT)
    made(unlearnt)
    made(base)
    assert "pieces" not in caplog.text


@pytest.mark.parametrize("length, told", [(LONG, True), (LEARNT, False)])
def test_conditioning_for_another_sampler_says_that_it_makes_no_pieces(base, caplog, length, told):
    FirstFrameConditioning.execute(bridge.apply_adapter(base, adapter(base)), FIRST, length)
    assert ("A clip of 9 frames is longer than the 4 this motion was learnt with" in caplog.text) == told


def test_released_motion_was_learnt_from_16_frames_and_other_motion_from_no_number(base):
    assert adapter(base, 0).clip_frames == 16 and adapter(base, "a few").clip_frames == 16
    assert replace(adapter(base), metadata={"kind": "Motion prior", "frames": "4"}).clip_frames == 0
    assert adapter_for(base, "animatediff").clip_frames == 0


def test_of_two_motions_the_shorter_counts_and_context_windows_go_before(base):
    both = bridge.apply_adapter(bridge.apply_adapter(base, adapter(base, 6)), adapter(base))
    assert len(long_clips.plan(both, LONG)[0].frames) == LEARNT
    windowed = both.clone()
    windowed.model_options["context_handler"] = object()
    assert len(long_clips.plan(windowed, LONG)) == 1


@pytest.mark.parametrize("overlap", [1, 3])
def test_a_piece_knows_the_last_frames_of_the_one_before(base, monkeypatch, overlap):
    """Known frames are what the sampler starts from, what it takes for denoised, and what comes back."""
    seen, seeds, inner = [], [], long_clips.sample_clip

    def spied(*args, **kwargs):
        found = inner(*args, **kwargs)
        seen.append((args[3].clone(), args[4], args[12], found))
        seeds.append(args[5])
        return found

    monkeypatch.setattr(long_clips, "sample_clip", spied)
    monkeypatch.setattr(long_clips, "OVERLAP", overlap)
    clip = made(bridge.apply_adapter(base, adapter(base)), statistics="none")
    assert len(seen) == len(pieces(LONG, LEARNT, overlap)) > 2
    for latents, noise, piece, found in seen:
        known = clip[piece.frames][: piece.known]
        assert torch.equal(latents[: piece.known], known) and torch.equal(found[: piece.known], known)
        assert torch.equal(found[piece.made], clip[piece.new])
        assert len(noise) == len(latents) == LEARNT and (noise[1:] - noise[:-1]).abs().amax((1, 2, 3)).min() > 0.1
    assert len({float(noise[0].sum()) for _, noise, _, _ in seen}) == len(set(seeds)) == len(seen)


def test_masks_and_strengths_are_the_whole_clips(base):
    """In the second piece, too: frames under black stay the first, whose strength is 0 are as the image model's."""
    px, still = SIDE * 8, [2, 6, 7]
    mask = torch.ones(LONG, px, px)
    mask[still] = 0
    clip = made(bridge.apply_adapter(base, adapter(base)), motion_mask=mask)
    assert torch.equal(clip[still], FIRST["samples"].expand(3, -1, -1, -1))
    assert (clip[[1, 3, 4, 5, 8]] - FIRST["samples"]).abs().amax((1, 2, 3)).min() > 0.01
    free, on, off = (
        made(ApplyMotionAdapter.execute(base, adapter(base), 1.0, 0.0, 1.0, **how).args[0])
        for how in ({}, {"over_time": "1 " * LONG}, {"over_time": "1 " * LEARNT + "0 " * (LONG - LEARNT)})
    )
    assert torch.equal(on, free) and torch.equal(off[:LEARNT], free[:LEARNT]) and not torch.equal(off, free)
    with pytest.raises(ValueError, match="over_time, has 4 frames, the clip 9"):
        made(ApplyMotionAdapter.execute(base, adapter(base), 1.0, 0.0, 1.0, over_time="1 1 1 1").args[0])


@pytest.mark.parametrize("which", ["positive", "negative"])
def test_a_prompt_per_frame_goes_with_its_frame(base, which):
    moving = bridge.apply_adapter(base, adapter(base))
    words = COND[0][0][:1].repeat(LONG, 1, 1)
    same = made(moving, **{which: [[words, {}]]})
    assert torch.allclose(same, made(moving, **{which: [[words[:1], {}]]}), atol=1e-5)
    words[-1] = drawn(*words.shape[1:])
    other = made(moving, **{which: [[words, {}]]})
    assert torch.equal(other[: LONG - 2], same[: LONG - 2]) and (other[-1] - same[-1]).abs().max() > 1e-3


class Control:
    """As much of core's ControlNets as is cut."""

    def __init__(self, hint, before=None):
        self.cond_hint_original, self.previous_controlnet = hint, before

    def copy(self):
        return Control(self.cond_hint_original, self.previous_controlnet)


def test_a_controlnets_pictures_go_with_their_frames():
    hint, still = torch.arange(9.0).view(9, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    before = Control(10 + hint, Control(still))
    given = [[torch.zeros(1, 7, 8), {"control": Control(hint, before), "strength": 0.5, "five": torch.arange(5)}]]
    piece = Piece(6, 4, 1, 9)
    ((_, also),) = long_clips.of_piece(given, piece)
    assert also["control"].cond_hint_original.flatten().tolist() == [6, 7, 8, 8] and also["strength"] == 0.5
    assert also["control"].previous_controlnet.cond_hint_original.flatten().tolist() == [16, 17, 18, 18]
    assert torch.equal(also["control"].previous_controlnet.previous_controlnet.cond_hint_original, still)
    assert len(given[0][1]["control"].cond_hint_original) == 9
    assert torch.equal(also["five"], torch.arange(5)), "not one per frame, and not ours to cut"
    assert long_clips.of_piece(given, Piece(0, 9, 1, 9)) is given


def test_a_clip_to_refine_may_be_long_and_the_preview_counts_all_steps(base, monkeypatch):
    steps = []
    monkeypatch.setattr(long_clips, "clip_callback", lambda model, total: lambda i, *_: steps.append((i, total)))
    moving, clip = bridge.apply_adapter(base, adapter(base)), {"samples": 3 * drawn(LONG, 4, SIDE, SIDE)}
    refined = made(moving, clip=clip, denoise=0.5)
    assert torch.equal(refined[:1], FIRST["samples"]) and torch.isfinite(refined).all()
    assert not torch.equal(refined, made(moving))
    total = 2 * len(pieces(LONG, LEARNT, long_clips.OVERLAP))
    assert steps[:total] == [(i, total) for i in range(total)]


def test_models_of_no_stack_are_sampled_in_one_go():
    model = SimpleNamespace(get_attachment=lambda key: None, model_options={})
    assert long_clips.plan(model, 500) == [Piece(0, 500, 1, 500)]
