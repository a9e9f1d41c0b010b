"""I3D: the published numbers with the published weights, the layouts of its files, and what the distance notices in
videos.
"""

import os
import pickle

import numpy as np
import pytest
import torch
from few_shot_motion.metrics import i3d
from few_shot_motion.metrics.frechet import frechet_distance, statistics
from few_shot_motion.metrics.i3d_input import RESIZES, SPREAD, SQUARE, View, to_input
from plain_view import plain_input, real_clips
from safetensors.torch import load_file
from torch.nn import functional as F

from dev import i3d_weights

LONG = os.environ.get("FSM_LONG_TESTS")


@pytest.fixture(scope="module")
def flax() -> dict[str, torch.Tensor]:
    """The weights in Flax's names, fetched by pinned hash."""
    return load_file(i3d_weights.prepare())


@pytest.fixture(scope="module")
def model(flax):
    return i3d.load_i3d(flax)


@torch.inference_mode()
def features(model, videos, view: View | None = None) -> torch.Tensor:
    return torch.cat([model(to_input(video, view or View())) for video in videos])


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return frechet_distance(statistics(a), statistics(b))


# ------------------------------------------------------------------------------------------------ published numbers


def test_published_logits_of_a_black_video(model):
    found = features(model, [torch.zeros(15, 3, 64, 64)])[0, :3]
    assert torch.allclose(found, torch.tensor([0.7422105, 2.829727, 0.39993525]), atol=1e-5)


@pytest.mark.parametrize("resize", RESIZES)
def test_published_distance_of_black_and_white(model, resize):
    """151.39244 by the original TensorFlow code, for 8 equal videos of 30 frames on either side; 152.918 for 16 frames
    by the TorchScript port, whose numbers differ in the fourth digit."""
    for frames, expected, tolerance in ((30, 151.39244, 0.01), (16, 152.918, 0.05)):
        black, white = (
            features(model, [torch.full((frames, 3, 64, 64), value)], View(resize=resize)).repeat(8, 1)
            for value in (0.0, 1.0)
        )
        assert distance(black, white) == pytest.approx(expected, abs=tolerance)


@pytest.mark.skipif(not LONG, reason="256 videos take minutes on a CPU: set FSM_LONG_TESTS=1")
def test_published_distance_of_random_sets(model):
    """10.138085 by the fvd-comparison project's code; it feeds [0, 1]."""
    sets = []
    for seed in (1, 2):
        draw = np.random.RandomState(seed)
        videos = (
            torch.from_numpy(draw.rand(16, 224, 224, 3).astype(np.float32)).movedim(-1, 0)[None] for _ in range(128)
        )
        with torch.inference_mode():
            sets.append(torch.cat([model(video) for video in videos]))
    assert distance(*sets) == pytest.approx(10.138085, abs=0.001)


@pytest.mark.parametrize("view, patterns", [
    (View(), ("clips/signs/*.mp4", "clips/walks_out/*.mp4")),
    (View(choice=SPREAD, crop=SQUARE), ("source/[ab]*.mkv", "source/[lmn]*.mkv")),
])  # fmt: skip
def test_distance_of_real_clips_by_a_plain_second_way(model, view, patterns):
    """The original's resize, and the protocol of TI2V-Zero's paper on uncut videos of different lengths (16 frames
    uniformly, the central part).
    """
    sets, plain = [], []
    for pattern in patterns:
        clips = real_clips(3, pattern)
        seen = [torch.from_numpy(clip[view.places(len(clip))]).movedim(-1, 1).float() / 255 for clip in clips]
        sets.append(features(model, seen, view))
        inputs = [torch.from_numpy(plain_input(clip, view.choice == SPREAD, view.crop == SQUARE)) for clip in clips]
        with torch.inference_mode():
            plain.append(torch.cat([model(x.float()[None]) for x in inputs]))
    assert distance(*sets) == pytest.approx(distance(*plain), rel=1e-4)


# -------------------------------------------------------------------------------------------- what the distance notices


def clips(count: int = 3, frames: int = 9) -> list[torch.Tensor]:
    """Smooth random pictures that move, each in its own direction."""
    generator = torch.Generator().manual_seed(3)
    made = []
    for i in range(count):
        whole = F.interpolate(torch.rand(1, 3, 12, 12, generator=generator), (96, 96), mode="bicubic").clamp(0, 1)[0]
        made.append(torch.stack([whole.roll((i * j, (i - 2) * j), (1, 2))[:, :64, :64] for j in range(frames)]))
    return made


@pytest.fixture(scope="module")
def plain(model) -> torch.Tensor:
    return features(model, clips())


def test_equal_sets_are_at_distance_zero(plain):
    assert distance(plain, plain.clone()) < 1e-6


