"""Means over seeds, and paired differences of runs with the same seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import ttest_rel

CONFIDENCE = 0.95
_ROUNDING = 1e-12
"""Differences that differ by this share of the values are equal: percentages are rounded to floats."""


@dataclass(frozen=True)
class Spread:
    """Mean and sample std (divisor n - 1) of n numbers; no std for one number."""

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences over `count` common seeds; low to high is its confidence interval."""

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval of positive width without zero in it."""
        return (
            self.low is not None
            and self.high is not None
            and self.low < self.high
            and not self.low <= 0 <= self.high
        )


def summarize(values: Sequence[float]) -> Spread:
    """Return mean and std; raises ValueError without values."""
    if not values:
        raise ValueError("no values")
    count, mean = len(values), math.fsum(values) / len(values)
    if count == 1:
        return Spread(mean, None, 1)
    if min(values) == max(values):
        return Spread(values[0], 0.0, count)
    return Spread(mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1)), count)


def compare_paired(
    ours: Mapping[int, float], theirs: Mapping[int, float], comparisons: int = 1
) -> Difference | None:
    """Return ours minus theirs over the common seeds, with Student's t interval of n - 1 degrees of freedom.

    None without a common seed. The interval assumes that the differences are independent and normal. Of
    several `comparisons` each misses the true difference with 5 % / comparisons (Bonferroni).
    """
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        return None
    one, other = [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]
    differences = [a - b for a, b in zip(one, other, strict=True)]
    mean = summarize(differences).mean
    if len(seeds) == 1:
        return Difference(mean, None, None, 1)
    if max(differences) - min(differences) <= _ROUNDING * max(map(abs, one + other)):
        return Difference(mean, mean, mean, len(seeds))
    interval = ttest_rel(one, other).confidence_interval(1 - (1 - CONFIDENCE) / comparisons)
    return Difference(mean, float(interval.low), float(interval.high), len(seeds))


def curve_band(curves: Sequence[Mapping[int, float]]) -> dict[int, Spread]:
    """Return mean and std over runs at every epoch that all of them have."""
    epochs = sorted(set.intersection(*(set(curve) for curve in curves))) if curves else []
    return {epoch: summarize([curve[epoch] for curve in curves]) for epoch in epochs}
