"""The training objective against plain arithmetic, and a loop that can be cut anywhere."""

import math

import pytest
import torch
from few_shot_motion.training.clips import check_masks
from few_shot_motion.training.loop import PATIENCE, new_run, train
from few_shot_motion.training.loss import lamp_loss, video_loss
from few_shot_motion.training.memory import Part, check_memory, estimate
from few_shot_motion.training.schedule import RATES


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_loss_is_the_noise_error_of_all_frames_but_the_first(power):
    torch.manual_seed(0)
    x0, eps, sigma = torch.randn(2, 4, 3, 5, 5), torch.randn(2, 4, 3, 5, 5), torch.tensor([0.3, 6.0])
    scale, seen = 1 / (1 + sigma**2).sqrt(), []
    level = sigma.view(2, 1, 1, 1, 1)
    guess = torch.randn_like(x0)  # what the network says the noise is

    def model(x, sigma):
        seen.append(x * scale.view(2, 1, 1, 1, 1))
        return x - level * guess

    loss = lamp_loss(model, x0, eps, sigma, scale, power)
    expected = (guess - eps)[:, 1:]
    if power == 1:  # v = (eps - sigma x0) / sqrt(1 + sigma^2), at the x that was shown
        x = x0 + level * eps
        v = lambda noise: (noise - level * (x - level * noise)) / (1 + level**2).sqrt()  # noqa: E731
        expected = (v(guess) - v(eps))[:, 1:]
    elif power:
        expected = expected * (1 + level**2) ** (power / 2)
    assert loss == pytest.approx(expected.square().mean().item(), rel=1e-4)
    assert torch.allclose(seen[0][:, 0], x0[:, 0], atol=1e-6)  # the first frame arrives clean
    abar = 1 / (1 + level**2)
    assert torch.allclose(seen[0][:, 1:], (abar.sqrt() * x0 + (1 - abar).sqrt() * eps)[:, 1:], atol=1e-5)


def test_a_last_frame_that_is_given_arrives_clean_and_counts_no_more_than_the_first():
    torch.manual_seed(0)
    x0, eps, sigma = torch.randn(2, 4, 3, 5, 5), torch.randn(2, 4, 3, 5, 5), torch.tensor([0.3, 6.0])
    scale, level, guess = 1 / (1 + sigma**2).sqrt(), sigma.view(2, 1, 1, 1, 1), torch.randn(2, 4, 3, 5, 5)
    seen = []
    model = lambda x, sigma: seen.append(x * scale.view(2, 1, 1, 1, 1)) or x - level * guess  # noqa: E731
    loss = lamp_loss(model, x0, eps, sigma, scale, 0.0, 1)
    assert loss == pytest.approx((guess - eps)[:, 1:-1].square().mean().item(), rel=1e-4)
    assert torch.allclose(seen[0][:, [0, -1]], x0[:, [0, -1]], atol=1e-6)
    assert torch.allclose(seen[0][:, 1:-1], ((x0 + level * eps) * scale.view(2, 1, 1, 1, 1))[:, 1:-1])


def test_loss_without_a_first_frame_counts_every_frame():
    torch.manual_seed(0)
    x0, eps, sigma = torch.randn(2, 4, 3, 5, 5), torch.randn(2, 4, 3, 5, 5), torch.tensor([0.3, 6.0])
    level, guess = sigma.view(2, 1, 1, 1, 1), torch.randn(2, 4, 3, 5, 5)
    seen = []
    loss = video_loss(lambda x, sigma: seen.append(x) or x - level * guess, x0, eps, sigma, torch.ones(2))
    assert loss == pytest.approx((guess - eps).square().mean().item(), rel=1e-4)
    assert torch.allclose(seen[0], x0 + level * eps)


def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_to_nothing():
    rates = [RATES["warm-up, linear decay"](step, 50) for step in range(50)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0]) and rates[5] == 1
    assert rates[5:] == pytest.approx([(50 - step) / 45 for step in range(5, 50)]) and rates[-1] > 0
    assert {RATES["constant"](step, 50) for step in range(50)} == {1.0}
    assert all(0 < RATES[name](0, 1) <= 1 for name in RATES)


def test_a_schedule_is_a_factor_on_every_group():
    run = new_run(
        {"a.to_q.delta.x": torch.ones(1, requires_grad=True), "b": torch.ones(1, requires_grad=True)},
        0.01,
        {".to_q.delta.": 0.1},
    )
    loss = lambda *_: sum(value.square().sum() for value in run.parameters.values())  # noqa: E731
    seen = [
        sorted(group["lr"] for group in run.optimizer.param_groups)
        for _ in train(run, loss, 4, 0, rate=lambda step, steps: step / steps)
    ]
    assert seen == [pytest.approx([0.001 * step / 4, 0.01 * step / 4]) for step in range(4)]


def quadratic(seed: int):
    """A run whose loss needs random numbers in every step."""
    torch.manual_seed(seed)
    weight = torch.randn(6, requires_grad=True)
    run = new_run({"weight": weight}, learning_rate=0.05)
    return run, lambda step, generator: (weight - torch.randn(6, generator=generator)).square().mean()


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit():
    whole, loss = quadratic(0)
    list(train(whole, loss, 20, seed=3))
    first, loss = quadratic(0)
    list(train(first, loss, 9, seed=3))
    kept = {name: value.clone() for name, value in first.state().items()}
    second, loss = quadratic(1)  # another start: everything must come from what was kept
    second.restore(kept)
    steps = [done.step for done in train(second, loss, 20, seed=3)]
    assert steps == list(range(10, 21))
    assert second.losses == whole.losses
    assert torch.equal(second.parameters["weight"], whole.parameters["weight"])


