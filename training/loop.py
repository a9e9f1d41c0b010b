"""The training loop as a generator: it yields after every step, its caller shows, saves, cancels."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .loss_scale import LossScale
from .schedule import constant

PATIENCE = 30  # steps in a row that may come to nothing; loss scaling needs 16 to come down from its start

_SKIPPED = -1.0  # in a file, which holds numbers alone


@dataclass(frozen=True)
class TrainStep:
    """One finished step, counted from 1; loss and norm of its gradient, both NaN where the step was skipped."""

    step: int
    loss: float
    grad_norm: float


@dataclass
class Run:
    """What a run has to remember to go on exactly where it stopped: the loss of every step done (NaN: skipped, its
    gradient was no number), parameters, AdamW's moments and the loss scale.
    """

    parameters: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    losses: list[float]
    scale: LossScale | None = None  # in fp16

    @property
    def learnt(self) -> list[float]:
        """The losses of the steps that were taken."""
        return [loss for loss in self.losses if not math.isnan(loss)]

    @property
    def skipped(self) -> int:
        """How many steps were left out because their loss or gradient was no number."""
        return len(self.losses) - len(self.learnt)

    def state(self) -> dict[str, Tensor]:
        """As flat tensors, for a file."""
        tensors = {f"weights.{name}": value.detach() for name, value in self.parameters.items()}
        for name, value in self.parameters.items():
            for key, moment in self.optimizer.state.get(value, {}).items():
                tensors[f"{key}.{name}"] = moment
        tensors |= {"loss_scale": self.scale.state()} if self.scale else {}
        losses = [_SKIPPED if math.isnan(loss) else loss for loss in self.losses]
        return tensors | {"losses": torch.tensor(losses, dtype=torch.float64)}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.losses = [math.nan if loss == _SKIPPED else loss for loss in tensors["losses"].tolist()]
        if self.scale and "loss_scale" in tensors:
            self.scale.restore(tensors["loss_scale"])
        fused = self.optimizer.defaults.get("fused")
        for name, value in self.parameters.items():
            value.copy_(tensors[f"weights.{name}"])
            if f"step.{name}" not in tensors:  # no step of the run was taken
                continue
            self.optimizer.state[value] = {
                key: tensors[f"{key}.{name}"].to(value.device if key != "step" or fused else "cpu")
                for key in ("step", "exp_avg", "exp_avg_sq")
            }


def new_run(parameters: Mapping[str, Tensor], learning_rate: float, rates: Mapping[str, float] | None = None,
            scale: LossScale | None = None) -> Run:  # fmt: skip
    """A run from step 0. AdamW as in LAMP's release (betas 0.9 and 0.999, weight decay 0.01), as one kernel on a GPU.

    `rates`: part of a parameter's name -> factor on the learning rate. `scale`: for a forward pass in fp16.
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
        fused=all(value.is_cuda for value in parameters.values()) or None,
    )
    return Run(dict(parameters), optimizer, [], scale)


def train(run: Run, loss_at: Callable[[int, torch.Generator], Tensor], steps: int, seed: int,
          max_grad_norm: float = 1.0,
          rate: Callable[[int, int], float] = constant) -> Iterator[TrainStep]:  # fmt: skip
    """Train up to `steps`, from wherever the run is. loss_at(step, generator) -> scalar with a gradient; rate: of
    schedule.py.

    Every step has a generator of its own, so that a resumed run draws what an unbroken one would have drawn. A step
    whose loss or gradient is no number changes nothing and is counted in `Run.skipped`. Raises ValueError where
    PATIENCE of them come in a row; the run is then as after its last good step.
    """
    for step in range(len(run.losses), steps):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        for group in run.optimizer.param_groups:
            group["lr"] = group["full_rate"] * rate(step, steps)
        loss = loss_at(step, generator)
        norm = _learn_from(run, loss, max_grad_norm)
        run.losses.append(math.nan if math.isnan(norm) else loss.item())
        patience = min(PATIENCE, steps)
        if len(run.losses) >= patience and all(map(math.isnan, run.losses[-patience:])):
            del run.losses[-patience:]
            raise ValueError(
                f"Loss or gradient were no numbers for {patience} steps, from step {len(run.losses) + 1} on: lower the "
                "learning rate, or train in fp32."
            )
        yield TrainStep(step + 1, run.losses[-1], norm)


def _learn_from(run: Run, loss: Tensor, max_grad_norm: float) -> float:
    """One step, unless loss or gradient are no numbers; returns the gradient's norm, NaN for no step."""
    parameters, finite, norm = list(run.parameters.values()), bool(torch.isfinite(loss)), math.nan
    run.optimizer.zero_grad()
    if finite:
        (run.scale.scaled(loss) if run.scale else loss).backward()
        if run.scale:
            run.scale.unscale(parameters)
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, max_grad_norm))
        finite = math.isfinite(norm)
    if finite:
        run.optimizer.step()
    if run.scale:
        run.scale.update(finite)
    return norm if finite else math.nan
