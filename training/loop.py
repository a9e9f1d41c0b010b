"""The training loop as a generator: it yields after every step, its caller shows, saves, cancels."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .schedule import constant


@dataclass(frozen=True)
class TrainStep:
    """One finished step, counted from 1."""

    step: int
    loss: float
    grad_norm: float


@dataclass
class Run:
    """What a run needs to go on exactly where it stopped: steps done, losses, parameters and AdamW's moments."""

    parameters: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    losses: list[float]

    def state(self) -> dict[str, Tensor]:
        """As flat tensors, for a file."""
        tensors = {f"weights.{name}": value.detach() for name, value in self.parameters.items()}
        for name, value in self.parameters.items():
            for key, moment in self.optimizer.state.get(value, {}).items():
                tensors[f"{key}.{name}"] = moment
        return tensors | {"losses": torch.tensor(self.losses, dtype=torch.float64)}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.losses = tensors["losses"].tolist()
        for name, value in self.parameters.items():
            value.copy_(tensors[f"weights.{name}"])
            keys = ("step", "exp_avg", "exp_avg_sq")
            self.optimizer.state[value] = {
                key: tensors[f"{key}.{name}"].to(value.device if key != "step" else "cpu") for key in keys
            }


def new_run(parameters: Mapping[str, Tensor], learning_rate: float, rates: Mapping[str, float] | None = None) -> Run:
    """A run from step 0. AdamW as in LAMP's release (betas 0.9 and 0.999, weight decay 0.01).

    `rates`: part of a parameter's name -> factor on the learning rate.
    """
    groups: dict[float, list[Tensor]] = {}
    for name, value in parameters.items():
        factor = next((factor for part, factor in (rates or {}).items() if part in name), 1.0)
        groups.setdefault(factor, []).append(value)
    optimizer = torch.optim.AdamW(
        [
            {"params": values, "lr": rate, "full_rate": rate}
            for rate, values in ((learning_rate * f, v) for f, v in groups.items())
        ],
        weight_decay=0.01,
    )
    return Run(dict(parameters), optimizer, [])


def train(run: Run, loss_at: Callable[[int, torch.Generator], Tensor], steps: int, seed: int,
          max_grad_norm: float = 1.0,
          rate: Callable[[int, int], float] = constant) -> Iterator[TrainStep]:  # fmt: skip
    """Train up to `steps`, from wherever the run is. loss_at(step, generator) -> scalar with a gradient; rate: of
    schedule.py.

    Every step has a generator of its own, so that a resumed run draws what an unbroken one would have drawn.
    Raises ValueError where the loss is no number any more.
    """
    for step in range(len(run.losses), steps):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        for group in run.optimizer.param_groups:
            group["lr"] = group["full_rate"] * rate(step, steps)
        run.optimizer.zero_grad()
        loss = loss_at(step, generator)
        if not torch.isfinite(loss):
            raise ValueError(
                f"The loss became {loss.item()} at step {step + 1}: lower the learning rate, or train in fp32."
            )
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(run.parameters.values(), max_grad_norm)
        run.optimizer.step()
        run.losses.append(loss.item())
        yield TrainStep(step + 1, loss.item(), float(norm))
