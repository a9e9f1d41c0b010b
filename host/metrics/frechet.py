"""The Fréchet distance of two sets of videos' features, and what must be said about it."""

import math

from ...metrics.frechet import bootstrap_interval, floor, frechet_distance, grouped_distance, mean_part, statistics
from . import video_features
from .inputs import Progress

_ENOUGH = 256  # videos, to rank methods


def measure(
    a: video_features.FeatureSet, b: video_features.FeatureSet, resamples: int, progress: Progress
) -> tuple[dict[str, float], list[str]]:
    """The numbers, and what must be said about them."""
    stats = statistics(a.features), statistics(b.features)
    fvd = frechet_distance(*stats)
    low, high = (
        bootstrap_interval(a.features, b.features, resamples, tick=progress.tick) if resamples else (math.nan, math.nan)
    )
    numbers = {
        "fvd": fvd,
        "low": low,
        "high": high,
        "means_only": mean_part(*stats),
        "group_mean": math.nan,
        "group_spread": math.nan,
    }
    fewest = min(len(a.features), len(b.features))
    remarks = [
        f"low, high: 95 % of {resamples} bootstrap resamples, laid around fvd; means_only: the part of fvd that "
        "depends least on how many videos there are"
    ]
    if fewest < _ENOUGH:
        remarks.insert(
            0,
            f"WARNING: {fewest} videos. Below {_ENOUGH} the number says more about how few there are than about their "
            "quality.",
        )
    if len(b.features) >= 4:
        remarks.append(
            f"floor: the reference's two halves are {floor(b.features):.6g} apart, at {len(b.features) // 2} videos "
            "each"
        )
    if len(a.features) != len(b.features):
        remarks.append("the sets differ in size, which papers avoid")
    if a.groups or b.groups:
        grouped = grouped_distance(a.features, a.groups, b.features, b.groups)
        numbers |= {"group_mean": grouped.mean, "group_spread": grouped.spread}
        remarks.append("groups: " + ", ".join(f"{name} {value:.6g}" for name, value in grouped.values.items()))
    return numbers, remarks
