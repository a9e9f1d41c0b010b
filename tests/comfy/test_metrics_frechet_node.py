"""Fréchet Video Distance inside ComfyUI: sets, groups, kept features, memory, Cancel, and what it refuses."""

import math
import weakref
from typing import ClassVar

import comfy.model_management
import comfy.model_patcher
import numpy as np
import pytest
import torch
from comfy_api.latest import InputImpl, Types
from few_shot_motion.host.metrics import video_features
from few_shot_motion.metrics.i3d import I3D
from few_shot_motion.metrics.i3d_input import HALF_PIXEL, SPREAD, SQUARE
from few_shot_motion.nodes.frechet_metrics import FrechetVideoDistance
from measuring import measured, pictures
from safetensors import safe_open
from safetensors.torch import save_file


class Brightness(torch.nn.Module):
    """Stands in for I3D where only sets, files and memory are looked at: means over 400 pieces of a video."""

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool3d(video.mean(1, keepdim=True), (4, 10, 10)).flatten(1)


@pytest.fixture
def quick(monkeypatch):
    """The network is Brightness; files' names stay what they are."""

    def network(name: str):
        patcher = comfy.model_patcher.ModelPatcher(Brightness(), torch.device("cpu"), torch.device("cpu"))
        return video_features.Network(patcher, name, f"network: {name}")

    monkeypatch.setattr(video_features, "load_network", network)


def fvd(**inputs) -> list:
    given = {"i3d": "a.pt", "frames": 9, "kept_reference": "none", "keep_reference_as": "", "resamples": 0, "table": ""}
    return measured(FrechetVideoDistance, **{**given, **inputs})


def set_of(count: int, seed: int = 0, frames: int = 10) -> list[torch.Tensor]:
    return [pictures(frames, 20, 30, seed * 1000 + i) for i in range(count)]


def test_equal_sets_and_different_ones(folders, quick):
    assert fvd(videos=set_of(6), reference=set_of(6))[0] < 1e-6
    found = fvd(videos=set_of(6), reference=set_of(8, 1), resamples=20)
    assert found[0] > 0.01 and math.isnan(found[1]) and math.isnan(found[2])
    for part in ("WARNING: 6 videos", "network: a.pt", "videos: 6 of 9 frames (the first 9 of each), 30x20",
                 "reference videos: 8 of 9 frames",
                 "floor:", "20 bootstrap resamples", "differ in size"):  # fmt: skip
        assert part in found[3]
    assert found[4].shape[0] == 1
    assert fvd(videos=set_of(6), reference=set_of(8, 1), resamples=20)[0] == found[0]


def test_groups_become_sfvd(folders, quick):
    groups = ["cat", "dog"] * 3
    found = fvd(videos=set_of(6), reference=set_of(6, 1), video_groups=groups, reference_groups=groups)
    alone = [fvd(videos=set_of(6)[i::2], reference=set_of(6, 1)[i::2])[0] for i in range(2)]
    assert found[1] == pytest.approx(sum(alone) / 2) and found[2] == pytest.approx(abs(alone[0] - alone[1]) / 2)
    assert "groups: cat " in found[3]


def test_kept_features_give_the_same_distance(folders, quick):
    first = fvd(
        videos=set_of(6),
        reference=set_of(6, 1),
        reference_groups=["a"] * 6,
        video_groups=["a"] * 6,
        keep_reference_as="real/set",
    )
    assert video_features.kept_names() == ["real/set"]
    again = fvd(videos=set_of(6), kept_reference="real/set", video_groups=["a"] * 6)
    assert again[:3] == first[:3]
    with pytest.raises(ValueError, match="asked for are the first 9 frames, whole picture, original .TF1., by b.pt"):
        fvd(videos=set_of(6), kept_reference="real/set", i3d="b.pt")


OTHER_VIEWS = {"frames": 10, "resize": HALF_PIXEL, "frame_choice": SPREAD, "crop": SQUARE}


@pytest.mark.parametrize("name, value", OTHER_VIEWS.items())
def test_kept_features_are_of_one_view(folders, quick, name, value):
    fvd(videos=set_of(3), reference=set_of(3, 1), keep_reference_as="plain")
    fvd(videos=set_of(3), reference=set_of(3, 1), keep_reference_as="other", **{name: value})
    assert fvd(videos=set_of(3, 1), kept_reference="other", **{name: value})[0] < 1e-6
    for kept, inputs in (("plain", {name: value}), ("other", {})):
        with pytest.raises(ValueError, match=f"kept as {kept} are of .*; asked for are .*make them anew") as error:
            fvd(videos=set_of(3), kept_reference=kept, **inputs)
        assert "\n" not in str(error.value)


def test_features_kept_before_there_was_a_choice_were_resized_with_half_pixel_centres(folders, quick):
    fvd(videos=set_of(3), reference=set_of(3, 1), keep_reference_as="old", resize=HALF_PIXEL)
    file = folders / "output" / "video_features" / "old.safetensors"
    with safe_open(file, "pt") as content:
        metadata, features = content.metadata(), content.get_tensor("features")
    then = {name: metadata[name] for name in ("network", "frames", "groups", "description")}
    save_file({"features": features}, file, then)
    assert fvd(videos=set_of(3, 1), kept_reference="old", resize=HALF_PIXEL)[0] < 1e-6
    with pytest.raises(ValueError, match="are of the first 9 frames, whole picture, half-pixel centres, by"):
        fvd(videos=set_of(3), kept_reference="old")