def test_it_grows_with_noise(model, plain):
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(video.shape, generator=generator) for video in clips()]
    noisy = [[(v + amount * n).clamp(0, 1) for v, n in zip(clips(), noise, strict=True)] for amount in (0.03, 0.15)]
    found = [distance(plain, features(model, videos)) for videos in noisy]
    assert 1 < found[0] < found[1]


def test_it_grows_with_blur_and_shuffled_frames(model, plain):
    blurred = [[F.avg_pool2d(video, 2 * r + 1, 1, r) for video in clips()] for r in (1, 4)]
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    shuffled = [video[order] for video in clips()]
    soft, softer = (distance(plain, features(model, videos)) for videos in blurred)
    assert 1 < soft < softer and distance(plain, features(model, shuffled)) > 10


def test_same_videos_same_features_to_the_last_digit(model, plain):
    assert torch.equal(features(model, clips()[:1]), plain[:1])


# ------------------------------------------------------------------------------------------------ inputs and files


@pytest.mark.parametrize("frames", [1, 8])
def test_fewer_than_nine_frames_are_refused(frames):
    with torch.device("meta"):
        model = i3d.I3D()
    with pytest.raises(ValueError, match=f"at least 9 frames, these have {frames}"):
        model(torch.zeros(1, 3, frames, 224, 224, device="meta"))


def test_nine_frames_are_enough(model):
    assert features(model, [torch.rand(9, 3, 30, 40)]).shape == (1, 400)


def test_input_is_224_in_minus_one_to_one():
    made = to_input(torch.linspace(0, 1, 4).view(4, 1, 1, 1).expand(4, 3, 100, 50))
    assert made.shape == (1, 3, 4, 224, 224)
    assert made[0, 0, :, 0, 0].tolist() == pytest.approx([-1, -1 / 3, 1 / 3, 1], abs=1e-6)


@pytest.mark.parametrize(
    "n, k, s, before, behind", [(224, 7, 2, 2, 3), (112, 3, 2, 0, 1), (7, 3, 2, 1, 1), (8, 2, 2, 0, 0), (5, 3, 1, 1, 1)]
)
def test_padding_is_tensorflows(n, k, s, before, behind):
    padded = i3d.pad_same(torch.ones(1, 1, 1, 1, n), (1, 1, k), (1, 1, s))[0, 0, 0, 0]
    assert padded.tolist() == [0] * before + [1] * n + [0] * behind


def test_all_layouts_are_one_network(flax, model):
    own = model.state_dict()
    others = {name: value for name, value in own.items() if not name.endswith("num_batches_tracked")}
    for ours, theirs in (("b0", "branch_0"), ("b1a", "branch_1.0"), ("b1b", "branch_1.1"), ("b2a", "branch_2.0"),
                         ("b2b", "branch_2.1"),
                         ("b3b", "branch_3.1"), ("Mixed", "mixed"), (".bn.", ".batch3d."), ("Conv3d", "conv3d"),
                         ("logits", "conv3d_0c_1x1")):  # fmt: skip
        others = {name.replace(ours, theirs): value for name, value in others.items()}
    assert "mixed_4b.branch_1.1.batch3d.running_mean" in others and "conv3d_1a_7x7.conv3d.weight" in others
    for layout in (own, {f"module.{name}": value for name, value in own.items()}, others):
        loaded = i3d.load_i3d(layout)
        assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in own.items())
        assert i3d.is_standard(loaded)
    assert all(name.startswith(("params/", "batch_stats/")) for name in flax)


def test_other_weights_are_not_called_standard(flax):
    changed = dict(flax)
    changed["params/Logits/Conv3d_0c_1x1/Conv_0/bias"] = flax["params/Logits/Conv3d_0c_1x1/Conv_0/bias"] + 1e-3
    assert not i3d.is_standard(i3d.load_i3d(changed))


def test_a_file_that_is_no_i3d_is_refused(model):
    with pytest.raises(ValueError, match="no I3D of 400 classes: .* tensors are missing"):
        i3d.load_i3d({"encoder.weight": torch.zeros(3)})
    wrong = {**model.state_dict(), "logits.conv3d.weight": torch.zeros(600, 1024, 1, 1, 1)}
    with pytest.raises(ValueError, match=r"another I3D: its logits.conv3d.weight is \(600, 1024, 1, 1, 1\)"):
        i3d.load_i3d(wrong)


def test_the_unpickler_lets_nothing_but_arrays_in():
    content = pickle.dumps({"a": np.arange(3.0), "b": os.path.join})
    with pytest.raises(pickle.UnpicklingError, match="no numpy array"):
        i3d_weights.arrays(content)
