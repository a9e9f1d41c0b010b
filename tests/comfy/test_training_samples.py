"""A training that is watched: samples, their files, the diary, the curve, and that none of it changes a weight."""

import json
import math

import comfy.model_management
import folder_paths
import pytest
import torch
import unets
from classroom import CLIPS, Vae, frames, run, same
from few_shot_motion.host.training import curve, progress, samples
from few_shot_motion.training.loop import Run
from PIL import Image


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


@pytest.fixture
def shown(monkeypatch):
    """What progress shows: (value, total, whether a picture)."""
    seen = []
    bar = progress.comfy.utils.ProgressBar
    monkeypatch.setattr(bar, "update_absolute", lambda self, value, total=None, preview=None: seen.append(
        (value, total, preview and preview[1])))  # fmt: skip
    return seen


@pytest.mark.parametrize("method", ["LAMP", "Recurrent", "Tune-A-Video"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=["fp32", "fp16", "bf16"])
def test_samples_change_no_weight(dtype, precision, method, output_folder):
    words = {"vae": Vae(), "method": method, "precision": precision}
    plain, losses = run(unets.sd_model(unets.NANO, dtype=dtype), **words)
    watched, same_losses = run(unets.sd_model(unets.NANO, dtype=dtype), **words, name="seen", sample_every=2)
    assert same_losses == losses and same(watched.tensors, plain.tensors)
    files = sorted((output_folder / "seen").iterdir())
    assert [file.name for file in files] == ["losses.csv", "settings.json", *(
        f"step_{step:06}.webp" for step in (2, 4, 6))]  # fmt: skip
    with Image.open(files[-1]) as clip:
        assert clip.n_frames == 4 and clip.size == (48, 64)


def test_a_lora_in_the_model_survives_the_samples():
    def changed():
        model = unets.sd_model(unets.NANO).clone()
        model.add_patches({"diffusion_model.out.2.weight": ("diff", (torch.ones(4, 32, 3, 3) / 99,))}, 1.0)
        return model

    plain = run(changed(), vae=Vae())[0]
    assert same(run(changed(), vae=Vae(), name="seen", sample_every=1)[0].tensors, plain.tensors)


def test_samples_begin_with_the_first_frame_and_follow_what_is_learnt(output_folder):
    run(unets.sd_model(unets.NANO), vae=Vae(), sample_every=3, learning_rate=0.1, name="seen")
    first, last = (frames(output_folder / "seen" / f"step_{step:06}.webp") for step in (3, 6))
    expected = Vae().decode(Vae().encode(CLIPS[0][:1]))
    assert (first[0] - expected[0]).abs().mean() < 0.05 and (last[0] - expected[0]).abs().mean() < 0.05
    assert (first[1:] - last[1:]).abs().mean() > 0.01


def test_samples_take_their_noise_from_no_generator_but_their_own(output_folder):
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        run(unets.sd_model(unets.NANO), vae=Vae(), steps=2, sample_every=1, name=f"seen_{seed}")
        assert torch.equal(torch.get_rng_state(), before)
    one, other = (frames(output_folder / f"seen_{seed}" / "step_000002.webp") for seed in (1, 2))
    assert torch.equal(one, other)


def test_a_given_picture_and_prompt_are_sampled(output_folder):
    from few_shot_motion.host.training import lesson_plan, settings

    material = type("Material", (), {})()
    material.size = (48, 64)
    material.clips = type("Clips", (), {"latents": [torch.zeros(4, 4, 8, 6)], "masks": None})()
    given = {"sample_image": torch.ones(2, 128, 96, 3), "sample_positive": ["words"], "sample_every": 5}
    asked = lesson_plan._sampling(Vae(), material, [["caption"]], given)
    assert asked.every == 5 and asked.positive == ["words"] and asked.first.shape == (1, 4, 8, 6)
    assert asked.first.mean() > 4 and settings
    assert lesson_plan._sampling(Vae(), material, [["caption"]], {}).positive == ["caption"]


def test_a_sample_that_fails_ends_nothing_and_is_said_once(caplog, monkeypatch):
    plain = run(unets.sd_model(unets.NANO), vae=Vae())[0]
    monkeypatch.setattr(samples.Samples, "_pictures", lambda self: 1 / 0)
    adapter = run(unets.sd_model(unets.NANO), vae=Vae(), sample_every=1, name="seen")[0]
    assert same(adapter.tensors, plain.tensors)
    assert sum("goes on without samples" in record.message for record in caplog.records) == 1


def test_cancel_in_a_sample_is_cancel(monkeypatch, output_folder):
    def cancelled(self):
        raise comfy.model_management.InterruptProcessingException

    monkeypatch.setattr(samples.Samples, "_pictures", cancelled)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(unets.sd_model(unets.NANO), vae=Vae(), sample_every=2, name="seen")
    assert (output_folder / "seen_2_steps.safetensors").exists()


def test_a_resumed_run_with_samples_scale_and_schedule_is_the_unbroken_one(monkeypatch):
    changes = {"precision": "fp16", "lr_schedule": "warm-up, linear decay", "sample_every": 2, "vae": Vae()}
    whole, losses = run(unets.sd_model(unets.NANO), name="whole", **changes)
    taken = samples.Samples.take

    def cancelled(self, step):
        if step == 4:
            raise comfy.model_management.InterruptProcessingException
        return taken(self, step)

    monkeypatch.setattr(samples.Samples, "take", cancelled)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(unets.sd_model(unets.NANO), name="cut", **changes)
    monkeypatch.setattr(samples.Samples, "take", taken)
    again, all_losses = run(unets.sd_model(unets.NANO), name="cut", resume=True, **changes)
    assert all_losses == losses and same(again.tensors, whole.tensors)


def test_something_is_shown_from_the_first_second(shown):
    run(unets.sd_model(unets.NANO), steps=3)
    assert [entry[:2] for entry in shown[:3]] == [(0, 2), (1, 2), (2, 2)]  # clips read
    assert all(isinstance(entry[2], Image.Image) for entry in shown[:5])
    assert [entry[0] for entry in shown[-3:]] == [1, 2, 3] and shown[-3][2] and shown[-1][2]


def test_the_diary_has_every_loss_and_the_settings(output_folder):
    losses = run(unets.sd_model(unets.NANO), name="kept")[1]["loss"]
    rows = (output_folder / "kept" / "losses.csv").read_text().splitlines()
    assert rows[0] == "step,loss,running_mean" and len(rows) == 7
    assert [float(row.split(",")[1]) for row in rows[1:]] == pytest.approx(losses, rel=1e-4)
    settings = json.loads((output_folder / "kept" / "settings.json").read_text())
    assert settings["steps_done"] == 6 and settings["method"] == "LAMP" and settings["notes"]


def test_the_curve_is_smooth_and_has_gaps_where_steps_were_skipped():
    losses = [1.0 + (i % 2) for i in range(100)]
    smooth = curve.smoothed(losses)
    assert len(smooth) == 100 and max(abs(value - 1.5) for value in smooth[10:]) < 0.2
    holes = [math.nan, math.nan, 2.0, math.nan, 4.0]
    assert [str(value) for value in curve.smoothed(holes)] == ["nan", "nan", "2.0", "2.0", "3.0"]
    for some in ([math.nan], [1.0], holes, losses, [0.0] * 5):
        assert curve.loss_curve(some, "step 1 of 2").size == (480, 240)


@pytest.mark.parametrize(
    "seconds, words", [(0.2, "1 s"), (89, "89 s"), (100, "2 min"), (5399, "1 h 30 min"), (8000, "2 h 14 min")]
)
def test_time_left_in_words(seconds, words):
    assert progress.duration(seconds) == words


def test_time_left_is_that_of_the_steps_still_to_do(monkeypatch):
    clock, words = iter([0.0, 100.0, 160.0]), []
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(progress, "loss_curve", lambda losses, said: words.append((losses, said)))
    watched = progress.Progress(torch.device("cpu"))
    watched.learning_begins(4)  # kept from before: their time is not this run's
    losses = [0.5] * 9 + [math.nan]
    watched.picture(Run({}, torch.optim.SGD([torch.zeros(1)]), losses), 40)
    assert words == [(losses, "step 10 of 40, 10 s a step, 5 min left, 1 skipped")]
