"""Means over buckets of a series: deciles of another series, or any set of its rows.

The error of such a mean is that of the whole series, of which the rows inside are a part that comes and goes:
HAC over all rows. What counts as the sample is the visits that there were, by their lengths and by their
errors, which are bounded (:func:`perp_pipeline.research.statistics.weighted_critical`), and the side of the
interval that a skewed error asks for is longer (:mod:`perp_pipeline.research.skewness`).

A decile's edges are estimated too. With q the edge between two deciles and m(q) the mean at it, a sample with
many rows above q moves the edge up: the influence on the mean T of the decile (lo, hi] is
``[(y - T) 1{inside} - (m(hi) - T)(1{z <= hi} - F(hi)) + (m(lo) - T)(1{z <= lo} - F(lo))] / p``, as for any
trimmed mean (Serfling 1980, "Approximation theorems of mathematical statistics", 8.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.skewness import lengthened
from perp_pipeline.research.statistics import Array, Estimate, bounded, hac_influence

Rows = npt.NDArray[np.bool_]

_HALF_DECILE = 0.05
_FEWEST = 8


@dataclass(frozen=True)
class BucketMean:
    """A mean over some rows of a series.

    Attributes:
        value: the mean.
        influence: (n,) influence of every row of the series.
        weights: (n,) weight of every row in the mean times its bounded error, zero outside.
        n: rows inside.
    """

    value: float
    influence: Array
    weights: Array
    n: int

    def __sub__(self, other: BucketMean) -> BucketMean:
        return BucketMean(
            self.value - other.value,
            self.influence - other.influence,
            self.weights - other.weights,
            self.n + other.n,
        )

    def estimate(self, lags: int) -> Estimate:
        """The mean with its HAC error over all rows; n counts the rows inside, no error below 8 of them."""
        if self.n < _FEWEST:
            return Estimate(self.value, math.nan, math.nan, math.nan, self.n, 0)
        found = hac_influence(self.value, self.influence, lags, weights=self.weights)
        return replace(lengthened(found, self.influence), n=self.n)


def bucket_mean(values: Array, inside: Rows) -> BucketMean:
    """Mean over some rows, given by a rule that does not depend on the sample.

    Args:
        values: (n,) in time order.
        inside: (n,), at least one true.
    """
    mean = float(values[inside].mean())
    away = values[inside] - mean
    influence, weights = np.zeros(len(values)), np.zeros(len(values))
    influence[inside] = away / float(inside.mean())
    weights[inside] = bounded(away) / float(inside.mean())
    return BucketMean(mean, influence, weights, int(inside.sum()))


def deciles(values: Array) -> Array:
    """Decile 1 to 10 of each value by its middle rank: equal values share one."""
    ranks = pd.Series(values).rank(method="average").to_numpy(dtype=np.float64)
    return np.asarray(np.clip(np.ceil(10.0 * (ranks - 0.5) / len(values)), 1, 10))


def decile_means(values: Array, sorted_by: Array) -> dict[int, BucketMean]:
    """Mean of ``values`` in each decile of ``sorted_by``; deciles that equal values leave empty are absent.

    Args:
        values, sorted_by: (n,) in time order, finite.
    """
    bucket = deciles(sorted_by)
    order = np.argsort(sorted_by, kind="stable")
    edges = {edge: found for edge in range(1, 10) if (found := _edge(values, bucket, order, edge))}
    means = {}
    for decile in range(1, 11):
        inside = bucket == decile
        if not inside.any():
            continue
        plain = bucket_mean(values, inside)
        influence = plain.influence
        for edge, sign in ((decile, -1.0), (decile - 1, 1.0)):
            if edge in edges:
                level, below = edges[edge]
                influence = influence + sign * (level - plain.value) * below / float(inside.mean())
        means[decile] = replace(plain, influence=influence)
    return means


def _edge(values: Array, bucket: Array, order: npt.NDArray[np.intp], edge: int) -> tuple[float, Array] | None:
    """Mean at the edge above a decile, and 1{below} less its mean; None where equal values fix the edge."""
    n = len(values)
    below = (bucket <= edge).astype(np.float64)
    share = float(below.mean())
    if abs(share - edge / 10.0) > 1.0 / n:
        return None
    place, reach = round(n * edge / 10), max(1, round(n * _HALF_DECILE))
    near = order[max(0, place - reach) : place + reach]
    return float(values[near].mean()), below - share
