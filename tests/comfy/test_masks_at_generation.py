"""What learnt from masks, at generation: split layers, the conditioned baseline, the mask predictor."""

import folder_paths
import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.nodes import masks, motion, sampling
from masked_training import CAPTIONS, FRAMES, run


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


@pytest.fixture(scope="module")
def split_adapter(tmp_path_factory):
    """A split adapter with weights that do something."""
    model = unets.sd_model(unets.TINY)
    module = MotionModule(bridge.sites_of(model), split=True)
    return MotionAdapter("lamp", unets.random_weights(module, 3))


def predicted(adapter, strength=1.0, mask=None, frames=FRAMES, clips=1):
    model = bridge.apply_adapter(unets.sd_model(unets.TINY), adapter, strength, mask=mask)
    unets.load(model)
    latents = torch.randn(clips, frames, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    text = torch.randn(clips, 9, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return unets.eps_of(model, latents, torch.full((clips,), 500.0), text)


def test_a_users_mask_overrides_the_split(split_adapter):
    mask = torch.zeros(1, 64, 64)
    mask[:, :32] = 1
    free, given, everywhere = (
        predicted(split_adapter),
        predicted(split_adapter, mask=mask),
        predicted(split_adapter, mask=mask * 0 + 1),
    )
    assert not torch.allclose(free, given, atol=1e-3) and not torch.allclose(given, everywhere, atol=1e-3)
    assert torch.allclose(predicted(split_adapter, mask=mask.repeat(FRAMES, 1, 1)), given, atol=1e-5)
    assert torch.allclose(predicted(split_adapter, mask=mask, clips=2)[0], given[0], atol=1e-4)


def test_equal_parts_are_one(split_adapter):
    tensors = {name: value for name, value in split_adapter.tensors.items()}
    for name in list(tensors):
        if ".conv1d_background." in name:
            tensors[name] = tensors[name.replace("conv1d_background", "conv1d")]
    both = MotionAdapter("lamp", tensors)
    half = torch.full((1, 8, 8), 0.3)
    assert torch.allclose(predicted(both), predicted(both, mask=half), atol=1e-4)  # g_f + g_b = 1 wherever


@pytest.mark.parametrize("frames", [2, 3])
def test_a_mask_of_other_frames_is_refused(split_adapter, frames):
    with pytest.raises(ValueError, match=f"The mask has {frames} frames, the clip {FRAMES}"):
        predicted(split_adapter, mask=torch.ones(frames, 8, 8))


def test_a_mask_of_another_shape_is_refused_before_anything_is_sampled(split_adapter):
    model, first = unets.sd_model(unets.TINY), {"samples": torch.randn(1, 4, 8, 8)}
    patched = motion.ApplyMotionAdapter.execute(model, split_adapter, 1.0, 0.0, 1.0, torch.ones(1, 64, 32)).args[0]
    with pytest.raises(ValueError, match="The masks are 32x64, which is not the shape of a clip of 8x8: give masks"):
        sampling.FirstFrameKSampler.execute(
            patched, CAPTIONS[0], CAPTIONS[1], first, FRAMES, 1, 2, 2.0, "euler", "normal", "none"
        )


def test_the_baseline_wants_its_mask_and_keeps_the_raw_first_frame():
    adapter = run(mask_input="conditioned", steps=2, learning_rate=0.05)[0]
    model, first = unets.sd_model(unets.TINY), {"samples": torch.randn(1, 4, 8, 8)}
    with pytest.raises(AdapterError, match="none is given: connect a mask"):
        motion.ApplyMotionAdapter.execute(model, adapter, 1.0, 0.0, 1.0)
    clips = []
    for mask in (torch.zeros(1, 64, 64), torch.ones(1, 64, 64)):
        patched = motion.ApplyMotionAdapter.execute(model, adapter, 1.0, 0.0, 1.0, mask).args[0]
        with torch.inference_mode():
            clip = sampling.FirstFrameKSampler.execute(
                patched, CAPTIONS[0], CAPTIONS[1], first, FRAMES, 1, 2, 2.0, "euler", "normal", "none"
            ).args[0]
        clips.append(clip["samples"])
    assert all(torch.equal(clip[:1], first["samples"]) for clip in clips)
    assert not torch.allclose(clips[0][1:], clips[1][1:], atol=1e-3)


def test_a_mask_for_an_adapter_that_has_no_use_for_it():
    adapter = run(steps=1)[0]
    with pytest.raises(AdapterError, match="does not tell subject from background"):
        bridge.apply_adapter(unets.sd_model(unets.TINY), adapter, mask=torch.ones(1, 8, 8))


@pytest.mark.parametrize("changes", [{"given": []}, {"mask_input": "noise"}, {"mask_input": "conditioned"}])
def test_no_predictor_no_masks(changes):
    adapter, _, predictor = run(steps=1, **changes)
    for source in (adapter, predictor):
        with pytest.raises(ValueError, match="There is no mask predictor in what is connected"):
            masks.PredictMask.execute(source, {"samples": torch.zeros(2, 4, 8, 8)}, "latent")


def test_latents_of_another_model_are_refused():
    predictor = run(steps=1)[2]
    with pytest.raises(
        ValueError, match=r"latents of the shape \(2, 16, 8, 8\), this mask predictor's have 4 channels"
    ):
        masks.PredictMask.execute(predictor, {"samples": torch.zeros(2, 16, 8, 8)}, "latent")
    assert masks.PredictMask.execute(predictor, {"samples": torch.zeros(1, 4, 3, 8, 8)}, "picture").args[0].shape == (
        3,
        64,
        64,
    )
