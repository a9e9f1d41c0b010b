"""The Fréchet distance of two sets of features, each taken for a Gaussian (Dowson and Landau 1982), in float64."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Statistics:
    """Mean and covariance of a set; the covariance as a factor, factor^T factor = (count - 1) covariance, so that no
    root need be taken.
    """

    count: int
    mean: Tensor  # d
    factor: Tensor  # min(count, d) d


def statistics(features: Tensor) -> Statistics:
    """n d => mean and covariance (divisor n - 1) in float64.

    Raises ValueError where there are none, or numbers that are none.
    """
    if len(features) < 2:
        raise ValueError(f"A Fréchet distance needs at least 2 videos in each set, here is {len(features)}: add more.")
    if not torch.isfinite(features).all():
        raise ValueError(
            "The features hold values that are no numbers (NaN or infinite): check the nodes that made the videos."
        )
    x = features.double()
    mean = x.mean(dim=0)
    factor = x - mean
    if len(x) > x.shape[1]:  # the triangular factor has the same covariance
        factor = torch.linalg.qr(factor, mode="r").R
    return Statistics(len(x), mean, factor)


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """|mean_a - mean_b|^2 + tr A + tr B - 2 tr (A B)^(1/2), where tr (A B)^(1/2) is the sum of the singular values of
    factor_a factor_b^T.

    Exact also where there are fewer videos than features and both covariances are singular.
    """
    scale_a, scale_b = (a.count - 1) ** -0.5, (b.count - 1) ** -0.5
    cross = torch.linalg.svdvals((a.factor * scale_a) @ (b.factor * scale_b).T).sum()
    means = (a.mean - b.mean).square().sum()
    value = means + (a.factor * scale_a).square().sum() + (b.factor * scale_b).square().sum() - 2 * cross
    return max(float(value), 0.0)


def mean_part(a: Statistics, b: Statistics) -> float:
    """The distance of the means alone, which depends far less on how many videos there are."""
    return float((a.mean - b.mean).square().sum())


def floor(features: Tensor) -> float:
    """The distance of a set's two halves: what as few videos as that show where there is no difference at all."""
    return frechet_distance(statistics(features[0::2]), statistics(features[1::2]))


def bootstrap_interval(
    a: Tensor, b: Tensor, resamples: int = 100, seed: int = 0, tick=lambda: None
) -> tuple[float, float]:
    """95 % of how the distance scatters when both sets are drawn again from themselves, laid around the distance
    itself.

    Drawing repeats videos, and with fewer different ones the distance rises (see `floor`): the spread is used, the rise
    is not.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(features: Tensor) -> Statistics:
        return statistics(features[torch.randint(len(features), (len(features),), generator=generator)])

    values = []
    for _ in range(resamples):
        values.append(frechet_distance(drawn(a), drawn(b)))
        tick()
    spread = torch.tensor(values, dtype=torch.float64)
    value = frechet_distance(statistics(a), statistics(b))
    low, high = (spread - spread.mean()).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return max(value + low, 0.0), value + high


@dataclass(frozen=True)
class Grouped:
    """A distance per subject (sFVD) or per text (tFVD), as in TI2V-Zero (arXiv 2404.16306, section 4.1)."""

    values: dict[Hashable, float]

    @property
    def mean(self) -> float:
        """Over the groups, each counted once however many videos it has."""
        return float(torch.tensor(list(self.values.values()), dtype=torch.float64).mean())

    @property
    def spread(self) -> float:
        """Standard deviation over the groups, divisor n."""
        return float(torch.tensor(list(self.values.values()), dtype=torch.float64).std(correction=0))


def grouped_distance(a: Tensor, groups_a: Sequence[Hashable], b: Tensor, groups_b: Sequence[Hashable]) -> Grouped:
    """The distance between what both sets hold of a group, for each.

    Raises ValueError where a group is in one set only, or has one video.
    """
    for features, groups in ((a, groups_a), (b, groups_b)):
        if len(features) != len(groups):
            raise ValueError(f"There are {len(features)} videos and {len(groups)} groups: give every video one.")
    if set(groups_a) != set(groups_b):
        alone = sorted(map(str, set(groups_a) ^ set(groups_b)))
        raise ValueError(
            f"The group {alone[0]!r} is in one of the two sets only: a distance per group needs every group in both."
        )
    values = {}
    for group in dict.fromkeys(groups_a):
        sides = [x[[i for i, name in enumerate(names) if name == group]] for x, names in ((a, groups_a), (b, groups_b))]
        if min(map(len, sides)) < 2:
            raise ValueError(
                f"The group {group!r} has {len(sides[0])} and {len(sides[1])} videos, at least 2 are needed in each "
                "set."
            )
        values[group] = frechet_distance(statistics(sides[0]), statistics(sides[1]))
    return Grouped(values)
