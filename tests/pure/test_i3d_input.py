"""What I3D is shown of a video: TensorFlow 1's resize by TensorFlow's own numbers and by its definition, the frames and
the part of them that are seen.
"""

import math

import numpy as np
import pytest
import torch
from few_shot_motion.metrics import i3d_input
from few_shot_motion.metrics.i3d_input import HALF_PIXEL, SPREAD, SQUARE, View, to_input
from plain_view import by_definition, plain_input, real_clips

SIZES = [(9, 13), (240, 320), (224, 224), (128, 128), (300, 500)]
PLACES = ([0, 1, 50, 111, 223, 223], [0, 223, 100, 112, 0, 223])
# tf.compat.v1.image.resize_bilinear(picture, (224, 224), align_corners=False) of TensorFlow 2.21, at PLACES
TENSORFLOW = [
    [[0.0, 0.0, 0.0], [65.625, 24.017857, 4.017857], [187.499985, 148.294006, 91.929207],
     [83.794639, 125.982124, 25.401787], [20.0, 20.0, 0.0], [80.0, 40.0, 100.0]],
    [[0.0, 0.0, 0.0], [108.57222, 47.142853, 70.816475], [105.714722, 159.999695, 52.653248],
     [85.714722, 11.429443, 1.42868], [25.715332, 232.855835, 0.0], [87.548950, 172.855835, 66.325836]],
    [[0.0, 0.0, 0.0], [100.0, 180.0, 120.0], [20.0, 120.0, 40.0],
     [40.0, 160.0, 0.0], [200.0, 200.0, 0.0], [160.0, 20.0, 20.0]],
    [[0.0, 0.0, 0.0], [94.285713, 88.571426, 11.428572], [42.857208, 104.081787, 13.061299],
     [85.714111, 122.857361, 8.571472], [180.0, 220.0, 0.0], [100.0, 140.0, 20.0]],
    [[0.0, 0.0, 0.0], [76.255997, 93.693954, 20.568302], [114.031029, 45.15374, 47.703537],
     [27.142334, 54.284668, 73.571167], [87.143555, 54.287109, 0.0], [66.955925, 121.664581, 71.577560]],
]  # fmt: skip


def picture(height: int, width: int) -> torch.Tensor:
    """A picture 3 h w of 255 levels that a formula draws."""
    y, x = np.mgrid[:height, :width]
    return torch.from_numpy(20.0 * np.stack([(7 * y + 3 * x) % 11, (5 * y + x * x) % 13, (y * x) % 7]))


def off(a: torch.Tensor, b) -> float:
    return float((a.double() - torch.as_tensor(b).double()).abs().max())


@pytest.mark.parametrize("size, numbers", list(zip(SIZES, TENSORFLOW, strict=True)))
def test_the_original_resize_gives_tensorflows_numbers(size, numbers):
    found = i3d_input.resize_original(picture(*size).float())[:, PLACES[0], PLACES[1]]
    assert off(found.T, numbers) < 1e-4
    assert off(torch.from_numpy(by_definition(picture(*size).numpy()))[:, PLACES[0], PLACES[1]].T, numbers) < 5e-3


@pytest.mark.parametrize("size", SIZES)
def test_the_original_resize_is_its_definition(size):
    found = i3d_input.resize_original(picture(*size).float())
    assert off(found, by_definition(picture(*size).numpy())) < 0.01  # of 255: TensorFlow's places are float32, too
    shifted = i3d_input.resize_half_pixel(picture(*size).float()[None])[0]
    assert (off(shifted, found) > 10) == (size != (224, 224))


def test_the_original_resize_takes_videos_of_any_number_type():
    video = torch.rand(2, 3, 30, 40)
    assert torch.equal(to_input(video.double()), to_input(video))
    assert off(to_input(video.half()), to_input(video)) < 2e-3
    assert torch.equal(to_input(video)[0, :, 1], to_input(video[1:])[0, :, 0])


@pytest.mark.parametrize("resize", i3d_input.RESIZES)
def test_a_picture_of_the_right_size_stays(resize):
    video = torch.rand(2, 3, 224, 224)
    assert torch.equal(to_input(video, View(resize=resize)), (video * 2 - 1).movedim(0, 1)[None])


@pytest.mark.parametrize("length, frames", [(16, 16), (17, 16), (31, 16), (100, 16), (250, 9), (9, 9)])
def test_frames_are_the_first_or_evenly_spread(length, frames):
    assert View(frames).places(length) == list(range(frames))
    spread = View(frames, choice=SPREAD).places(length)
    exact = [i * (length - 1) / (frames - 1) for i in range(frames)]
    assert spread == [math.floor(place + 0.5) for place in exact]
    assert spread[0] == 0 and spread[-1] == length - 1 and len(set(spread)) == frames


@pytest.mark.parametrize("size, top, left", [((30, 40), 0, 5), ((40, 31), 4, 0), ((31, 40), 0, 4), ((8, 8), 0, 0)])
def test_the_centre_square_is_cut_before_it_is_resized(size, top, left):
    video, side = torch.rand(2, 3, *size), min(size)
    part = video[..., top : top + side, left : left + side]
    assert torch.equal(to_input(video, View(crop=SQUARE)), to_input(part))


# ------------------------------------------------------------------------------------------------------- real clips


@pytest.mark.parametrize("view, pattern", [(View(), "clips/signs/*.mp4"),
                                           (View(choice=SPREAD, crop=SQUARE), "source/*.mkv")])  # fmt: skip
def test_real_clips_by_a_plain_second_way(view, pattern):
    """The original's way of a clip into I3D, and that of TI2V-Zero's paper on uncut videos: 16 frames uniformly, the
    central part.
    """
    for clip in real_clips(3, pattern):
        plain = plain_input(clip, view.choice == SPREAD, view.crop == SQUARE)
        video = torch.from_numpy(clip[view.places(len(clip))]).movedim(-1, 1).float() / 255
        assert (view.choice == SPREAD) == (len(clip) > 16) and clip.shape[1] != clip.shape[2]
        assert off(to_input(video, view)[0], plain) < 1e-4
        assert off(to_input(video, View(16, HALF_PIXEL, view.choice, view.crop))[0], plain) > 0.02