def test_the_view_is_what_is_seen_and_what_is_reported(folders, quick):
    """Videos whose first frames, borders and pixels between are another thing than the rest."""
    long = [pictures(40, 20, 30, i) for i in range(3)]
    plain = fvd(videos=long, reference=set_of(3, 1))
    assert "original (TF1)" in plain[3] and "(the first 9 of each)" in plain[3] and "whole picture" in plain[3]
    cut = [clip[[0, 5, 10, 15, 20, 24, 29, 34, 39]] for clip in long]
    spread = fvd(videos=long, reference=set_of(3, 1, 9), frame_choice=SPREAD)
    assert spread[0] == fvd(videos=cut, reference=set_of(3, 1, 9))[0] != plain[0]
    assert "videos: 3 of 9 frames (9 evenly spread of each)" in spread[3]
    square = fvd(videos=long, reference=set_of(3, 1), crop=SQUARE)
    middle = [[clip[:, :, 5:25] for clip in clips] for clips in (long, set_of(3, 1))]
    assert square[0] == fvd(videos=middle[0], reference=middle[1])[0] != plain[0] and "centre square" in square[3]
    shifted = fvd(videos=long, reference=set_of(3, 1), resize=HALF_PIXEL)
    assert shifted[0] != plain[0] and "half-pixel centres" in shifted[3]


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"reference": set_of(1)}, "at least 2 videos in each set"),
        ({"reference": []}, "either connect reference videos, or choose kept features"),
        ({"reference": set_of(3, frames=8)}, "Number 1 of the reference videos has 8 frames, 9 are needed"),
        ({"reference": set_of(3), "reference_groups": ["a", "b"]}, "3 reference videos and 2 groups"),
        ({"reference": [*set_of(2), pictures(10, 30, 30)]}, "reference videos have different sizes"),
        (
            {"reference": [*set_of(2), set_of(1)[0] * math.nan]},
            "Number 3 of what comes in at reference holds values that are no numbers",
        ),
        (
            {"reference": set_of(3), "video_groups": ["a"] * 3, "reference_groups": ["a", "a", "b"]},
            "'b' is in one of the two sets",
        ),
        ({"reference": set_of(3), "keep_reference_as": "../../x"}, "is no name for features"),
        ({"kept_reference": "gone"}, "There are no features 'gone'"),
    ],
)
def test_distance_refuses_in_one_sentence(folders, quick, inputs, message):
    with pytest.raises(ValueError, match=message) as error:
        fvd(**{"videos": set_of(3, 2), "reference": [], **inputs})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content, message",
                         [("tensors", "no I3D of 400 classes"), ("bytes", "damaged or no file of weights"),
                                              ("module", "holds more than weights"),
                          ("list", "no state dict of tensors")])  # fmt: skip
def test_an_i3d_file_that_is_none_is_refused(folders, content, message):
    file = folders / "i3d" / "a.pt"
    if content == "bytes":
        file.write_bytes(b"not a file")
    else:
        torch.save({"tensors": {"x": torch.zeros(2)}, "module": Brightness(), "list": [1, 2]}[content], file)
    with pytest.raises(ValueError, match=message) as error:
        fvd(videos=set_of(3), reference=set_of(3))
    assert "\n" not in str(error.value)


def test_the_real_network_runs_and_warns_of_other_weights(folders):
    torch.manual_seed(0)
    torch.save(
        {name: value for name, value in I3D().state_dict().items() if "num_batches" not in name},
        folders / "i3d" / "random.pt",
    )
    found = fvd(videos=set_of(2), reference=set_of(2, 1), i3d="random.pt")
    assert (
        found[0] >= 0
        and "OTHER weights than those of published distances" in found[3]
        and "random.pt, sha256 " in found[3]
    )


class Decoded(InputImpl.VideoFromComponents):
    """A VIDEO that makes its frames when asked, as a file does; `made`: memory of all frames made so far."""

    made: ClassVar[list[weakref.ref]] = []

    def __init__(self, seed: int):
        self.seed = seed

    def get_components(self):
        frames = np.random.default_rng(self.seed).random((16, 64, 64, 3), np.float32)
        self.made.append(weakref.ref(frames))  # lives as long as a tensor shares its memory
        return Types.VideoComponents(images=torch.from_numpy(frames), frame_rate=8)


def test_many_videos_stream_through(folders, quick, monkeypatch):
    """However many videos: while one is seen, no other one's frames are held, as decoded or as seen."""
    held, looked_at, see = [], [], video_features._see

    def watched(model, video, *given):
        held.append([sum(kept() is not None for kept in those) for those in (Decoded.made, looked_at)])
        looked_at.append(weakref.ref(video))
        return see(model, video, *given)

    monkeypatch.setattr(video_features, "_see", watched)
    fvd(videos=[Decoded(i) for i in range(20)], reference=set_of(2), frames=9)
    assert len(Decoded.made) == 20 and len(held) == 22
    assert all(decoded <= 1 and seen <= 1 for decoded, seen in held), held


def test_cancel_stops_at_the_next_video(folders, quick, monkeypatch):
    seen = []

    def see(model, video, view, device):
        seen.append(1)
        comfy.model_management.interrupt_current_processing(True)
        return torch.zeros(1, 400)

    monkeypatch.setattr(video_features, "_see", see)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        fvd(videos=set_of(5), reference=set_of(5))
    comfy.model_management.interrupt_current_processing(False)
    assert len(seen) == 1


def test_progress_counts_videos_and_resamples(folders, quick, monkeypatch):
    counts = []
    monkeypatch.setattr(
        "comfy.utils.PROGRESS_BAR_HOOK", lambda value, total, preview, **_: counts.append((value, total))
    )
    fvd(videos=set_of(3), reference=set_of(4), resamples=5)
    assert counts[-1] == (12, 12)
