"""Optical flow and warping error, on motions known exactly."""

import ast
import math
import sys
from pathlib import Path

import pytest
import torch
from few_shot_motion.metrics.flow import inside, lucas_kanade, warp
from few_shot_motion.metrics.warping import homography_error, occluded, warping_error
from torch.nn import functional as F

ROOT = Path(__file__).parents[2]
SIDE = 128


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """1 3 h w: random blobs of several sizes."""
    generator = torch.Generator().manual_seed(seed)
    parts = [
        F.interpolate(torch.rand(1, 3, height // k, width // k, generator=generator), (height, width), mode="bicubic")
        * k
        for k in (4, 8, 16)
    ]
    return (sum(parts) / 28).clamp(0, 1)


def constant(dx: float, dy: float, h: int = SIDE, w: int = SIDE) -> torch.Tensor:
    return torch.tensor([float(dx), float(dy)]).view(1, 2, 1, 1).expand(1, 2, h, w)


def translation(dx: float, dy: float, frames: int = 4) -> torch.Tensor:
    """f 3 h w: a picture larger than the frame, moving by this much per frame; whole pixels are exact, others bilinear
    once.
    """
    whole = texture(SIDE + 128, SIDE + 128)
    moved = [warp(whole, -constant(dx * i, dy * i, *whole.shape[-2:])) for i in range(frames)]
    return torch.cat(moved)[..., 64:-64, 64:-64]


def exact(dx: float, dy: float):
    """The flow of a translation, whichever way it is asked for: the first question is forward."""
    asked = []

    def flow(a, b):
        asked.append(1)
        return constant(dx, dy) if len(asked) % 2 else constant(-dx, -dy)

    return flow


def test_warp_of_whole_pixels_is_a_shift():
    image = texture(20, 30)
    assert torch.allclose(warp(image, constant(3, -2, 20, 30))[..., 2:, :-3], image[..., :-2, 3:], atol=1e-5)
    assert torch.equal(inside(constant(3, -2, 20, 30))[0, 0, 2:, :27], torch.ones(18, 27, dtype=torch.bool))
    assert (
        not inside(constant(3, -2, 20, 30))[0, 0, :2].any() and not inside(constant(3, -2, 20, 30))[0, 0, :, 27:].any()
    )


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (1, 0), (0.5, 0.25), (-3.4, 2.2), (8, -5), (12, 8)])
def test_flow_of_a_translation(dx, dy):
    video = translation(dx, dy, 2)
    error = (lucas_kanade(video[:1], video[1:]) - constant(dx, dy)).square().sum(dim=1).sqrt()
    assert error[..., 16:-16, 16:-16].mean() < 0.1


def test_flow_runs_over_a_batch_as_over_each():
    video = translation(2, 1, 3)
    both = lucas_kanade(video[:2], video[1:])
    assert torch.allclose(both[1:], lucas_kanade(video[1:2], video[2:]), atol=1e-4)


@pytest.mark.parametrize(("dx", "dy"), [(2, 1), (-5, 3)])
def test_exact_flow_of_whole_pixels_leaves_nothing(dx, dy):
    found = warping_error(translation(dx, dy), exact(dx, dy))
    assert found.mean < 1e-10
    assert found.visible.tolist() == pytest.approx([(SIDE - abs(dx)) * (SIDE - abs(dy)) / SIDE**2] * 3), (
        "but what left the picture"
    )
    assert found.motion.tolist() == pytest.approx([math.hypot(dx, dy)] * 3)


def test_exact_flow_of_part_pixels_leaves_interpolation_only():
    video = translation(1.5, 0.5)
    found = warping_error(video, exact(1.5, 0.5)).mean
    unmoved = float((video[1:] - video[:-1]).square().mean())
    assert found < 0.01 * unmoved


def test_estimated_flow_comes_close_to_it():
    video = translation(1.5, 0.5)
    found = warping_error(video, lucas_kanade)
    assert found.mean < 0.02 * float((video[1:] - video[:-1]).square().mean()) and found.visible.min() > 0.8


def test_it_rises_with_flicker():
    video = translation(2, 1)
    flicker = torch.tensor([0.0, 1.0, 0.0, 1.0])[:, None, None, None]
    errors = [
        warping_error((video * (1 + amount * flicker)).clamp(0, 1), exact(2, 1)).mean for amount in (0, 0.02, 0.05, 0.1)
    ]
    assert errors == sorted(errors) and errors[1] > 100 * max(errors[0], 1e-9)


def test_flicker_of_one_level_is_its_square():
    still = texture(SIDE, SIDE).clamp(0.1, 0.9).repeat(3, 1, 1, 1)
    still[1] += 0.05
    found = warping_error(still, exact(0, 0))
    assert found.errors.tolist() == pytest.approx([0.0025, 0.0025], rel=1e-4) and found.visible.tolist() == [1.0, 1.0]


def test_a_still_video_scores_zero_and_shows_no_motion():
    found = warping_error(texture(SIDE, SIDE).repeat(3, 1, 1, 1), lucas_kanade)
    assert found.mean < 1e-9 and found.motion.max() < 1e-3


def moving_square(dx: int = 6):
    """Two frames and both exact flows: a square before a static ground."""
    ground, square = texture(SIDE, SIDE, 1), texture(40, 40, 2)
    frames, flows = [], []
    for left, flow_x in ((40, dx), (40 + dx, -dx)):
        frame, flow = ground.clone(), torch.zeros(1, 2, SIDE, SIDE)
        frame[..., 40:80, left : left + 40] = square
        flow[:, 0, 40:80, left : left + 40] = flow_x
        frames.append(frame)
        flows.append(flow)
    return torch.cat(frames), flows


