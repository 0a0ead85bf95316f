"""The skewness of a mean over few visits, and what it does to the interval.

Where a series' mean and its error move together, as with rates that are flat for months and then fall or
rise, the interval is too short on one side. The first term of the Edgeworth expansion moves the ends of a
studentised mean's interval by g (1 + 2 z^2) / 6 standard errors, g the skewness of the mean (Johnson 1978,
JASA 73; Hall 1992, JRSS B 54); under dependence g is made of the third long-run cumulant (Goetze and Kuensch
1996, Annals of Statistics 24).

Few visits tell their own skewness poorly. Cutting the shorter side by it would trade one error for another,
so that only the longer side is moved. docs/adr has what it gains.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from perp_pipeline.research.statistics import Array, Estimate

_Z = 1.959964
_PER_SKEWNESS = (1.0 + 2.0 * _Z**2) / (6.0 * _Z)
"""What a unit of the mean's skewness adds to the longer side, as a share of it."""


def skewness_of_mean(influence: Array, lags: int) -> float:
    """Skewness of the mean of a mean-zero series; g3 / sqrt(n) without lags, g3 the moment skewness.

    The third long-run cumulant is the sum of E[u_s u_t u_v] that weighs a triple by 1 - spread / (lags + 1),
    as the Bartlett kernel does a pair, so that it is the mean of the cubes of sums over lags + 1 neighbours.

    Args:
        influence: (n,) in time order.
        lags: Bartlett lags.
    """
    n = len(influence)
    width = min(lags, n - 1) + 1
    total = np.zeros(n + 2 * width)
    total[width : width + n] = influence
    np.cumsum(total, out=total)
    sums = total[width:] - total[:-width]
    squares = sums**2
    variance = float(squares.sum()) / width
    return float(squares @ sums) / width / variance**1.5 if variance > 0.0 else 0.0


def lengthened(found: Estimate, influence: Array) -> Estimate:
    """The estimate with the longer side of its interval moved out by the skewness of its error.

    Args:
        found: an estimate with the HAC error of ``influence`` and a symmetric interval.
    """
    if math.isnan(found.se):
        return found
    below, above = sides(influence, found.hac_lags)
    reach = found.ci_high - found.estimate
    return replace(found, ci_low=found.estimate - reach * below, ci_high=found.estimate + reach * above)


def sides(influence: Array, lags: int) -> tuple[float, float]:
    """What the lower and the upper side of a symmetric interval are multiplied by: one, and one or more."""
    more = _PER_SKEWNESS * skewness_of_mean(influence, lags)
    return 1.0 + max(0.0, -more), 1.0 + max(0.0, more)
