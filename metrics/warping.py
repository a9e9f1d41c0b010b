"""How well each frame is the next one moved back along its flow: the warping error (Lai et al. 2018, arXiv 1808.00449,
equation 10).

The authors' code divides by the number of visible pixels times three colours; so do we: a mean square per colour,
frames in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .flow import inside, warp

Flow = Callable[[Tensor, Tensor], Tensor]  # frames b c h w, the next ones => flow b 2 h w in pixels


@dataclass(frozen=True)
class WarpingError:
    """Per pair of consecutive frames."""

    errors: Tensor  # f-1, NaN where nothing is visible in both frames
    visible: Tensor  # f-1, share of the pixels that count
    motion: Tensor  # f-1, px, mean length of the flow: a still video has error 0
    flow: Tensor  # f-1 2 h w

    @property
    def mean(self) -> float:
        """Over the pairs that see something of each other; NaN where none does."""
        return float(self.errors.nanmean())


def occluded(forward: Tensor, backward: Tensor) -> Tensor:
    """b 2 h w twice => b 1 h w (Ruder et al. 2016, arXiv 1604.08610, equations 5 and 6): the way there and back does
    not close, or motion has an edge. Places that the flow leads out of the picture count as occluded too."""
    back = warp(backward, forward)
    length = _square(forward)
    open_loop = _square(forward + back) > 0.01 * (length + _square(back)) + 0.5
    edge = _square(_forward_difference(forward)) > 0.01 * length + 0.002
    return open_loop | edge | ~inside(forward)


def _square(flow: Tensor) -> Tensor:
    return flow.square().sum(dim=1, keepdim=True)


def _forward_difference(flow: Tensor) -> Tensor:
    """b 2 h w => b 4 h w, 0 in the last row and column."""
    dx = torch.nn.functional.pad(flow.diff(dim=-1), (0, 1))
    dy = torch.nn.functional.pad(flow.diff(dim=-2), (0, 0, 0, 1))
    return torch.cat([dx, dy], dim=1)


def warping_error(video: Tensor, flow: Flow, tick: Callable[[], None] = lambda: None) -> WarpingError:
    """f 3 h w in [0, 1]; the flow is estimated on the video itself, both ways. Raises ValueError for a single frame."""
    _check_pairs(video)
    parts = [_pair(video[i : i + 1], video[i + 1 : i + 2], flow, tick) for i in range(len(video) - 1)]
    errors, visible, motion, flows = zip(*parts, strict=True)
    return WarpingError(torch.stack(errors), torch.stack(visible), torch.stack(motion), torch.cat(flows))


def _pair(
    frame: Tensor, following: Tensor, flow: Flow, tick: Callable[[], None]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    forward, backward = flow(frame, following), flow(following, frame)
    mask = (~occluded(forward, backward)).double()
    square = (warp(following, forward) - frame).double().square().mean(dim=1, keepdim=True)
    tick()
    return (square * mask).sum() / mask.sum(), mask.mean(), _square(forward).double().sqrt().mean(), forward


def homography_error(video: Tensor, flow: Flow, tick: Callable[[], None] = lambda: None) -> Tensor:
    """f-1: squares of 255-level differences summed over three colours, mean over all pixels, after one homography per
    pair and no mask.

    After the recurrent paper's evaluation code, to stand beside its table and nothing else: it says little about
    motion. There the homography comes from ORB features and RANSAC, here from the flow, by least squares that put less
    and less weight on what does not fit. Raises ValueError for a single frame, and where kornia is not installed.
    """
    find_homography, warp_perspective = _kornia()
    _check_pairs(video)
    h, w = video.shape[-2:]
    y, x = torch.meshgrid(torch.linspace(0, h - 1, 24), torch.linspace(0, w - 1, 24), indexing="ij")
    places = torch.stack([x.round(), y.round()], dim=-1).view(-1, 2).to(video.device)
    errors = []
    for frame, following in zip(video[:-1, None], video[1:, None], strict=True):
        forward = flow(frame, following)
        moved, there = (x[0, :, places[:, 1].long(), places[:, 0].long()].T for x in (forward, inside(forward)))
        homography = find_homography(
            places[None].double(), (places + moved)[None].double(), there[None, :, 0].double(), 1.0, 10
        )
        warped = warp_perspective(frame.double(), homography, (h, w), align_corners=True)
        errors.append(((warped - following.double()) * 255).square().sum(dim=1).mean())
        tick()
    return torch.stack(errors)


def _check_pairs(video: Tensor) -> None:
    if len(video) < 2:
        raise ValueError(
            "A warping error compares each frame with the next, this video has a single one: make longer ones."
        )


def _kornia() -> tuple[Callable, Callable]:
    """What fits a homography and what moves a picture by one; ComfyUI counts kornia among what it can do without."""
    try:
        from kornia.geometry.homography import find_homography_dlt_iterated
        from kornia.geometry.transform import warp_perspective
    except ImportError as error:
        raise ValueError(
            f"The homography variant fits its homographies with kornia, which is not there ({error}): install it with "
            "ComfyUI's requirements, or choose Lai et al."
        ) from error
    return find_homography_dlt_iterated, warp_perspective
