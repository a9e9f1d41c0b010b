"""How the learning rate runs over a training: a factor on it for every step."""

from collections.abc import Callable

_WARM_UP = 0.1  # of the steps; the recurrent paper's 1,600 of 16,000


def constant(step: int, steps: int) -> float:
    """1 in every step: the rate as it is set."""
    return 1.0


def warm_up_and_decay(step: int, steps: int) -> float:
    """Linearly up to 1 over the first tenth of the steps, then linearly towards 0; steps count from 0, and none of them
    is lost to a factor of 0.
    """
    warm = max(1, round(_WARM_UP * steps))
    return (step + 1) / warm if step < warm else (steps - step) / (steps - warm)


RATES: dict[str, Callable[[int, int], float]] = {"constant": constant, "warm-up, linear decay": warm_up_and_decay}
