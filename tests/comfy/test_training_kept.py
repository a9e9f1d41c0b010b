"""Whatever ends a training keeps what was learnt, and what could not be kept is told before the first step."""

import shutil
from itertools import pairwise

import comfy.model_management
import folder_paths
import pytest
import torch
import unets
from classroom import run, same
from few_shot_motion.host.training import kept_run
from few_shot_motion.host.training import run as training_run
from few_shot_motion.motion_modules.adapter import AdapterError
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.nodes.motion import LoadMotionAdapter


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


@pytest.fixture
def ends(monkeypatch):
    """ends(step, error): that error is raised while step `step` + 1 is computed."""
    original = training_run.train

    def arrange(step: int, error: BaseException | None = None) -> None:
        def broken(state, loss_at, *arguments, **settings):
            def at(number, generator):
                if error is not None and number == step:
                    raise error
                return loss_at(number, generator)

            return original(state, at, *arguments, **settings)

        monkeypatch.setattr(training_run, "train", broken)

    return arrange


def learnt(resume: bool = False, **changes):
    return run(unets.sd_model(unets.NANO), name="kept", resume=resume, **{"save_every": 2, "steps": 2, **changes})


ERRORS = {
    "out of memory": torch.OutOfMemoryError("CUDA out of memory"),
    "any error": RuntimeError("something broke"),
    "Cancel": comfy.model_management.InterruptProcessingException(),
    "Ctrl+C": KeyboardInterrupt(),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_whatever_ends_a_run_keeps_what_was_learnt(kind, ends, output_folder):
    whole, losses = learnt(steps=6, save_every=0)
    ends(4, ERRORS[kind])
    with pytest.raises(type(ERRORS[kind])):
        learnt(steps=6, save_every=0)
    kept = load_adapter(output_folder / "kept_4_steps.safetensors", None)
    assert kept.metadata["steps"] == "4"
    ends(0)
    resumed, again = learnt(True, steps=6, save_every=0)
    assert again == losses and same(resumed.tensors, whole.tensors)


def test_an_error_before_the_first_step_keeps_nothing(ends, output_folder):
    ends(0, RuntimeError("something broke"))
    with pytest.raises(RuntimeError):
        learnt()
    assert list(output_folder.iterdir()) == []


@pytest.fixture
def full(monkeypatch):
    """full(folder): writing there fails from now on, as on a full disk."""
    original = kept_run.write_whole

    def arrange(folder) -> None:
        def write(file, writes):
            if folder in file.parents:
                raise AdapterError(f"{file.name} could not be written to {file.parent} (no space left): free some.")
            original(file, writes)

        monkeypatch.setattr(kept_run, "write_whole", write)
        monkeypatch.setattr(kept_run, "save_adapter", lambda adapter, file: write(file, lambda part: part.touch()))

    return arrange


def test_a_periodic_save_that_fails_warns_and_the_run_goes_on(full, output_folder, monkeypatch, caplog):
    whole, losses = learnt(steps=6)
    check = kept_run.Keeper.check
    monkeypatch.setattr(kept_run.Keeper, "check", lambda self, count: (check(self, count), full(output_folder)))
    again, same_losses = learnt(steps=6)
    assert same_losses == losses and same(again.tensors, whole.tensors)
    assert sum("The training goes on, but step" in record.message for record in caplog.records) == 3


def test_a_full_disk_at_cancel_falls_back_to_another_folder(full, ends, output_folder, tmp_path, monkeypatch):
    other = tmp_path / "models"
    monkeypatch.setitem(
        folder_paths.folder_names_and_paths, "motion_adapters", ([str(other), str(output_folder)], set())
    )
    check = kept_run.Keeper.check
    monkeypatch.setattr(kept_run.Keeper, "check", lambda self, count: (check(self, count), full(output_folder)))
    ends(4, comfy.model_management.InterruptProcessingException())
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        learnt(steps=6, save_every=0)
    assert sorted(file.name for file in other.iterdir()) == ["kept.resume.safetensors", "kept_4_steps.safetensors"]


def test_a_disk_without_room_is_told_before_the_first_step(monkeypatch, ends):
    ends(0, AssertionError("a step was taken"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10_000}))
    with pytest.raises(ValueError, match=r"Keeping this run takes 0\.\d\d GiB, .* has 0.00 GiB free: free some space"):
        learnt()


@pytest.mark.parametrize("name", ["x" * 240, "ä" * 120, "a\0b"])
def test_a_name_no_file_can_have_is_told_before_the_first_step(name, ends, output_folder):
    ends(0, AssertionError("a step was taken"))
    with pytest.raises(ValueError, match="is no name for a run in .*: use letters and digits"):
        run(unets.sd_model(unets.NANO), name=name)
    assert not output_folder.exists()


def test_a_name_of_the_greatest_length_can_be_kept():
    run(unets.sd_model(unets.NANO), name="x" * 180, save_every=1, steps=1)


def test_the_loader_lists_a_runs_steps_in_their_order(output_folder, monkeypatch):
    output_folder.mkdir()
    known = ([str(output_folder)], set(folder_paths.supported_pt_extensions))
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "motion_adapters", known)
    folder_paths.filename_list_cache.clear()
    learnt(steps=11, save_every=3, sample_every=3)
    names = [f"kept_{steps}_steps.safetensors" for steps in (3, 6, 9, 11)]
    listed = next(part for part in LoadMotionAdapter.define_schema().inputs if part.id == "adapter").options
    assert listed == names  # neither samples nor what only resuming needs
    steps = [LoadMotionAdapter.execute(unets.sd_model(unets.NANO), name, 1.0).args[1] for name in names]
    assert [adapter.metadata["steps"] for adapter in steps] == ["3", "6", "9", "11"]
    assert not any(same(a.tensors, b.tensors) for a, b in pairwise(steps))
    folder_paths.filename_list_cache.clear()
