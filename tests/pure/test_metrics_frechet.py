"""The Fréchet distance: against scipy, in closed form, where covariances are singular, and by group."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from few_shot_motion.metrics import frechet
from few_shot_motion.metrics.frechet import (
    Statistics,
    bootstrap_interval,
    floor,
    frechet_distance,
    grouped_distance,
    mean_part,
    statistics,
)


def drawn(n: int, d: int, seed: int, shift: float = 0.0, spread: float = 1.0, rank: int | None = None) -> torch.Tensor:
    """n d, with a covariance of this rank whose eigenvalues fall off as those of I3D's features."""
    generator = torch.Generator().manual_seed(seed)
    mixing = (
        torch.randn(rank or d, d, generator=torch.Generator().manual_seed(99))
        * torch.logspace(0, -2, rank or d)[:, None]
    )
    return shift + spread * torch.randn(n, rank or d, generator=generator) @ mixing


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return frechet_distance(statistics(a), statistics(b))


def reference(a: torch.Tensor, b: torch.Tensor) -> float:
    """As the usual code: a matrix root by scipy."""
    a, b = a.double().numpy(), b.double().numpy()
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(np.real(root)))


@pytest.mark.parametrize(("n", "d"), [(500, 20), (21, 20), (1000, 64)])
def test_it_is_scipys_where_scipy_is_good(n, d):
    a, b = drawn(n, d, 1), drawn(n, d, 2, 0.3, 1.5)
    assert distance(a, b) == pytest.approx(reference(a, b), rel=1e-8)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_singular_covariances_of_64_videos():
    """64 videos of 400 numbers: scipy takes the root of a singular matrix, so its value is good to some digits only."""
    a, b = drawn(64, 400, 1), drawn(64, 400, 2, 0.1, 1.2)
    assert distance(a, b) == pytest.approx(reference(a, b), rel=1e-4)
    eigen = torch.linalg.eigvals(torch.cov(a.T.double()) @ torch.cov(b.T.double())).real.clamp(min=0).sqrt().sum()
    by_eigenvalues = (
        mean_part(statistics(a), statistics(b))
        + torch.cov(a.T.double()).trace()
        + torch.cov(b.T.double()).trace()
        - 2 * eigen
    )
    assert distance(a, b) == pytest.approx(float(by_eigenvalues), rel=1e-5)


@pytest.mark.parametrize("n", [64, 500])
def test_features_that_live_in_few_dimensions(n):
    """Rank 10 in 400 dimensions is, in coordinates of its own, a well-conditioned case for scipy."""
    a, b = drawn(n, 400, 1, rank=10).double(), drawn(n, 400, 2, 0.1, 1.2, rank=10).double()
    axes = torch.linalg.svd(torch.cat([a, b]), full_matrices=False)[2][:11]
    assert distance(a, b) == pytest.approx(reference(a @ axes.T, b @ axes.T), rel=1e-7)


@pytest.mark.parametrize("n", [2, 64, 401, 1000])
def test_equal_sets_are_at_distance_zero(n):
    a = 10 * drawn(n, 400, 1)
    assert distance(a, a.clone()) < 1e-6
    assert distance(a, a.flip(0)) < 1e-6, "whatever their order"


def test_closed_form_on_a_diagonal():
    """Columns that are orthogonal exactly: covariances are diagonal and their root is known."""
    basis = torch.linalg.qr(
        torch.randn(50, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64).sub_(0)
    )[0]
    basis = torch.linalg.qr(basis - basis.mean(0))[0]
    widths_a, widths_b = torch.arange(1.0, 9.0).double(), torch.arange(8.0, 0.0, -1).double()
    a, b = basis * widths_a * 7, basis * widths_b * 7 + 2  # 7^2 = n - 1
    assert distance(a, b) == pytest.approx(8 * 4 + float((widths_a - widths_b).square().sum()), rel=1e-10)