def test_what_a_moving_square_hides_is_left_out():
    """The ground that the square covers next cannot be found there: it is occluded, counting it would be an error."""
    video, (forward, backward) = moving_square()
    hidden = occluded(forward, backward)[0, 0]
    assert hidden[40:80, 80:86].all(), "covered next"
    assert not hidden[44:76, 44:76].any() and not hidden[:36].any() and not hidden[90:].any()
    flows = iter((forward, backward))
    assert warping_error(video, lambda a, b: next(flows)).mean < 1e-10
    assert (warp(video[1:], forward) - video[:1]).square().mean() > 1e-4, "were it counted"


@pytest.mark.parametrize("there", [0.0, 3.0, 8.0])
def test_the_way_there_and_back_may_miss_by_as_much_as_the_paper_says(there):
    """Ruder et al., equation 5, on flows that are the same everywhere: |w + w'|^2 > 0.01 (|w|^2 + |w'|^2) + 0.5."""

    def is_open(miss: float) -> bool:
        return miss**2 > 0.01 * (there**2 + (there - miss) ** 2) + 0.5

    for miss in (x / 100 for x in range(200)):
        hidden = occluded(constant(there, 0.0), constant(miss - there, 0.0))
        assert bool(hidden[0, 0, 60, 60]) == is_open(miss), miss


def test_estimated_flow_finds_the_square():
    video, _ = moving_square(4)
    found = warping_error(video, lucas_kanade)
    assert found.flow[0, 0, 50:70, 50:70].mean() == pytest.approx(4, abs=0.3)
    assert found.mean < 0.1 * float((video[1] - video[0]).square().mean())


def test_a_plain_ground_does_not_move_with_what_is_before_it():
    video, _ = moving_square(4)
    square = torch.zeros(2, 1, SIDE, SIDE)
    square[0, :, 40:80, 40:80], square[1, :, 40:80, 44:84] = 1, 1
    flow = lucas_kanade(
        video[:1] * square[:1] + 0.3 * (1 - square[:1]), video[1:] * square[1:] + 0.3 * (1 - square[1:])
    )
    assert flow[0, 0, 50:70, 50:70].mean() == pytest.approx(4, abs=0.3)
    assert flow[..., :25].abs().max() == 0 and flow[..., 100:].abs().max() == 0


def test_noise_on_a_plain_ground_is_no_motion():
    """A generated ground is never quite plain: it flickers by a level or two."""
    ground, square = torch.linspace(0.3, 0.5, SIDE)[:, None].expand(2, 3, SIDE, SIDE), texture(40, 40, 2)
    noise = F.interpolate(
        torch.randn(2, 1, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(0)),
        (SIDE, SIDE),
        mode="bicubic",
    )
    video = ground + noise * 1.5 / 255
    for i, frame in enumerate(video):
        frame[:, 40:80, 40 + 4 * i : 80 + 4 * i] = square
    found = warping_error(video, lucas_kanade)
    far = found.flow[0, :, 100:].norm(dim=0)
    assert far.mean() < 1 and found.visible[0] > 0.7
    assert found.flow[0, 0, 50:70, 50:70].mean() == pytest.approx(4, abs=0.3)


def test_nothing_visible_is_not_a_number():
    assert math.isnan(warping_error(translation(1, 0, 2), exact(500, 0)).mean)


def test_homography_variant_is_in_255_levels_over_three_colours():
    still = torch.zeros(2, 3, SIDE, SIDE) + texture(SIDE, SIDE) * 0.5
    still[1] += 0.1
    assert homography_error(still, lambda a, b: torch.zeros(1, 2, SIDE, SIDE)).tolist() == pytest.approx(
        [3 * 25.5**2], rel=1e-3
    )


def test_homography_variant_follows_the_camera_and_counts_the_black_border():
    """After whole pixels of camera motion, all that is left is what the moved frame does not cover, compared with
    black: as in the paper's code.
    """
    video = translation(3, -2, 3)
    uncovered = (video[1:] * 255).square().sum(dim=1)
    uncovered[:, :-2, 3:] = 0
    assert homography_error(video, lambda a, b: constant(3, -2)).tolist() == pytest.approx(
        uncovered.mean(dim=(1, 2)).tolist(), rel=0.01
    )


def test_without_kornia_the_homography_variant_says_so_and_the_other_works(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "kornia"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kornia", None)  # as if it were not installed
    with pytest.raises(ValueError, match="with kornia, which is not there .*or choose Lai et al.") as error:
        homography_error(translation(3, -2, 2), lambda a, b: constant(3, -2))
    assert "\n" not in str(error.value)
    assert warping_error(translation(3, -2, 2), lucas_kanade).mean < 1e-3


def test_nothing_needs_kornia_to_be_imported():
    """ComfyUI counts it among what it can do without, so no module of ours may ask for it before it is used."""
    rooms = [path for room in ("nodes", "host", "metrics", "samplers", "training", "motion_modules")
             for path in (ROOT / room).rglob("*.py")]  # fmt: skip
    at_import = [node for path in rooms for node in ast.parse(path.read_text(encoding="utf-8")).body
                 if isinstance(node, ast.Import | ast.ImportFrom)]  # fmt: skip
    assert len(at_import) > 100 and not [node for node in at_import if "kornia" in ast.unparse(node)]


def test_one_frame_is_refused():
    with pytest.raises(ValueError, match="a single one"):
        warping_error(texture(16, 16), lucas_kanade)
