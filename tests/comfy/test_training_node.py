"""Train Motion LoRA inside the executor's inference mode: learning, cancelling, resuming, refusing."""

import comfy.model_management
import comfy.sample
import folder_paths
import pytest
import torch
import unets
from classroom import run, same
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.training import lesson
from few_shot_motion.host.training import run as training_run
from few_shot_motion.host.training.settings import METHODS
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.training.loss import lamp_loss, video_loss
from safetensors import safe_open


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


@pytest.fixture
def cancel_at(monkeypatch):
    """cancel_at(step): press Cancel while that step is computed."""
    original = training_run.train

    def arrange(step: int) -> None:
        def cancelled(*arguments, **settings):
            for done in original(*arguments, **settings):
                if done.step == step:
                    comfy.model_management.interrupt_current_processing(True)
                yield done

        monkeypatch.setattr(training_run, "train", cancelled)

    yield arrange
    comfy.model_management.interrupt_current_processing(False)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rank": 3, "batch_size": 2},
        {"gradient_checkpointing": True, "flip": True, "group_norm": "per frame"},
        {"precision": "bf16", "weighting": "balanced", "width": 32, "height": 32},
    ],
)
def test_it_learns_and_leaves_the_model_alone(changes):
    model = unets.sd_model(unets.TINY)
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    adapter, losses = run(model, **changes)
    assert len(losses["loss"]) == 6 and all(0 < loss < 10 for loss in losses["loss"])
    assert any(value.abs().max() > 0 for name, value in adapter.tensors.items() if "conv1d" in name)
    assert same(model.model.state_dict(), before)
    assert adapter.metadata["base"] == "Stable Diffusion 1.x" and adapter.metadata["steps"] == "6"
    bridge.apply_adapter(model, adapter)


@pytest.mark.parametrize("method, recurrence, convolutions",
                         [("Tune-A-Video", "fixed", False), ("Recurrent", "fixed", False),
                                                              ("Recurrent", "fixed", True),
                          ("Recurrent", "paper", False)])  # fmt: skip
@pytest.mark.parametrize("rank", [0, 3])
def test_methods_without_a_first_frame(method, recurrence, convolutions, rank):
    """They learn, their file is an adapter of that method, and a memory's form stays with it."""
    model = unets.sd_model(unets.TINY)
    adapter, losses = run(
        model, method=method, recurrence=recurrence, motion_convolutions=convolutions, rank=rank, steps=3
    )
    assert all(0 < loss < 10 for loss in losses["loss"])
    assert adapter.method == method.lower() and adapter.recurrence == (recurrence if method == "Recurrent" else "")
    touched = {part for part in ("attn1.to_q", "attn2.to_q", "memory_", "attn_temp.to_out",
                                 "conv1d") for name in adapter.tensors
               if part in name and ".down." not in name and adapter.tensors[name].abs().max() > 1e-4}  # fmt: skip
    assert touched >= {"attn1.to_q", "attn2.to_q", "attn_temp.to_out"} and ("memory_" in touched) == (
        method == "Recurrent"
    )
    assert ("conv1d" in touched) == convolutions == ("with motion convolutions" in adapter.describe())
    again = load_adapter(
        save_adapter(adapter, training_run.Keeper("a", 0, False).file.with_name("a.safetensors")), None
    )
    assert (again.method, again.recurrence) == (adapter.method, adapter.recurrence)
    bridge.apply_adapter(model, again)


