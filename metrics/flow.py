"""Optical flow without weights: Lucas and Kanade (1981), dense, iterated on a pyramid, with median filtering between
its steps.

A flow `b 2 h w` holds, in pixels, how far each pixel of the first frame has gone in the second: x first, then y.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_WINDOW = 2.0  # px: sigma of the Gaussian window
_SPREAD = 3.0  # px: sigma with which neighbours are asked
_LEAST_SIDE = 12  # px: of the coarsest picture
_STEPS = 8  # per level
_LEAST = 0.25 / 255  # of brightness: motion that explains less than this is none
_SHARE = 0.5  # nor is motion that explains less of what changed than this: noise of a generated ground
_DAMPING = 2e-4  # where there is nothing to hold on to, the flow stays as it was


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """W(images, flow): at each pixel the second frame's colour at where the flow leads, bilinear, beyond the border the
    border's.
    """
    h, w = images.shape[-2:]
    grid = _pixels(flow) + flow
    size = torch.tensor([max(w - 1, 1), max(h - 1, 1)], dtype=flow.dtype, device=flow.device).view(1, 2, 1, 1)
    return F.grid_sample(
        images, (grid / size * 2 - 1).movedim(1, -1), mode="bilinear", padding_mode="border", align_corners=True
    )


def inside(flow: Tensor) -> Tensor:
    """b 2 h w => b 1 h w: whether the flow leads to a place in the picture."""
    h, w = flow.shape[-2:]
    x, y = (_pixels(flow) + flow).split(1, dim=1)
    return (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)


def _pixels(flow: Tensor) -> Tensor:
    h, w = flow.shape[-2:]
    y, x = torch.meshgrid(*(torch.arange(n, dtype=flow.dtype, device=flow.device) for n in (h, w)), indexing="ij")
    return torch.stack([x, y])[None]


def lucas_kanade(first: Tensor, second: Tensor) -> Tensor:
    """Two batches of frames b c h w in [0, 1] => flow b 2 h w from first to second."""
    grey = torch.cat([first, second]).float().mean(dim=1, keepdim=True)
    pyramid = [grey]
    while min(pyramid[-1].shape[-2:]) >= 2 * _LEAST_SIDE:
        pyramid.append(
            F.interpolate(
                _blur(pyramid[-1], 1.0), scale_factor=0.5, mode="bilinear", antialias=False, align_corners=False
            )
        )
    flow = torch.zeros(len(first), 2, *pyramid[-1].shape[-2:], device=first.device)
    for level in reversed(pyramid):
        a, b = level.chunk(2)
        flow = _enlarged(flow, a)
        for _ in range(_STEPS):
            step, trust = _step(a, b, flow)
            flow = _median(flow + step)
            flow = (_blur(flow * trust, _SPREAD) + 1e-6 * flow) / (
                _blur(trust, _SPREAD) + 1e-6
            )  # where little is seen, as where more is
    a, b = grey.chunk(2)
    changed, left = (_blur((a - x).square(), _WINDOW) for x in (b, warp(b, flow)))
    # What standing still explains as well stands still: a plain ground behind a moving thing.
    return torch.where(changed - left > torch.clamp(_SHARE * changed, min=_LEAST**2), flow, 0.0)


def _step(a: Tensor, b: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """The displacement that best explains, in a window around each pixel, what is left between a and the warped b; and
    how far to trust it.
    """
    warped = warp(b, flow)
    gx, gy = _gradient((a + warped) / 2)
    rest = a - warped
    xx, yy, xy, xr, yr = _blur(torch.cat([gx * gx, gy * gy, gx * gy, gx * rest, gy * rest], dim=1), _WINDOW).unbind(
        dim=1
    )
    xx, yy = xx + _DAMPING, yy + _DAMPING
    determinant = xx * yy - xy * xy
    step = torch.stack([(yy * xr - xy * yr) / determinant, (xx * yr - xy * xr) / determinant], dim=1).clamp(-1, 1)
    weakest = (xx + yy) / 2 - ((xx - yy).square() / 4 + xy.square()).sqrt()  # of the two directions
    return step, (weakest / (weakest + 5 * _DAMPING))[:, None]


def _gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    x = F.pad(image, (1, 1, 1, 1), mode="replicate")
    return (x[..., 1:-1, 2:] - x[..., 1:-1, :-2]) / 2, (x[..., 2:, 1:-1] - x[..., :-2, 1:-1]) / 2


def _blur(x: Tensor, sigma: float) -> Tensor:
    reach = round(3 * sigma)
    places = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-(places**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), kernel, groups=x.shape[1])
    return F.conv2d(F.pad(x, (0, 0, reach, reach), mode="replicate"), kernel.transpose(2, 3), groups=x.shape[1])


def _enlarged(flow: Tensor, like: Tensor) -> Tensor:
    (h, w), (new_h, new_w) = flow.shape[-2:], like.shape[-2:]
    scale = torch.tensor([new_w / w, new_h / h], device=flow.device).view(1, 2, 1, 1)
    return F.interpolate(flow, (new_h, new_w), mode="bilinear", align_corners=False) * scale


def _median(flow: Tensor) -> Tensor:
    """Median of 3 x 3 neighbours, each component by itself."""
    patches = F.pad(flow, (1, 1, 1, 1), mode="replicate").unfold(2, 3, 1).unfold(3, 3, 1).flatten(-2)
    return patches.median(dim=-1).values
