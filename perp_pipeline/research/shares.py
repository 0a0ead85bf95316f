"""Intervals of shares, of sizes, and of skill: one less a ratio of squared errors. None leaves its range.

A symmetric interval about a share of 99.9 %, or about an R2 of 0.9, reaches past what can be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy.typing as npt

from perp_pipeline.research.skewness import sides
from perp_pipeline.research.standardised import interval_ends
from perp_pipeline.research.statistics import (
    Array,
    Estimate,
    bounded,
    critical_of,
    fixed_b_critical,
    fixed_b_p,
    hac_mean,
    hac_ratio,
)


def hac_share(values: npt.ArrayLike, lags: int) -> Estimate:
    """Mean of values in 0..1 with its Newey-West error and a Wilson interval.

    The interval is that of the effective number of draws, p (1 - p) / se^2: the independent ones whose
    share would be as uncertain (Kott and Carr 1997, Journal of Official Statistics 13; Wilson 1927,
    JASA 22), at most n, and n where the share is 0 or 1 and no error shows: a few rare events seem more
    precise than none, where values are themselves means. The critical value is fixed-b.

    Args:
        values: 1-d, in time order; NaN are dropped.
        lags: Bartlett lags.

    Raises:
        ValueError: no finite value.
    """
    mean = hac_mean(values, lags)
    p = min(max(mean.estimate, 0.0), 1.0)
    if math.isnan(mean.se):
        return mean
    spread = p * (1.0 - p)
    effective = min(spread / mean.se**2, mean.n) if spread > 0.0 and mean.se > 0.0 else mean.n
    z2 = fixed_b_critical(mean.hac_lags, mean.n) ** 2 / effective
    middle = (p + z2 / 2.0) / (1.0 + z2)
    reach = math.sqrt(z2 * (spread + z2 / 4.0)) / (1.0 + z2)
    return Estimate(
        mean.estimate, mean.se, max(middle - reach, 0.0), min(middle + reach, 1.0), mean.n, mean.hac_lags
    )


def hac_explained(missed: Array, around: Array, lags: int) -> Estimate:
    """Share of variance explained, 1 - mean(missed) / mean(around), never above 1; below 0 where worse.

    The interval is taken on the log of the ratio of the two means (delta method, HAC) and brought back.

    Args:
        missed, around: (n,) squares about the forecast and about the mean, in time order, not all zero.
    """
    ratio = hac_ratio(missed, around, lags)
    value = 1.0 - ratio.estimate
    if math.isnan(ratio.se) or ratio.estimate <= 0.0:
        return Estimate(value, ratio.se, value - ratio.se, value, ratio.n, ratio.hac_lags)
    reach = math.exp((ratio.ci_high - ratio.estimate) / ratio.estimate)
    low, high = 1.0 - ratio.estimate * reach, 1.0 - ratio.estimate / reach
    return Estimate(value, ratio.se, low, high, ratio.n, ratio.hac_lags)


def above_zero(found: Estimate) -> Estimate:
    """The estimate of a size, with its interval on the log scale (delta method): it never reaches below zero.

    Of an estimate of zero no log is known: its interval begins at zero and is otherwise what it was.

    Args:
        found: not negative, with a symmetric interval.
    """
    value = found.estimate
    if math.isnan(found.se) or value <= 0.0:
        return replace(found, ci_low=max(found.ci_low, 0.0)) if value == 0.0 else found
    reach = math.exp(min((found.ci_high - value) / value, _LARGEST_LOG))
    return replace(found, ci_low=value / reach, ci_high=value * reach)


_LARGEST_LOG = 700.0
"""Of an error hundreds of times the estimate; the exponential of more is not a number."""


@dataclass(frozen=True)
class Skill:
    """One less the ratio of two sums of squared errors, and the test of equal errors.

    Attributes:
        found: the estimate, at most 1; its interval has 0 exactly where the test does not reject.
        dm_stat: Diebold-Mariano statistic of equal squared errors; positive where the first are smaller.
        dm_p: its two-sided p value.
    """

    found: Estimate
    dm_stat: float
    dm_p: float


def skill(errors: Array, rivals: Array, lags: int) -> Skill:
    """1 - sum(errors) / sum(rivals) of squared errors, with the test of Diebold and Mariano (1995, JBES 13).

    The test is of the mean difference in squared errors, rivals - errors, with its HAC error and fixed-b
    critical values. The estimate's error is that of the ratio of the two sums (delta method): away from zero
    that of the difference is another, as the rival's sum is uncertain too.

    The interval is taken on the log of the ratio. Its variance goes in a straight line from the test's at
    zero to the ratio's at the estimate (:func:`~perp_pipeline.research.standardised.interval_ends`), so that
    interval and test cannot contradict each other. Few large errors make both sums: at the estimate the
    critical value counts the parts that the ratio rests on, and the side that its skewness asks for is longer
    (:func:`~perp_pipeline.research.statistics.critical_of`, :mod:`~perp_pipeline.research.skewness`).

    Args:
        errors, rivals: (n,) squared errors over the same forecasts, in time order.
        lags: Bartlett lags.

    Raises:
        ValueError: the rival's errors are all zero, or there is none.
    """
    unit = float(rivals.mean()) if len(rivals) else 0.0
    if unit <= 0.0:
        raise ValueError("skill needs a rival that errs")
    tested = hac_mean((rivals - errors) / unit, lags)
    statistic = tested.estimate / tested.se if tested.se > 0.0 else math.nan
    p = fixed_b_p(statistic, tested.hac_lags, tested.n)
    plain = replace(tested, estimate=min(tested.estimate, 1.0), ci_high=min(tested.ci_high, 1.0))
    ratio = hac_ratio(errors, rivals, lags)
    if ratio.estimate <= 0.0 or math.isnan(ratio.se):
        return Skill(plain, statistic, p)
    found = replace(plain, se=ratio.se)
    size = abs(math.log(ratio.estimate))
    if size == 0.0 or tested.estimate == 0.0:
        return Skill(found, statistic, p)
    influence = (errors - ratio.estimate * rivals) / unit
    critical = fixed_b_critical(ratio.hac_lags, ratio.n)
    here = ratio.se / ratio.estimate * critical_of(bounded(influence), ratio.hac_lags) / critical
    below, above = sides(influence, ratio.hac_lags)
    inner, outer = (below, above) if ratio.estimate > 1.0 else (above, below)
    null = tested.se * size / abs(tested.estimate)
    near, _ = interval_ends(size, null**2, (here * inner) ** 2, critical)
    _, far = interval_ends(size, null**2, (here * outer) ** 2, critical)
    low, high = (near, far) if ratio.estimate > 1.0 else (-far, -near)
    return Skill(replace(found, ci_low=_less(high), ci_high=_less(low)), statistic, p)


def _less(log_ratio: float) -> float:
    return 1.0 - math.exp(min(log_ratio, _LARGEST_LOG))
