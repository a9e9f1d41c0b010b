"""The autoencoder of the miniature's second edition: pictures with figures to four 16x16 latents and back.

Its layers are TAESD's, which ComfyUI reads out of a checkpoint, but narrower where pictures are large: what it has
less than TAESD's 64 channels is written as zeros, and layers that TAESD has more than these are, too (a block of zeros
hands on what it is given). So the file is of TAESD's shape and computes the same.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (24, 48, 64, 64)  # channels at 128, 64, 32 and 16 px
BLOCKS = (0, 1, 3, 3)  # of the encoder at each, at most one and three times three, as TAESD
DECODER_BLOCKS = (0, 1, 3, 3)


class Block(nn.Module):
    """Three convolutions around an identity; `x` (b c h w) is positive, so zeros in the last one change nothing."""

    def __init__(self, width: int):
        super().__init__()
        layers = [nn.Conv2d(width, width, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x) + x)


class Clamp(nn.Module):
    """TAESD's: latents beyond 3 are as good as 3."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


def new_encoder() -> nn.Sequential:
    """Pictures (b 3 H W) in [0, 1] to latents (b 4 H/8 W/8) of a spread of about 1; layers numbered as TAESD's."""
    layers: list[nn.Module] = [nn.Conv2d(3, WIDTHS[0], 3, padding=1), *_blocks(WIDTHS[0], BLOCKS[0], 1)]
    for before, width, count in zip(WIDTHS, WIDTHS[1:], BLOCKS[1:], strict=False):
        layers += [nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False), *_blocks(width, count, 3)]
    return initialise(nn.Sequential(*layers, nn.Conv2d(WIDTHS[3], 4, 3, padding=1)))


def new_decoder() -> nn.Sequential:
    """Latents (b 4 h w) to pictures (b 3 8h 8w), in [0, 1] give or take a little; layers numbered as TAESD's."""
    layers: list[nn.Module] = [
        Clamp(),
        nn.Conv2d(4, WIDTHS[3], 3, padding=1),
        nn.ReLU(),
        *_blocks(WIDTHS[3], DECODER_BLOCKS[3], 3),
    ]
    for level in (2, 1, 0):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(WIDTHS[level + 1], WIDTHS[level], 3, padding=1, bias=False)]
        layers += _blocks(WIDTHS[level], DECODER_BLOCKS[level], 3 if level else 1)
    decoder = initialise(nn.Sequential(*layers, nn.Conv2d(WIDTHS[0], 3, 3, padding=1)))
    nn.init.constant_(decoder[-1].bias, 0.5)  # begins with grey
    with torch.no_grad():
        decoder[-1].weight.mul_(0.2)
    return decoder


def initialise(half: nn.Sequential) -> nn.Sequential:
    """Weights as large as keeps what goes through them as large (He et al. 2015): PyTorch's own let it fade from layer
    to layer, and a training begins with its first hundreds of steps getting over that. Blocks begin as nothing."""
    for layer in half.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for block in half:
        if isinstance(block, Block):
            nn.init.zeros_(block.conv[-1].weight)
    return half


def _blocks(width: int, count: int, places: int) -> list[nn.Module]:
    """`count` blocks; ReLU stands in for those that TAESD has besides."""
    return [Block(width) if i < count else nn.ReLU() for i in range(places)]


def whole(module: nn.Sequential, shapes: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights at TAESD's full width, zeros where this one has none; `shapes`: TAESD's own, by name."""
    weights = {key: torch.zeros(value.shape) for key, value in shapes.items()}
    for key, value in module.state_dict().items():
        weights[key][tuple(slice(0, size) for size in value.shape)] = value.float().cpu()
    return weights


def narrow(module: nn.Sequential, weights: dict[str, Tensor]) -> None:
    """The way back from `whole`: give a half, in place, its own part of weights at TAESD's full width."""
    own = module.state_dict()
    module.load_state_dict({key: weights[key][tuple(map(slice, value.shape))] for key, value in own.items()})
