"""Numbers as pictures, where people would rather look: a line per video over its frames, frames side by side, flow in
colours.
"""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from .report import Series, short

_BACK, _INK, _RULE = (24, 24, 28), (220, 220, 220), (60, 60, 68)
_COLOURS = ((240, 150, 40), (90, 170, 250), (120, 210, 120), (230, 110, 160), (180, 150, 250), (250, 220, 90))
_SIDE = 96  # px, height of a picture in a contact sheet
_LABEL = 130  # px


def curves(series: Series, size: tuple[int, int] = (640, 240)) -> Tensor:
    """A panel per name, in it a line per video over its frames => IMAGE 1 h w 3."""
    width, height = size
    canvas = Image.new("RGB", (width, height * len(series)), _BACK)
    draw = ImageDraw.Draw(canvas)
    for row, (name, lines) in enumerate(series.items()):
        values = torch.cat([line.double() for line in lines])
        values = values[torch.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        top, span = row * height, max(high - low, 1e-12)
        longest = max(map(len, lines))
        for i, line in enumerate(lines):
            points = [(8 + (width - 16) * (j + 0.5) / longest,
                       top + height - 8 - (height - 36) * (float(value) - low) / span)
                      for j, value in enumerate(line) if torch.isfinite(value)]  # fmt: skip
            colour = _COLOURS[i % len(_COLOURS)]
            if len(points) > 1:
                draw.line(points, fill=colour, width=2)
            for x, y in points:
                draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
        draw.text((8, top + 4), f"{name}   {short(low)} to {short(high)}", fill=_INK)
    return _image(canvas)


def contact_sheet(rows: dict[str, Tensor], columns: int = 8) -> Tensor:
    """A labelled row of up to `columns` pictures, evenly spread, for each `f c h w` in [0, 1] => IMAGE 1 h w 3."""
    drawn = []
    for name, pictures in rows.items():
        chosen = (
            pictures[torch.linspace(0, len(pictures) - 1, min(columns, len(pictures))).round().long()].float().cpu()
        )
        width = max(8, round(_SIDE * chosen.shape[-1] / chosen.shape[-2]))
        small = F.interpolate(chosen, (_SIDE, width), mode="bilinear", antialias=True, align_corners=False)
        drawn.append((name, (small.clamp(0, 1) * 255).round().byte().movedim(1, -1).numpy()))
    canvas = Image.new("RGB", (_LABEL + max(len(p) * p.shape[2] for _, p in drawn), _SIDE * len(drawn)), _BACK)
    draw = ImageDraw.Draw(canvas)
    for row, (name, pictures) in enumerate(drawn):
        draw.multiline_text((6, row * _SIDE + 6), name, fill=_INK)
        for i, picture in enumerate(pictures):
            canvas.paste(Image.fromarray(picture), (_LABEL + i * picture.shape[1], row * _SIDE))
    return _image(canvas)


def flow_colours(flow: Tensor) -> Tensor:
    """b 2 h w => b 3 h w in [0, 1]: hue is the direction, strength the length, white is still, the longest full."""
    length = flow.square().sum(dim=1, keepdim=True).sqrt()
    length = length / length.max().clamp(min=1.0)
    hue = torch.atan2(flow[:, 1:], flow[:, :1]) / (2 * torch.pi) * 6
    offsets = torch.tensor([0.0, 4.0, 2.0], device=flow.device).view(1, 3, 1, 1)
    pure = (((hue + offsets) % 6 - 3).abs() - 1).clamp(0, 1)
    return 1 - length * (1 - pure)


def _image(canvas: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(canvas).astype(np.float32) / 255)[None]
