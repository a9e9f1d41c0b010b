"""Masks beside the clips of Train Motion LoRA, and what learnt from them at generation."""

import comfy.model_sampling
import folder_paths
import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.training import lesson
from few_shot_motion.host.training import run as training_run
from few_shot_motion.host.training.footage import Footage
from few_shot_motion.host.training.masks import prepare
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.mask_predictor import resize_masks
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.nodes import masks
from few_shot_motion.training.mask_loss import MaskSettings, predictor_input
from masked_training import CLIPS, MASKS, MeanVae, run, same, subject


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


@pytest.mark.parametrize("prediction", ["EPS", "V_PREDICTION"])
def test_denoised_is_the_papers_x0_hat(prediction):
    """x0 = (x_t - sqrt(1 - ab) eps) / sqrt(ab), or sqrt(ab) x_t - sqrt(1 - ab) v: what ComfyUI gives as denoised, and
    its noise.
    """
    kind = type("Kind", (comfy.model_sampling.ModelSamplingDiscrete, getattr(comfy.model_sampling, prediction)), {})()
    torch.manual_seed(0)
    z, eps, said, step = torch.randn(1, 3, 4, 5, 5), torch.randn(1, 3, 4, 5, 5), torch.randn(3, 4, 5, 5), 600
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    abar = float(torch.cumprod(1 - betas, 0)[step])
    x_t = abar**0.5 * z + (1 - abar) ** 0.5 * eps
    sigma = kind.sigmas[step : step + 1]
    x = z + sigma * eps
    assert torch.allclose(kind.calculate_input(sigma.expand(3, 1, 1, 1), x[0]), x_t[0], atol=1e-4)
    denoised = kind.calculate_denoised(sigma.view(1, 1, 1, 1), said, x[0])[None]
    noise = said if prediction == "EPS" else abar**0.5 * said + (1 - abar) ** 0.5 * x_t[0]
    x0_hat = (x_t - (1 - abar) ** 0.5 * noise) / abar**0.5
    assert torch.allclose(predictor_input("x0", x, denoised, sigma), x0_hat, atol=1e-3)
    assert torch.allclose(predictor_input("noise", x, denoised, sigma), noise, atol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mask_input": "noise", "batch_size": 2, "flip": True},
        {"mask_input": "conditioned"},
        {"split": True, "rank": 3, "mask_targets": "soft", "mask_weighting": "falling"},
        {"split": True, "gradient_checkpointing": True, "width": 32, "height": 32},
    ],
)
def test_it_learns_from_masks_and_keeps_it_in_the_adapter(changes, tmp_path):
    adapter, losses, predictor = run(**changes)
    kind = changes.get("mask_input", "x0")
    assert len(losses["loss"]) == 6 and all(0 < loss < 20 for loss in losses["loss"])
    assert (predictor is not None) == (kind == "x0") and adapter.metadata["mask_input"] == kind
    assert adapter.split == changes.get("split", False)
    again = load_adapter(save_adapter(adapter, tmp_path / "a.safetensors", torch.float32), None)
    assert same(again.mask_tensors, adapter.mask_tensors) and same(again.tensors, adapter.tensors)
    mask = subject(0)[:1] if kind == "conditioned" else None
    bridge.apply_adapter(unets.sd_model(unets.TINY), again, mask=mask)


def test_masks_of_weight_nothing_change_nothing():
    without, nothing, some = (
        run(given=given, mask_weight=alpha, steps=3)[1]["loss"] for given, alpha in (([], 1), (MASKS, 0), (MASKS, 1))
    )
    assert nothing == pytest.approx(without, rel=1e-5)
    assert min(b - a for a, b in zip(without, some, strict=True)) > 0.01


def test_the_masks_error_alone_reaches_motion_layers_and_queries(monkeypatch):
    """With the noise loss taken out, and then with alpha 0 too."""
    monkeypatch.setattr(
        lesson,
        "lamp_loss",
        lambda model, x0, eps, sigma, *_, focus: 0 * model(x0 + sigma.view(-1, 1, 1, 1, 1) * eps, sigma).sum(),
    )
    # AdamW moves whatever has a gradient by the whole rate; it decays whatever is not zero, and these start at zero
    fed = run(mask_weighting="constant", query_rate=1.0)[0].tensors
    starved = run(mask_weight=0.0, query_rate=1.0)[0].tensors
    for part in (".conv1d.weight", ".attn1.to_q.delta.weight", ".attn_temp.to_out.0.weight"):
        assert all(value.any() for name, value in fed.items() if name.endswith(part)), part
        assert not any(value.any() for name, value in starved.items() if name.endswith(part)), part


