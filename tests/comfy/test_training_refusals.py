"""Trainings that cannot be: one sentence each, before the first step."""

import folder_paths
import pytest
import unets
from classroom import CLIPS, run


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"frames": 6}, "Clip 1 has 5 frames, 6 are needed"),
        ({"clips": [CLIPS[0], CLIPS[1][:, :32]]}, "different sizes .48x32, 48x64.: set width and height"),
        ({"clips": [CLIPS[0], CLIPS[1] * float("nan")]}, "Number 2 of what comes in at clips holds values that are no"),
        ({"clips": []}, "Nothing comes in at clips: connect a list"),
        ({"clips": [*CLIPS, CLIPS[0]]}, "3 clips and 2 captions"),
    ],
)
def test_what_cannot_be_learnt_from(wrong, message, output_folder):
    with pytest.raises(ValueError, match=message):
        run(**wrong)
    assert not output_folder.exists()


def test_a_folder_that_cannot_be_written_to(output_folder):
    output_folder.parent.mkdir(exist_ok=True)
    output_folder.write_text("a file in the folder's place")
    with pytest.raises(ValueError, match="kept.resume.safetensors.check could not be written"):
        run(name="kept", save_every=1)


@pytest.mark.parametrize("name", ["../outside", "/outside", ""])
def test_names_that_lead_out_of_the_folder(name):
    with pytest.raises(ValueError, match="is no name for a run"):
        run(name=name)


def test_a_model_that_cannot_be_loaded_twice():
    model = unets.sd_model(unets.TINY)
    model.cached_patcher_init = None
    with pytest.raises(ValueError, match="cannot be loaded a second time"):
        run(model)
