"""The jump behind the first frame, in videos whose steps are known."""

import pytest
import torch
from few_shot_motion.metrics.first_frame import colour_means, steps


def greys(*levels: float) -> torch.Tensor:
    return torch.tensor(levels, dtype=torch.float32)[:, None, None, None].expand(-1, 3, 4, 6) / 255


def test_even_steps_are_no_jump():
    assert steps(greys(10, 20, 30, 40)).luminance_jump == pytest.approx(0, abs=1e-4)
    assert steps(greys(10, 10, 10)).luminance_jump == pytest.approx(0, abs=1e-6)


def test_a_jump_in_brightness_is_found_in_levels():
    found = steps(greys(10, 32, 34, 36, 38))
    assert found.luminance.tolist() == pytest.approx([22, 2, 2, 2], abs=1e-4)
    assert found.luminance_jump == pytest.approx(20, abs=1e-4)
    assert found.colour_jump == pytest.approx(0, abs=1e-4), "grey has no colour"


def test_one_wild_step_later_does_not_hide_the_first():
    assert steps(greys(0, 50, 52, 54, 200, 202)).luminance_jump == pytest.approx(48, abs=1e-4)


def test_a_jump_in_colour_at_equal_brightness():
    first, later = torch.tensor([100.0, 100.0, 100.0]), torch.tensor([100 + 71.52, 100 - 21.26, 100.0])  # luma stays
    video = torch.stack([first, later, later, later])[..., None, None].expand(-1, 3, 4, 6) / 255
    found = steps(video)
    assert found.luminance_jump == pytest.approx(0, abs=1e-3)
    assert found.colour_jump == pytest.approx(71.52, abs=1e-3)


def test_means_are_luma_and_two_differences():
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None].expand(1, 3, 2, 2)
    assert colour_means(red)[0].tolist() == pytest.approx([54.213, -54.213, 200.787], abs=1e-3)


def test_two_frames_are_refused():
    with pytest.raises(ValueError, match="at least 3 frames, this one has 2"):
        steps(greys(1, 2))
