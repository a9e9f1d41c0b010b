"""What tells a clip's subject from its background (the mask-predictor paper, after LAMP): a small network on latents,
and the mask-conditioned baseline.

Axes as in layers.py; latents `b f c h w` are scaled as the UNet sees them, masks `b f h w` are 1 on the subject, 0 on
the background.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PREDICTOR, CONTEXT = "mask_predictor.", "mask_context."  # in front of their tensors' names in an adapter's file
INPUTS = (
    "x0",
    "noise",
    "conditioned",
)  # what learns from masks: a predictor on x0-hat, on the predicted noise, or the baseline
_FLAT = 1e-3  # variance below which a channel of a frame is taken for flat


class MaskPredictor(nn.Module):
    """Three convolutions per frame, latent -> logit of the subject's probability (section 3.2 of the paper).

    Kernel 3, 64 channels and SiLU are ours, the paper names none. Ours too: every channel of a frame gets mean 0 and
    variance 1 first. A subject is what differs from the rest of its picture, and eight clips are too few to learn that
    from absolute values (`python3 dev study mask_norm`, docs/mask_norm.md). `scale` and `shift`, `c`: how a LATENT
    becomes what the UNet sees.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, channels: int = 4, hidden: int = 64, scale: Tensor | float = 1.0, shift: Tensor | float = 0.0):
        super().__init__()
        self.conv_1 = nn.Conv2d(channels, hidden, 3, padding=1)
        self.conv_2 = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.conv_3 = nn.Conv2d(hidden, 1, 3, padding=1)
        self.register_buffer("scale", torch.ones(channels) * scale)
        self.register_buffer("shift", torch.ones(channels) * shift)

    def forward(self, x: Tensor) -> Tensor:
        """`b f c h w` -> logits `b f h w`."""
        y = F.instance_norm(x.flatten(0, 1), eps=_FLAT)
        y = self.conv_3(F.silu(self.conv_2(F.silu(self.conv_1(y)))))
        return y[:, 0].unflatten(0, x.shape[:2])

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> MaskPredictor:
        """The predictor among an adapter's tensors, on the CPU, to be used.

        Raises KeyError where there is none.
        """
        own = {
            name.removeprefix(PREDICTOR): tensor.float().cpu()
            for name, tensor in tensors.items()
            if name.startswith(PREDICTOR)
        }
        hidden, channels = own["conv_1.weight"].shape[:2]
        predictor = cls(channels, hidden)
        predictor.load_state_dict(own)
        return predictor.requires_grad_(False).eval()

    @torch.no_grad()
    def probabilities(self, latents: Tensor, frames: int = 64) -> Tensor:
        """The subject's probability in finished latents `f c h w` as a LATENT holds them -> `f h w`, so many frames at
        a time.
        """
        scaled = latents * self.scale[:, None, None] + self.shift[:, None, None]
        return torch.cat([torch.sigmoid(self(part[None])[0]) for part in scaled.split(frames)])


class MaskContext(nn.Module):
    """The mask-conditioned baseline: the clean first frame and its mask through a 1x1 convolution, 5 channels to 4.

    Starts as the identity on the latent, so that training starts from LAMP (the paper leaves its start open).
    """

    def __init__(self, channels: int = 4):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(channels, channels + 1)[:, :, None, None])
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, z0: Tensor, mask: Tensor) -> Tensor:
        """First frames `b c h w`, masks `b h w` -> `b c h w`."""
        return F.conv2d(torch.cat([z0, mask[:, None].to(z0)], dim=1), self.weight.to(z0), self.bias.to(z0))

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> MaskContext | None:
        """The baseline's convolution among an adapter's tensors, None where there is none."""
        own = {
            name.removeprefix(CONTEXT): tensor.float().cpu()
            for name, tensor in tensors.items()
            if name.startswith(CONTEXT)
        }
        if not own:
            return None
        context = cls(len(own["bias"]))
        context.load_state_dict(own)
        return context.requires_grad_(False)


def mix_first_frame(context: MaskContext, x: Tensor, mask: Tensor, input_scale: Tensor) -> Tensor:
    """x `b f c h w` in sigma space with what the UNet sees of frame 0 mixed with its mask `b h w`.

    input_scale, `b` or a number: what the model multiplies x by, so that the convolution's own result arrives at the
    UNet.
    """
    scale = input_scale.reshape(-1, 1, 1, 1)
    return torch.cat([(context(x[:, 0] * scale, mask) / scale)[:, None], x[:, 1:]], dim=1)


def resize_masks(masks: Tensor, height: int, width: int) -> Tensor:
    """Masks `… h w` at another size: bilinear, the tent as wide as what a position covers, so that thin limbs between
    two pixels are not lost.
    """
    flat = masks.reshape(-1, 1, *masks.shape[-2:]).float()
    resized = F.interpolate(flat, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
    return resized.reshape(*masks.shape[:-2], height, width).clamp(0, 1)
