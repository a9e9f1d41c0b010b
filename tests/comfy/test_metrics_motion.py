"""Warping Error and First-Frame Jump inside ComfyUI, without a flow model and with core's RAFT."""

import re

import pytest
import torch
from comfy_api.latest import InputImpl, Types
from comfy_extras.nodes_void import OpticalFlowLoader
from few_shot_motion.nodes import metrics
from few_shot_motion.nodes.metrics import FirstFrameJump, WarpingErrorNode
from measuring import measured, moving, nan_frame, pictures


def test_warping_error_without_a_model_says_so():
    steady, motion, visible, report, picture, curves = measured(
        WarpingErrorNode, videos=[moving()], variant=metrics.LAI, table=""
    )
    flicker = moving() * torch.tensor([1.0, 0.93, 1.0, 0.93]).view(-1, 1, 1, 1)
    assert measured(WarpingErrorNode, videos=[flicker], variant=metrics.LAI, table="")[0] > 10 * steady
    assert measured(WarpingErrorNode, videos=[moving()], variant=metrics.LAI, table="")[0] == steady, (
        "to the last digit"
    )
    assert motion == pytest.approx(13**0.5, rel=0.1) and 0.7 < visible <= 1
    assert "Lucas-Kanade" in report and "1 of 4 frames, 96x96, RGB in [0, 1]" in report
    assert picture.shape[1:] == (2 * 96, 130 + 3 * 96, 3) and curves.shape[1:] == (2 * 240, 640, 3)


def test_warping_error_with_cores_raft(folders):
    from torchvision.models.optical_flow import raft_large

    torch.manual_seed(0)
    torch.save(raft_large(weights=None).state_dict(), folders / "optical_flow" / "raft_large.pth")
    flow = OpticalFlowLoader.execute("raft_large.pth").args[0]
    video = moving(2, 100)
    first = measured(WarpingErrorNode, videos=[video], variant=metrics.LAI, table="", optical_flow=[flow])
    assert (
        re.search("RAFT of 5[0-9]+ weights, their sha256 [0-9a-f]{16}, on the videos themselves", first[3])
        and "100x100" in first[3]
    )
    assert first[1] == measured(WarpingErrorNode, videos=[video], variant=metrics.LAI, table="", optical_flow=[flow])[1]


def test_homography_variant_is_named():
    error, _, _, report, *_ = measured(WarpingErrorNode, videos=[moving()], variant=metrics.HOMOGRAPHY, table="")
    assert "comparable with no warping error but the recurrent paper's" in report and error > 1


@pytest.mark.parametrize("node, videos, message", [
    (WarpingErrorNode, [moving(1)], "has 1 frames, 2 are needed"),
    (FirstFrameJump, [moving(2)], "has 2 frames, 3 are needed"),
    (WarpingErrorNode, [nan_frame()], "no numbers"),
    (FirstFrameJump, [moving(), moving(4, 64)], "different sizes"),
])  # fmt: skip
def test_motion_metrics_refuse(node, videos, message):
    more = {"variant": metrics.LAI} if node is WarpingErrorNode else {}
    with pytest.raises(ValueError, match=message):
        measured(node, videos=videos, table="", **more)


def test_first_frame_jump_of_videos_and_batches(folders):
    levels = torch.tensor([10.0, 40, 42, 44, 46, 48])[:, None, None, None].expand(-1, 16, 16, 3) / 255
    video = InputImpl.VideoFromComponents(Types.VideoComponents(images=levels, frame_rate=8))
    luminance, colour, report, picture = measured(FirstFrameJump, videos=[video, levels], table="")
    assert luminance == pytest.approx(28, abs=1e-3) and colour == pytest.approx(0, abs=1e-3)
    assert "2 of 6 frames, 16x16, RGB in [0, 1], 8 frames per second" in report and picture.shape[0] == 1


def test_a_jump_is_the_same_number_twice():
    first, again = ([*measured(FirstFrameJump, videos=[pictures()], table="")[:3]] for _ in range(2))
    assert first == again and first[0] == first[0]