def test_the_predictor_finds_the_subject():
    """The middle one of three trainings: where one ends hangs on the last bits of a machine's sums."""
    shares = []
    for seed in range(1, 4):
        adapter, _, predictor = run(steps=100, frames=2, learning_rate=3e-3, mask_weighting="constant", seed=seed)
        found = masks.PredictMask.execute(predictor, {"samples": MeanVae().encode(CLIPS[0])}, "picture").args[0]
        assert found.shape == MASKS[0].shape and 0 <= found.min() and found.max() <= 1
        both, either = ((found > 0.5) & (MASKS[0] > 0.5)).sum(), ((found > 0.5) | (MASKS[0] > 0.5)).sum()
        shares.append(both / either)
    assert sorted(shares)[1] > 0.7
    small = masks.PredictMask.execute(adapter, {"samples": MeanVae().encode(CLIPS[0])}, "latent").args[0]
    assert small.shape == (5, 8, 6)


@pytest.mark.parametrize("changes", [{"split": True, "mask_weighting": "rising"}, {"mask_input": "conditioned"}])
def test_resuming_goes_on_bit_for_bit(changes, output_folder, monkeypatch):
    whole = run(**changes)[0]
    original = training_run.train

    def cut(*arguments, **settings):
        for done in original(*arguments, **settings):
            yield done
            if done.step == 4:
                return

    monkeypatch.setattr(training_run, "train", cut)
    run(name="cut", save_every=4, **changes)
    monkeypatch.setattr(training_run, "train", original)
    resumed = run(name="cut", resume=True, **changes)[0]
    assert same(resumed.tensors, whole.tensors) and same(resumed.mask_tensors, whole.mask_tensors)


def test_a_scheduled_weight_is_not_resumed_with_other_steps():
    run(name="kept", save_every=6, mask_weighting="falling")
    with pytest.raises(ValueError, match="The run kept as kept had other settings"):
        run(name="kept", resume=True, steps=8, mask_weighting="falling")


def test_checkpointing_changes_nothing_but_memory(monkeypatch):
    monkeypatch.setattr(lesson, "has_room", lambda *_: False)
    plain, saving = (run(split=True, steps=2, gradient_checkpointing=saving)[1]["loss"] for saving in (False, True))
    assert plain == pytest.approx(saving, rel=1e-5)


def test_masks_follow_their_clips_through_size_step_and_cells():
    """A clip drawn like its own mask: whatever is done to one is done to the other."""
    clip = MASKS[0][..., None].repeat(1, 1, 1, 3)

    def prepared(mask, clip, step=1, size=(0, 0)):
        footage = Footage(clip, 1, step, 0.0, size)
        pictures = torch.cat(list(footage.chunks()))
        return prepare([mask], [footage], MaskSettings())[0][0], pictures

    for step, width, height in ((1, 0, 0), (2, 40, 40), (1, 24, 48)):
        mask, pictures = prepared(MASKS[0], clip, step, (width, height))
        small = resize_masks(pictures[..., 0], pictures.shape[1] // 8, pictures.shape[2] // 8)
        assert torch.allclose(mask, small, atol=1e-6)
    half = torch.nn.functional.interpolate(MASKS[0][:, None], scale_factor=0.5)[:, 0]
    assert torch.equal(prepared(half, clip)[0], prepared(MASKS[0], clip)[0])
    odd, odd_clip = MASKS[0][:, 3:, :45], clip[:, 3:, :45]  # 61x45, of which a VAE encodes 56x40
    assert torch.equal(prepared(odd, odd_clip)[0], resize_masks(MASKS[0][:, 5:61, 2:42], 7, 5))


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"given": MASKS[:1]}, "There are 2 clips and 1 masks"),
        ({"given": [MASKS[0], MASKS[1][:4]]}, "Clip 2 has 5 frames, its masks are 4"),
        ({"given": [MASKS[0], MASKS[1][:, :32]]}, "The masks of clip 2 are 48x32, which is not the shape of a clip"),
        ({"given": [MASKS[0], MASKS[1] * 2]}, "Number 2 of what comes in at masks holds values outside 0 to 1"),
        ({"given": [], "split": True}, "Split layers learn what the subject is from masks"),
    ],
)
def test_what_cannot_be_learnt_from(wrong, message, output_folder):
    with pytest.raises(ValueError, match=message):
        run(**wrong)
    assert not output_folder.exists()


def test_empty_and_full_masks_are_warned_of(caplog):
    run(given=[MASKS[0] * 0, MASKS[1] * 0 + 1], steps=1)
    said = [record.message for record in caplog.records if record.levelname == "WARNING" and "masks" in record.message]
    assert len(said) == 2 and "clip 1 are empty" in said[0] and "clip 2 are full" in said[1]


# ------------------------------------------------------------------------------------------------ at generation