def test_a_step_is_adamws_with_the_releases_decay_and_clipping():
    """The gradient's norm is told as it came and cut to 1; AdamW's first step is the rate along its sign."""
    weight = torch.tensor([1.0, -2.0, 3.0, 4.0], requires_grad=True)
    run, begun = new_run({"weight": weight}, learning_rate=0.1), weight.detach().clone()
    done = next(train(run, lambda *_: (torch.tensor([10.0, -10.0, 10.0, -10.0]) * weight).sum(), 1, seed=0))
    assert done.grad_norm == pytest.approx(20.0) and float(weight.grad.norm()) == pytest.approx(1.0, rel=1e-4)
    expected = begun * (1 - 0.1 * 0.01) - 0.1 * torch.tensor([1.0, -1.0, 1.0, -1.0])
    assert torch.allclose(weight, expected, atol=1e-6)
    (group,) = run.optimizer.param_groups
    assert group["betas"] == (0.9, 0.999)


def test_no_step_of_any_seed_draws_what_another_draws():
    seen = []
    for seed in range(4):
        run, _ = quadratic(0)

        def loss(step, generator, run=run):
            seen.append(generator.initial_seed())
            return run.parameters["weight"].sum()

        list(train(run, loss, 6, seed))
    assert len(set(seen)) == len(seen) == 24


def test_rates_are_factors_on_the_learning_rate():
    run = new_run(
        {"a.attn1.to_q.x": torch.zeros(1, requires_grad=True), "b": torch.zeros(1, requires_grad=True)},
        0.01,
        {".attn1.to_q.": 0.1},
    )
    assert sorted(group["lr"] for group in run.optimizer.param_groups) == pytest.approx([0.001, 0.01])


NAN = float("nan")


@pytest.mark.parametrize("steps, said", [(5, 5), (100, PATIENCE)])
def test_a_loss_that_is_no_number_stops_the_run(steps, said):
    run, _ = quadratic(0)
    with pytest.raises(ValueError, match=f"no numbers for {said} steps, from step 1 on: lower the learning rate"):
        list(train(run, lambda *_: run.parameters["weight"].sum() * NAN, steps, seed=0))
    assert run.losses == []


def sometimes(run, loss, bad):
    """The loss, its value or (where `bad` says so) its gradient alone no number in some steps."""

    def at(step, generator):
        value = loss(step, generator)
        if bad(step) == "loss":
            return value * NAN
        broken = run.parameters["weight"].sum() - run.parameters["weight"].detach().sum()
        return value + (broken * broken).sqrt() if bad(step) == "gradient" else value  # 0, with a gradient of 0 / 0

    return at


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_a_step_without_a_number_changes_nothing_and_is_counted(kind):
    run, loss = quadratic(0)
    bad = lambda step: kind if step in (3, 4, 9) else ""  # noqa: E731
    before, skipped = run.parameters["weight"].detach().clone(), []
    for done in train(run, sometimes(run, loss, bad), 12, seed=3):
        if math.isnan(done.loss):
            skipped.append(done.step)
            assert torch.equal(run.parameters["weight"], before)
        else:
            assert not torch.equal(run.parameters["weight"], before)
        before = run.parameters["weight"].detach().clone()
    assert skipped == [4, 5, 10] and run.skipped == 3 and len(run.losses) == 12 and len(run.learnt) == 9


def test_a_run_that_keeps_failing_is_left_as_after_its_last_good_step():
    good, loss = quadratic(0)
    list(train(good, loss, 7, seed=3))
    run, loss = quadratic(0)
    with pytest.raises(ValueError, match="from step 8 on"):
        list(train(run, sometimes(run, loss, lambda step: "gradient" if step >= 7 else ""), 100, seed=3))
    assert same_state(run, good)


def same_state(a, b) -> bool:
    a, b = a.state(), b.state()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name].to(a[name])) for name in a)


@pytest.mark.parametrize("value, odd", [(0.0, "empty"), (0.49, "empty"), (0.5, "full"), (1.0, "full")])
def test_masks_without_subject_or_ground_are_named(value, odd):
    """A position is subject from one half on, as in the targets."""
    assert [odd in sentence for sentence in check_masks([torch.full((2, 4, 4), value)], [2])] == [True]
    half = torch.tensor([0.49, 0.5]).expand(2, 2, 2)
    assert check_masks([half], [2]) == []


def test_memory_is_refused_before_the_first_step():
    parts = [Part(320, 320, 1.0, 10**7, depth) for depth in (None, 0, 1, None)]
    needed = estimate(2**31, 10**8, (16, 40, 64), parts, 2, checkpointing=True)
    assert needed.total < estimate(2**31, 10**8, (16, 40, 64), parts, 2, checkpointing=False).total
    check_memory(needed, needed.total, "cuda:0")
    with pytest.raises(ValueError, match=r"cuda:0 has 1.00 GiB free: use fewer frames"):
        check_memory(needed, 2**30, "cuda:0")
