"""What masks add to a training objective (the mask-predictor paper): L = L_rec + alpha * L_mask, frame 0 in neither.

Everything is in sigma space, x = x0 + sigma * eps, where a model's denoised is x0-hat whatever it predicts. With the
paper's abar, sigma^2 = (1 - abar) / abar. No tensor is detached: the mask's error reaches the UNet.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..motion_modules.mask_predictor import MaskContext, MaskPredictor, mix_first_frame, resize_masks

WEIGHTINGS = ("constant", "noise level", "rising", "falling")
TARGETS = ("hard", "soft")


@dataclass(frozen=True)
class MaskSettings:
    """How a run learns from masks; kept in the adapter's metadata."""

    mask_input: str = "x0"
    mask_weight: float = 1.0  # alpha
    mask_weighting: str = "noise level"
    mask_targets: str = "hard"
    split: bool = False
    split_weight: float = 0.1  # beta

    @property
    def is_scheduled(self) -> bool:
        """Whether a step's weight depends on how many steps there will be."""
        return self.mask_weighting in ("rising", "falling")


def predictor_input(kind: str, x: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
    """What the predictor sees of a forward pass, `b f c h w`: x0-hat, or the predicted noise (x - x0-hat) / sigma;
    sigma `b`.
    """
    return denoised if kind == "x0" else (x - denoised) / sigma.view(-1, 1, 1, 1, 1)


def alpha_at(weighting: str, alpha: float, sigma: Tensor, step: int, steps: int) -> Tensor:
    """The mask loss's weight for clips at noise levels sigma `b`, in step `step` of `steps`, from 0 -> `b`.

    constant: the paper's. noise level: alpha / (1 + sigma^2) = alpha * abar, since x0-hat's gradient grows with sigma.
    rising: nothing for the first quarter, then linearly up to alpha at half. falling: a cosine from alpha to a
    hundredth of it at the end.
    """
    done = step / steps
    if weighting == "noise level":
        return alpha / (1 + sigma**2)
    if weighting == "rising":
        alpha *= min(max(4 * done - 1, 0.0), 1.0)
    elif weighting == "falling":
        alpha *= 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2
    return torch.full_like(sigma, alpha)


def mask_targets(masks: Tensor, targets: str) -> Tensor:
    """What the predictor is to say, from masks at the latent's size; hard: 0 or 1, as the paper's y; soft: how much of
    a position is subject.
    """
    return (masks >= 0.5).to(masks) if targets == "hard" else masks


def mask_loss(logits: Tensor, masks: Tensor, weight: Tensor) -> Tensor:
    """Binary cross entropy of logits and masks `b f h w` over all frames but the first, each clip by its weight `b`."""
    error = F.binary_cross_entropy_with_logits(logits[:, 1:].float(), masks[:, 1:].float(), reduction="none")
    return (weight * error.mean(dim=(1, 2, 3))).mean()


def split_loss(gates: Sequence[Tensor], masks: Tensor) -> Tensor:
    """Mean over split layers of the cross entropy between what each takes for the subject, logits `b f h w`, and the
    masks at its size.
    """
    everywhere = torch.ones(len(masks), device=masks.device)
    return torch.stack(
        [mask_loss(gate, resize_masks(masks, gate.shape[-2], gate.shape[-1]), everywhere) for gate in gates]
    ).mean()


class MaskLearner(nn.Module):
    """What learns from masks beside the motion layers: a predictor, or the mask-conditioned baseline's convolution."""

    def __init__(self, settings: MaskSettings, steps: int, scale: Tensor, shift: Tensor):
        super().__init__()
        self.settings, self.steps = settings, steps
        is_baseline = settings.mask_input == "conditioned"
        self.mask_predictor = None if is_baseline else MaskPredictor(len(scale), scale=scale, shift=shift)
        self.mask_context = MaskContext(len(scale)) if is_baseline else None

    def watch(self, model: Callable[[Tensor, Tensor], Tensor], masks: Tensor, input_scale: Tensor) -> "Watched":
        """The denoiser of a step, looked at: give it to the loss, then ask it for its own `loss`.

        Masks `b f h w` at the latents' size; input_scale `b`.
        """
        return Watched(model, self, masks, input_scale)

    def loss(
        self, x: Tensor, denoised: Tensor, sigma: Tensor, masks: Tensor, gates: Sequence[Tensor], step: int
    ) -> Tensor:
        """What masks `b f h w` add to the loss of a forward pass."""
        total = denoised.new_zeros(())
        if self.mask_predictor is not None:
            alpha = alpha_at(self.settings.mask_weighting, self.settings.mask_weight, sigma, step, self.steps)
            logits = self.mask_predictor(predictor_input(self.settings.mask_input, x, denoised, sigma))
            total = total + mask_loss(logits, mask_targets(masks, self.settings.mask_targets), alpha)
        if gates:
            total = total + self.settings.split_weight * split_loss(gates, masks)
        return total


@dataclass
class Watched:
    """A denoiser that keeps what went in and came out, and with the baseline mixes the first frame with its mask."""

    model: Callable[[Tensor, Tensor], Tensor]
    learner: MaskLearner
    masks: Tensor
    input_scale: Tensor

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        if self.learner.mask_context is not None:
            x = mix_first_frame(self.learner.mask_context, x, self.masks[:, 0], self.input_scale)
        self.x, self.sigma, self.denoised = x, sigma, self.model(x, sigma)
        return self.denoised

    def loss(self, gates: Sequence[Tensor], step: int) -> Tensor:
        """What the masks add to the loss of the pass just watched; gates: split layers' logits `b f h w`."""
        return self.learner.loss(self.x, self.denoised, self.sigma, self.masks, gates, step)
