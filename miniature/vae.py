"""The miniature's autoencoder, in TAESD's shape.

The encoder is written down, not learned: the three colour channels are each cell's mean colour, the fourth its right
half's brightness minus its left half's. So a latent is readable by eye, any photograph encodes to its own mosaic, and
the encoder has no error of its own. The decoder is learned: it redraws 8x8 px out of every cell and its neighbours.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

SCALE = 0.18215  # SD 1.x's latent scale; the UNet sees the encoder's output itself
COLOUR_GAIN, DETAIL_GAIN = 4.0, 10.0  # both bring the world's latents to a spread of about 1


def encode(pictures: Tensor) -> Tensor:
    """Pictures (b 3 H W) in [0, 1] -> latents (b 4 H/8 W/8) as the UNet sees them: what the encoder's weights compute,
    in closed form.
    """
    halves = F.avg_pool2d(pictures, (8, 4))
    left, right = halves[..., 0::2], halves[..., 1::2]
    colour = ((left + right) / 2 - 0.5) * COLOUR_GAIN
    detail = (right - left).mean(dim=1, keepdim=True) * DETAIL_GAIN
    return torch.cat([colour, detail], dim=1)


def encoder_weights(encoder: torch.nn.Module) -> dict[str, Tensor]:
    """`encode` as the weights of a TAESD encoder: zero residual branches (a ReLU of something positive is itself), 2x2
    means in the strided convolutions (taps 1 and 2 of three), the signed detail carried as two positive channels."""
    weights = {key: torch.zeros_like(value) for key, value in encoder.state_dict().items()}
    colours = range(3)
    for c in colours:
        weights["0.weight"][c, c, 1, 1] = 1
        for strided in (2, 6, 10):
            weights[f"{strided}.weight"][c, c, 1:, 1:] = 0.25
        for sign, channel in ((1, 3), (-1, 4)):  # at the last halving: right minus left, and left minus right
            weights["10.weight"][channel, c, 1:, 2] = sign * 0.5 / 3
            weights["10.weight"][channel, c, 1:, 1] = -sign * 0.5 / 3
        weights["14.weight"][c, c, 1, 1] = COLOUR_GAIN
        weights["14.bias"][c] = -COLOUR_GAIN / 2
    weights["14.weight"][3, 3, 1, 1], weights["14.weight"][3, 4, 1, 1] = DETAIL_GAIN, -DETAIL_GAIN
    return weights
