"""The loop all of the miniature's weights are learnt in: resumable, and the same however often it was interrupted."""

import math
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor

SAVE_EVERY = 200  # steps


def share() -> tuple[int, int]:
    """This process's number and how many there are. `torchrun --nproc-per-node 2` in python's place begins two, each
    with half of every batch: on a CPU that is quicker than two threads, for layers are too small to be cut up."""
    if "WORLD_SIZE" in os.environ and not dist.is_initialized():
        dist.init_process_group("gloo")
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def _average_gradients(parameters: Iterable[Tensor]) -> None:
    """Over all processes, so that they go on with the same weights."""
    found = [value.grad for value in parameters if value.grad is not None]
    flat = torch.cat([grad.flatten() for grad in found])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for grad, part in zip(found, flat.split([grad.numel() for grad in found]), strict=True):
        grad.copy_(part.view_as(grad))


def adamw(parameters: list[Tensor], lr: float) -> torch.optim.Optimizer:
    """Without weight decay: everything is seen often enough."""
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=0, fused=True)


def fit(
    stage: str, parameters: dict[str, Tensor], loss_at, steps: int, lr: float, folder: Path, optimizer_of=adamw,
    save_every: int | None = None,
) -> Iterator[tuple[int, float]]:  # fmt: skip
    """Warm-up and a cosine, an exponential mean of the weights, one (step, loss) per step; leaves the mean in
    `parameters`. The state is kept every `save_every` steps, SAVE_EVERY unless it is said.
    """
    state_file = folder / f"{stage}.state"
    optimizer = optimizer_of(list(parameters.values()), lr)
    mean = {key: value.detach().clone() for key, value in parameters.items()}
    done = 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True, map_location=next(iter(parameters.values())).device)
        done, mean = state["step"], state["mean"]
        optimizer.load_state_dict(state["optimizer"])
        for key, value in parameters.items():
            value.data.copy_(state["weights"][key])
    for step in range(done, steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min((step + 1) / 200, 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        if dist.is_initialized():
            _average_gradients(parameters.values())
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        decay = min(0.999, (step + 1) / (step + 10))
        for key, value in parameters.items():
            mean[key].lerp_(value.detach(), 1 - decay)
        yield step, loss.item()
        if ((step + 1) % (save_every or SAVE_EVERY) == 0 or step + 1 == steps) and share()[0] == 0:
            weights = {key: value.detach() for key, value in parameters.items()}
            torch.save(
                {"step": step + 1, "mean": mean, "weights": weights, "optimizer": optimizer.state_dict()},
                f"{state_file}.part",
            )
            Path(f"{state_file}.part").replace(state_file)
    for key, value in parameters.items():
        value.data.copy_(mean[key])


def write(weights: dict[str, Tensor], output: Path) -> None:
    """A checkpoint in half precision, whole or not at all."""
    part = output.with_suffix(".part")
    save_file({key: value.half().cpu().contiguous() for key, value in weights.items()}, part)
    part.replace(output)


def report(stage: str, records: Iterator[tuple[int, float]], steps: int) -> None:
    """Run a stage to its end; every 50 steps the mean loss of the last 100, and the minutes left."""
    start, first, recent = time.monotonic(), None, []
    for step, loss in records:
        first = step if first is None else first
        recent = [*recent[-99:], loss]
        if (step + 1) % 50 == 0:
            left = (time.monotonic() - start) / (step + 1 - first) * (steps - step - 1)
            print(f"{stage} {step + 1}/{steps}  loss {np.mean(recent):.5f}  {left / 60:.0f} min left", flush=True)
