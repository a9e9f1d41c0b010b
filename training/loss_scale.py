"""Loss scaling for half precision: the loss times a factor, so that small gradients are no zeros in fp16, and the
gradients divided by it again.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

_START, _GROWS_AFTER = 2.0**16, 2000  # PyTorch's own GradScaler has the same


class LossScale:
    """The factor: halved where a gradient is no number, doubled after 2,000 steps in a row that were."""

    def __init__(self, value: float = _START, streak: int = 0):
        self.value, self.streak = value, streak

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss to call backward on."""
        return loss * self.value

    @torch.no_grad()
    def unscale(self, parameters: Iterable[Tensor]) -> None:
        """Gradients as the plain loss would have given them, in place."""
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(1 / self.value)

    def update(self, finite: bool) -> None:
        """After a step, whether its gradients were numbers."""
        self.streak = self.streak + 1 if finite else 0
        if not finite:
            self.value = max(self.value / 2, 1.0)
        elif self.streak == _GROWS_AFTER:
            self.value, self.streak = self.value * 2, 0

    def state(self) -> Tensor:
        """As two numbers, for a file."""
        return torch.tensor([self.value, self.streak], dtype=torch.float64)

    def restore(self, state: Tensor) -> None:
        """The inverse of `state`."""
        self.value, self.streak = float(state[0]), int(state[1])
