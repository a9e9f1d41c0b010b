"""Files of every kind with one thing wrong in them: read, or refused in a sentence; the whole ones are read."""

import re

import folder_paths
import pytest
import torch
from comfy_api.latest import InputImpl
from few_shot_motion.host.files.video_file import components_of
from few_shot_motion.motion_modules.writing import tensors_to

from dev import mutants, mutations

CASES = 12  # of each kind; `python3 dev faults` reads more


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants")
    before = folder_paths.get_output_directory(), dict(folder_paths.folder_names_and_paths)
    yield folder, mutants.kinds(folder)
    folder_paths.set_output_directory(before[0])
    folder_paths.folder_names_and_paths.clear()
    folder_paths.folder_names_and_paths.update(before[1])
    folder_paths.filename_list_cache.clear()


NAMES = ["adapter", "adapter with a memory", "motion module", "motion module, pickled", "motion LoRA", "release",
         "resume", "CLIP", "I3D", "features", "table", "lines of a table", "video"]  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # torch's own, about pickles of another protocol
@pytest.mark.parametrize("name", NAMES)
def test_mutants(kinds, name):
    folder, made = kinds
    assert list(made) == NAMES
    kind = made[name]
    file, what = mutations.write(kind, folder, None)
    assert (what, *mutations.outcome(kind, file)) == ("whole", "read", "")
    for seed in range(CASES // 4 if name == "I3D" else CASES):
        file, what = mutations.write(kind, folder, seed)
        found, text = mutations.outcome(kind, file)
        assert found != "raw", f"seed {seed}, {what}: {text}"


def refused(kind, file, sentence: str) -> None:
    """In one sentence that begins with the file's name."""
    found, text = mutations.outcome(kind, file)
    assert found == "sentence" and file.name in text and re.search(sentence, text), text


def test_every_tensor_of_a_clip_is_measured(kinds):
    folder, made = kinds
    tensors, file = made["CLIP"].content[0], folder / "clip.safetensors"
    for name, value in tensors.items():
        tensors_to({**tensors, name: value.flatten()[:-1]}, {})(file)
        refused(made["CLIP"], file, "one whole network|do not tell its size|a part of CLIP|do not belong together")
        tensors_to({**tensors, name: torch.full_like(value, torch.nan)}, {})(file)
        refused(made["CLIP"], file, "are no numbers")


def test_a_run_is_gone_on_with_whole_or_not_at_all(kinds):
    folder, made = kinds
    state, file = made["resume"].content[0], folder / "a.resume.safetensors"
    for name in state:
        tensors_to({other: value for other, value in state.items() if other != name}, {})(file)
        refused(made["resume"], file, "is no run that this training can go on with, its .* (is|are) missing")
        if name != "losses":
            tensors_to({**state, name: state[name][None]}, {})(file)
            refused(made["resume"], file, f"its {name} is .* here: give this run another name")
    tensors_to({**state, "weights.c": torch.zeros(2)}, {})(file)
    refused(made["resume"], file, "weights.c has no place here")


@pytest.mark.parametrize("change, sentence", [
    ({"features": torch.randn(4, 399)}, "no features of this node"), ({"features": torch.randn(400)}, "no features"),
    ({"features": torch.full((4, 400), torch.nan)}, "no features"), ({"features": torch.zeros(0, 400)}, "no features"),
    ({"features": torch.zeros(4, 400, dtype=torch.int64)}, "no features"), ({"groups": '["a"]'}, "no features"),
    ({"groups": "[1, 2, 3, 4]"}, "no features"), ({"frames": "nine"}, "no features"), ({"resize": "x"}, "no features"),
    ({"network": "other"}, "by network other; asked for are"),
])  # fmt: skip
def test_kept_features(kinds, change, sentence):
    folder, made = kinds
    kind, file = made["features"], folder / "video_features" / "f.safetensors"
    tensors, said = (dict(part) for part in kind.content)
    for name, value in change.items():
        (tensors if name == "features" else said)[name] = value
    tensors_to(tensors, said)(file)
    found, text = mutations.outcome(kind, file)
    assert found == "sentence" and re.search(sentence, text), text


@pytest.mark.parametrize("content", [b"", b"not a video", b"\0" * 5000])
def test_a_damaged_video_is_named(kinds, content):
    folder, made = kinds
    file, _ = mutations.write(made["video"], folder, None)
    file.write_bytes(content or file.read_bytes()[:300])
    refused(
        made["video"], file, r"^AdapterError: Number 1 of the videos \(v.mp4\) cannot be read as a video \(.*\): it is"
    )
    with pytest.raises(ValueError, match=r"\(v.mp4\) cannot be read as a video"):
        components_of(InputImpl.VideoFromFile(str(file)), "A clip")


@pytest.mark.parametrize("name, content", [("i3d.pt", {"Mixed_3b/x/Conv_0/kernel": torch.zeros(2)}), ("i3d.pt",
                         {"noslash Conv_0/kernel": torch.zeros(2)}), ("i3d.pt", {"x": torch.zeros(2)})])  # fmt: skip
def test_an_i3d_is_named(kinds, name, content):
    folder, made = kinds
    torch.save(content, folder / name)
    refused(made["I3D"], folder / name, "i3d.pt is no I3D of 400 classes")
