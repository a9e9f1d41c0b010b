"""Make frames agree with the first one: means and spreads of latents (AdaIN), histograms of pictures."""

import torch
from torch import Tensor


def adain(content: Tensor, style: Tensor) -> Tensor:
    """Adaptive instance normalisation: content with the mean and spread of `style`, per frame and channel (`f c h w`,
    or `1 c h w` for style).

    Huang and Belongie, arXiv 1703.06868, equation 8; unbiased variance plus 1e-8 as in LAMP's release.
    """
    mean, std = content.mean((-2, -1), keepdim=True), (content.var((-2, -1), keepdim=True) + 1e-8).sqrt()
    style_mean, style_std = style.mean((-2, -1), keepdim=True), (style.var((-2, -1), keepdim=True) + 1e-8).sqrt()
    return (content - mean) / std * style_std + style_mean


def match_statistics(latents: Tensor, begins: int = 1) -> Tensor:
    """Frames from `begins` on with the first frame's mean and spread, `f c h w`, or of a video model's clips
    `b c f h w` each clip's with its own first frame's; those before are returned as they are.

    Computed in fp32.
    """
    frames = latents.movedim(2, 0) if latents.ndim == 5 else latents
    if len(frames) <= begins:
        return latents
    matched = torch.cat([frames[:begins], adain(frames[begins:].float(), frames[:1].float()).to(frames)])
    return matched.movedim(0, 2) if latents.ndim == 5 else matched


def match_histograms(images: Tensor, begins: int = 1) -> Tensor:
    """Frames from `begins` on with the first frame's histogram, per colour, in 256 levels: `f h w c` in [0, 1] -> same.

    LAMP's release: each level becomes the first frame's level at the same place of the cumulative histogram. Values
    beyond 0 and 1 count as those, as in every saved picture; a fourth channel is transparency, which stays.
    """
    levels = (images[..., :3].clamp(0, 1) * 255).to(torch.uint8)
    out = images.clone()
    for c in range(levels.shape[-1]):
        target = _cumulative(levels[:1, ..., c])
        for f in range(begins, len(levels)):
            table = torch.searchsorted(target, _cumulative(levels[f, ..., c])).clamp(max=255)
            out[f, ..., c] = table[levels[f, ..., c].long()].to(torch.uint8).float() / 255
    return out


def _cumulative(levels: Tensor) -> Tensor:
    counts = torch.bincount(levels.flatten().long(), minlength=256)
    return (counts.double() / counts.sum()).cumsum(
        0
    )  # summed as shares: the rounding decides between equal levels as in the release
