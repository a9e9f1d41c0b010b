"""Load Clips from Folder: which files, in which order, with which captions, and when the list is read anew."""

import re

import clips
import folder_paths
import pytest
from few_shot_motion.nodes.clips import LoadClips


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """ComfyUI's input folder with three clips of one motion in `rain`, the second without its caption."""
    monkeypatch.setattr(folder_paths, "input_directory", str(tmp_path / "input"))
    rain = tmp_path / "input" / "rain"
    clips.write_training_set(rain, "falls", count=3, frames=4)
    (rain / "falls_1.txt").unlink()
    (rain / "notes.md").write_text("no clip")
    (tmp_path / "input" / "pictures only").mkdir()
    return tmp_path / "input"


def listed() -> list[str]:
    return LoadClips.define_schema().inputs[0].options


def loaded(folder: str, **inputs) -> tuple[list, list[str]]:
    return LoadClips.execute(folder, **inputs).result


def test_clips_come_in_the_order_of_their_names_with_their_captions(inputs):
    videos, captions = loaded("rain", caption="something falls")
    assert [video.get_stream_source() for video in videos] == [
        str(inputs / "rain" / f"falls_{i}.mp4") for i in range(3)
    ]
    assert [video.get_components().images.shape[0] for video in videos] == [4, 4, 4]
    assert captions == [
        (inputs / "rain" / "falls_0.txt").read_text().strip(),
        "something falls",
        (inputs / "rain" / "falls_2.txt").read_text().strip(),
    ]
    assert loaded("rain")[1][1] == ""


def test_the_lists_are_those_of_core(inputs):
    dataset = pytest.importorskip("comfy_extras.nodes_dataset")
    if not hasattr(dataset, "LoadVideoTextDataSetFromFolderNode"):
        pytest.skip("this ComfyUI has no such node")
    videos, texts = dataset.LoadVideoTextDataSetFromFolderNode.execute("rain").result
    ours, captions = loaded("rain")
    assert [video.get_stream_source() for video in videos] == [video.get_stream_source() for video in ours]
    assert texts == captions


def test_folders_with_videos_are_listed_links_followed(inputs, tmp_path):
    clips.write_training_set(tmp_path / "elsewhere" / "deep", "moves right", count=1, frames=2)
    (inputs / "link").symlink_to(tmp_path / "elsewhere")
    (inputs / "rain" / "round").symlink_to(inputs)  # a link back: walked once
    assert listed() == ["link/deep", "rain"]
    assert len(loaded("link/deep")[0]) == 1


def test_the_list_is_read_anew_when_a_file_changes(inputs):
    seen = {LoadClips.fingerprint_inputs("rain", caption="")}
    (inputs / "rain" / "falls_1.txt").write_text("a new caption")
    seen.add(LoadClips.fingerprint_inputs("rain"))
    (inputs / "rain" / "falls_2.mp4").write_bytes(b"another film")
    seen.add(LoadClips.fingerprint_inputs("rain"))
    (inputs / "rain" / "falls_2.mp4").unlink()
    seen.add(LoadClips.fingerprint_inputs("rain"))
    assert len(seen) == 4
    LoadClips.fingerprint_inputs()  # the folder through a link: not known yet


@pytest.mark.parametrize("folder", ["..", "rain/../..", "gone", "{absolute}"])
def test_folders_that_are_not_there_or_outside(inputs, folder):
    folder = folder.format(absolute=inputs / "rain")
    message = f"There is no folder {folder!r} in {inputs}: put the clips there and refresh, or choose another."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loaded(folder)


def test_folders_without_videos_and_captions_in_other_encodings(inputs):
    with pytest.raises(
        ValueError, match="^The folder 'pictures only' holds no videos: put clips there that end in .avi"
    ):
        loaded("pictures only")
    (inputs / "rain" / "falls_1.txt").write_bytes("Füße".encode("latin-1"))
    with pytest.raises(ValueError, match=r"^The caption falls_1.txt is no UTF-8 text: save it as UTF-8\.$"):
        loaded("rain")
