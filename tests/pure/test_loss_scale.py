"""Loss scaling: it comes down until gradients are numbers, grows slowly, is undone, and is resumed with its run."""

import itertools

import pytest
import torch
from few_shot_motion.training.loop import new_run, train
from few_shot_motion.training.loss_scale import LossScale

NAN = float("nan")


def quadratic(seed: int):
    """A run whose loss needs random numbers in every step."""
    torch.manual_seed(seed)
    weight = torch.randn(6, requires_grad=True)
    run = new_run({"weight": weight}, learning_rate=0.05)
    return run, lambda step, generator: (weight - torch.randn(6, generator=generator)).square().mean()


def scaled(seed: int, value: float = 2.0**16):
    """As `quadratic`, with loss scaling, and a gradient that overflows beyond a scale of 2,000."""
    run, loss = quadratic(seed)
    run.scale = LossScale(value)

    def at(step, generator):
        return loss(step, generator) * (NAN if run.scale.value > 2000 else 1)

    return run, at


def test_the_loss_scale_comes_down_until_gradients_are_numbers_and_is_undone():
    run, loss = scaled(0)
    list(train(run, loss, 20, seed=3))
    assert run.scale.value == 1024 and run.skipped == 6
    plain, loss = quadratic(0)
    plain.losses = [NAN] * 6
    list(train(plain, loss, 20, seed=3))
    assert torch.allclose(run.parameters["weight"], plain.parameters["weight"], atol=1e-6)


def test_the_loss_scale_grows_after_2000_steps():
    scale = LossScale(8.0)
    for _ in range(1999):
        scale.update(True)
    assert scale.value == 8
    scale.update(True)
    assert (scale.value, scale.streak) == (16, 0)
    scale.update(False)
    assert scale.value == 8


@pytest.mark.parametrize("cut", [3, 9])  # while the scale comes down, and after it
def test_a_resumed_run_with_skipped_steps_and_a_scale_is_the_unbroken_one(cut):
    whole, loss = scaled(0)
    list(train(whole, loss, 20, seed=3))
    first, loss = scaled(0)
    list(itertools.islice(train(first, loss, 20, seed=3), cut))
    kept = {name: value.clone() for name, value in first.state().items()}
    second, loss = scaled(1, 4.0)
    if cut == 3:  # nothing was learnt by then: no moments to restore, but where the weights began
        assert not any(name.startswith("exp_avg") for name in kept)
    second.restore(kept)
    list(train(second, loss, 20, seed=3))
    assert second.learnt == whole.learnt and second.skipped == whole.skipped == 6
    assert torch.equal(second.parameters["weight"], whole.parameters["weight"])
    assert (second.scale.value, second.scale.streak) == (whole.scale.value, whole.scale.streak)
