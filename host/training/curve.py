"""A training's losses as a picture."""

import math

import torch
from PIL import Image, ImageDraw

_SIZE = 480, 240
_BACK, _GREY, _LINE, _WORDS = (24, 24, 28), (96, 104, 124), (240, 150, 40), (220, 220, 220)
_LEFT, _TOP, _BOTTOM = 44, 20, 16  # px beside the curve
_STEPS = 10  # that are smoothed at least


def card(lines: list[str]) -> Image.Image:
    """Lines of text as a small picture."""
    picture = Image.new("RGB", _SIZE, _BACK)
    ImageDraw.Draw(picture).multiline_text((12, 90), "\n".join(line for line in lines if line), fill=_WORDS, spacing=8)
    return picture


def smoothed(losses: list[float]) -> list[float]:
    """What a person can follow of losses: their mean over a twentieth of the run, ten steps at least, NaN left out."""
    window, result, held = max(_STEPS, len(losses) // 20), [], 0.0
    recent: list[float] = []
    for loss in losses:
        if not math.isnan(loss):
            recent.append(loss)
            held += loss
        if len(recent) > window:
            held -= recent.pop(0)
        result.append(held / len(recent) if recent else math.nan)
    return result


def loss_curve(losses: list[float], words: str = "") -> Image.Image:
    """The losses so far (NaN: a skipped step), their running mean and its scale, with words above them."""
    width, height = _SIZE
    picture = Image.new("RGB", _SIZE, _BACK)
    draw = ImageDraw.Draw(picture)
    smooth = smoothed(losses)
    known = torch.tensor([loss for loss in losses if not math.isnan(loss)] or [1.0])
    top, low = max(float(known.quantile(0.98)), 1e-8), 0.0
    for share in (0.0, 0.5, 1.0):
        y = _y(share * top, low, top)
        draw.line([(_LEFT, y), (width, y)], fill=(44, 46, 54))
        draw.text((4, y - 6), f"{share * top:.2g}", fill=_GREY)
    draw.text((_LEFT, height - 14), "0", fill=_GREY)
    draw.text((width - 48, height - 14), str(len(losses)), fill=_GREY)
    for series, colour, thick in ((losses, _GREY, 1), (smooth, _LINE, 2)):
        xs = torch.linspace(_LEFT, width - 1, max(2, len(series))).tolist()
        points = [(x, _y(value, low, top)) for x, value in zip(xs, series, strict=False) if not math.isnan(value)]
        if len(points) > 1:
            draw.line(points, fill=colour, width=thick)
    last = next((value for value in reversed(smooth) if not math.isnan(value)), math.nan)
    draw.text((6, 3), f"loss {last:.4f}   {words}", fill=_WORDS)
    return picture


def _y(value: float, low: float, top: float) -> float:
    share = min(max((value - low) / (top - low), 0.0), 1.0)
    return _TOP + (1 - share) * (_SIZE[1] - _TOP - _BOTTOM)
