"""A training's losses as a picture."""

import torch
from PIL import Image, ImageDraw


def loss_curve(losses: list[float], size: tuple[int, int] = (480, 240)) -> Image.Image:
    """The losses so far and their running mean, as a small picture."""
    width, height = size
    picture = Image.new("RGB", size, (24, 24, 28))
    draw = ImageDraw.Draw(picture)
    values = torch.tensor(losses)
    window = max(1, len(losses) // 20)
    smooth = torch.nn.functional.avg_pool1d(values[None], window, 1)[0] if len(losses) > window else values
    top = max(float(values.quantile(0.98)), 1e-8)
    for series, colour in ((values, (70, 76, 92)), (smooth, (240, 150, 40))):
        xs = torch.linspace(0, width - 1, len(series)).tolist()
        ys = ((1 - series / top).clamp(0, 1) * (height - 20) + 16).tolist()
        if len(series) > 1:
            draw.line(list(zip(xs, ys, strict=True)), fill=colour, width=2)
    draw.text((6, 2), f"step {len(losses)}   loss {float(smooth[-1]):.4f}", fill=(220, 220, 220))
    return picture