def sampled(model, positive) -> torch.Tensor:
    """A short clip from noise, frame by frame the same for every model."""
    noise = torch.randn(4, 4, 8, 6, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        return comfy.sample.sample(
            model, noise, 2, 2.0, "euler", "normal", positive, positive, torch.zeros_like(noise), disable_pbar=True
        )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", ["SD 2.x", "SDXL"])
def test_every_family_learns(family, method):
    """Linear projections, heads 64 wide, two blocks in a transformer, v, pooled text: every site learns, and what is
    learnt moves a clip.
    """
    model, captions = unets.family_model(family), [unets.prompt(family, seed) for seed in range(2)]
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    adapter, losses = run(model, captions=captions, method=method, motion_convolutions=True, steps=3, batch_size=2)
    assert all(0 < loss < 10 for loss in losses["loss"]) and adapter.metadata["base"] == bridge.family(model)
    sites = bridge.sites_of(model, adapter.method)
    zero_when_fresh = (f"{site.path}.{'attn_temp.to_out.0' if site.is_block else 'conv1d'}.weight" for site in sites)
    assert min(adapter.tensors[name].abs().max() for name in zero_when_fresh) > 1e-4
    assert same(model.model.state_dict(), before)
    plain, moved = (sampled(there, captions[0]) for there in (model, bridge.apply_adapter(model, adapter)))
    assert torch.isfinite(moved).all() and (moved - plain).abs().max() > 1e-3


def test_pooled_text_and_size_reach_sdxl():
    """The label embedding counts: another pooled text, or another target size, is another loss."""

    def first_loss(**changes) -> float:
        text, pooled = unets.prompt("SDXL")[0]
        return run(
            unets.family_model("SDXL"), captions=[[[text, {**pooled, **changes}]]], method="Tune-A-Video", steps=1
        )[1]["loss"][0]

    plain = first_loss()
    assert first_loss() == plain
    assert all(
        abs(first_loss(**changes) / plain - 1) > 1e-4
        for changes in ({"pooled_output": torch.zeros(1, 32)}, {"width": 1024})
    )


def test_the_official_memory_stays_dead():
    adapter, _ = run(method="Recurrent", recurrence="official", steps=3)
    assert all(torch.count_nonzero(value) == 0 for name, value in adapter.tensors.items() if "memory_" in name)


def test_the_first_frame_is_noised_but_for_lamp(monkeypatch):
    """LAMP's frame 0 is a condition and no gradient comes from it; the others learn it like any frame."""
    counted = {}
    for method in ("LAMP", "Recurrent"):
        monkeypatch.setattr(lesson, "lamp_loss", lambda *a, **b: counted.setdefault("lamp", lamp_loss(*a, **b)))
        monkeypatch.setattr(lesson, "video_loss", lambda *a, **b: counted.setdefault("video", video_loss(*a, **b)))
        run(method=method, steps=1)
    assert set(counted) == {"lamp", "video"} and counted["lamp"].item() != counted["video"].item()


def test_a_decaying_rate_resumes_bit_for_bit(cancel_at):
    changes = {"method": "Recurrent", "lr_schedule": "warm-up, linear decay"}
    whole, losses = run(**changes)
    assert losses["loss"] != run(method="Recurrent")[1]["loss"]
    cancel_at(3)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(name="cut", **changes)
    cancel_at(-1)
    resumed, again = run(name="cut", resume=True, **changes)
    assert again == losses and same(resumed.tensors, whole.tensors)


def test_the_loss_goes_down():
    losses = run(steps=60, learning_rate=3e-3)[1]["loss"]
    assert sum(losses[-20:]) < 0.9 * sum(losses[:20])


@pytest.mark.parametrize("asked, room, used", [(True, True, False), (True, False, True), (False, False, False)])
def test_checkpointing_is_used_where_it_is_allowed_and_there_is_no_room_without(monkeypatch, asked, room, used):
    told, attach = [], lesson.training_host.attach
    monkeypatch.setattr(lesson, "has_room", lambda *_: room)
    monkeypatch.setattr(
        lesson.training_host, "attach", lambda *given: told.append(given[3]) or attach(*given)
    )  # fmt: skip
    run(steps=1, gradient_checkpointing=asked)
    assert told == [used]


def test_checkpointing_changes_nothing_but_memory(monkeypatch):
    monkeypatch.setattr(lesson, "has_room", lambda *_: False)
    plain, saving = (run(gradient_checkpointing=saving)[1]["loss"] for saving in (False, True))
    assert plain == pytest.approx(saving, rel=1e-5)


def test_cancel_keeps_what_is_learnt_and_resuming_goes_on_bit_for_bit(output_folder, cancel_at):
    whole, losses = run()
    cancel_at(3)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(name="cut")
    assert sorted(file.name for file in output_folder.iterdir()) == [
        "cut",
        "cut.resume.safetensors",
        "cut_3_steps.safetensors",
        "run",
    ]
    assert sorted(file.name for file in (output_folder / "cut").iterdir()) == ["losses.csv", "settings.json"]
    kept = load_adapter(output_folder / "cut_3_steps.safetensors", None)
    assert kept.metadata["steps"] == "3"
    cancel_at(-1)
    resumed, all_losses = run(name="cut", resume=True)
    assert all_losses["loss"] == losses["loss"]
    assert same(resumed.tensors, whole.tensors)


def test_a_run_is_kept_every_so_many_steps(output_folder):
    run(name="kept", save_every=2)
    with safe_open(output_folder / "kept.resume.safetensors", "pt") as kept:
        assert len(kept.get_tensor("losses")) == 6
    assert (output_folder / "kept_4_steps.safetensors").exists()


def test_a_run_of_other_settings_is_not_resumed(output_folder):
    run(name="kept", save_every=6)
    with pytest.raises(ValueError, match="The run kept as kept had other settings"):
        run(name="kept", resume=True, learning_rate=1e-4)
    assert len(run(name="kept", resume=True, steps=8)[1]["loss"]) == 8  # more steps are the same run