def test_two_known_gaussians():
    """N(0, I) and N(0.1, 4 I) in 400 dimensions: 400 * 0.01 + 400 * (1 + 4 - 2 * 2) = 404."""
    a = Statistics(1001, torch.zeros(400).double(), 1000**0.5 * torch.eye(400).double())
    b = Statistics(501, torch.full((400,), 0.1, dtype=torch.float64), 2 * 500**0.5 * torch.eye(400).double())
    assert frechet_distance(a, b) == pytest.approx(404, rel=1e-12)


def test_more_videos_than_features_and_fewer_are_one_formula():
    """Adding features that never change must not change the distance, though it makes a full rank a singular case."""
    a, b = drawn(100, 30, 1), drawn(100, 30, 2, 0.2)
    padded = [torch.cat([x, torch.ones(100, 370)], dim=1) for x in (a, b)]
    assert distance(a, b) == pytest.approx(distance(*padded), rel=1e-10)


def test_the_floor_falls_with_the_number_of_videos():
    floors = [floor(drawn(n, 100, 3)) for n in (16, 64, 256, 1024)]
    assert floors == sorted(floors, reverse=True) and floors[0] > 10 * floors[-1]


def test_the_interval_is_around_the_distance_and_repeats():
    a, b = drawn(64, 100, 1), drawn(64, 100, 2, 0.5)
    ticks = []
    low, high = bootstrap_interval(a, b, 50, tick=lambda: ticks.append(1))
    assert 0 <= low < distance(a, b) < high and len(ticks) == 50
    assert (low, high) == bootstrap_interval(a, b, 50)
    wide = bootstrap_interval(a[:16], b[:16], 50)
    assert wide[1] - wide[0] > high - low


def test_groups_by_hand():
    """Two videos a group, one number each: distance (m1 - m2)^2 + (s1 - s2)^2."""
    a = torch.tensor([[0.0], [2.0], [10.0], [10.0]])
    b = torch.tensor([[13.0], [13.0], [3.0], [5.0]])
    found = grouped_distance(a, ["cat", "cat", "dog", "dog"], b, ["dog", "dog", "cat", "cat"])
    assert found.values == pytest.approx({"cat": 9.0, "dog": 9.0})
    found = grouped_distance(a, ["cat", "cat", "dog", "dog"], b, ["cat", "cat", "dog", "dog"])
    assert found.values == pytest.approx({"cat": 144 + 2, "dog": 36 + 2})
    assert found.mean == pytest.approx(92) and found.spread == pytest.approx(54)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["x"] * 3, ["x"] * 4), "4 videos and 3 groups"),
        ((["x"] * 4, ["x"] * 3 + ["y"]), "'y' is in one of the two sets"),
        ((["x"] * 3 + ["y"], ["x"] * 3 + ["y"]), "'y' has 1 and 1 videos"),
    ],
)
def test_wrong_groups_are_refused(arguments, message):
    a = drawn(4, 3, 1)
    with pytest.raises(ValueError, match=message):
        grouped_distance(a, arguments[0], a, arguments[1])


def test_one_video_or_no_numbers_are_refused():
    with pytest.raises(ValueError, match="at least 2 videos"):
        statistics(drawn(1, 5, 1))
    with pytest.raises(ValueError, match="NaN"):
        statistics(torch.tensor([[1.0, math.nan], [1.0, 2.0]]))


def test_the_interval_is_the_middle_95_percent_around_the_distance(monkeypatch):
    """Of distances that are told here, skewed ones: the spread around their mean is laid around the sets' own."""
    told = [float(i**2) for i in range(200)] + [30000.0]  # the last one is the distance itself
    given = iter(told)
    monkeypatch.setattr(frechet, "frechet_distance", lambda a, b: next(given))
    a = torch.randn(5, 3)
    low, high = bootstrap_interval(a, a, resamples=200)
    expected = np.percentile(np.array(told[:-1]) - np.mean(told[:-1]), [2.5, 97.5]) + told[-1]
    assert (low, high) == pytest.approx(tuple(expected))
