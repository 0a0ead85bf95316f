"""Estimates with error bars that respect persistence.

Heteroskedasticity- and autocorrelation-consistent (HAC) covariance with the Bartlett kernel
(Newey and West 1987, Econometrica 55), a bandwidth that grows as 1.3 sqrt(n) (Lazarus, Lewis, Stock and
Watson 2018, JBES 36) and intervals from fixed-b critical values (Kiefer and Vogelsang 2005, Econometric
Theory 21): with funding's long memory, normal intervals on a short bandwidth cover far
less often than they say. docs/adr has the reasons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error and 95 % interval, in the unit of the number.

    ``se`` and the interval are NaN where fewer than 8 observations leave nothing to estimate them from.
    """

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    n: int
    hac_lags: int


def hac_lags(n: int, floor: int = 30) -> int:
    """Bartlett lags for ``n`` observations: max(floor, 1.3 sqrt(n)), at most a third of the sample.

    Args:
        floor: 30 days in the series' own unit: 30 of daily ones, 90 of 8-hourly ones, 1 of monthly ones.
    """
    return max(0, min(max(floor, math.ceil(1.3 * math.sqrt(n))), n // 3))


def persistent_lags(values: npt.ArrayLike, floor: int = 30) -> int:
    """Bartlett lags for the mean of this very series: :func:`hac_lags`, or more where its persistence asks.

    Andrews (1991, Econometrica 59) for an AR(1): 1.1447 (a n)^(1/3), a = 4 r^2 / ((1 - r)^2 (1 + r)^2), with
    r the first autocorrelation corrected for its small-sample bias (Kendall 1954); at most n / 3. With it
    95 % intervals of the mean of an AR(1) of 0.97 to 0.99 over 1000 to 2500 days cover 84 to 90 %; with
    :func:`hac_lags` alone 60 to 80 % (tests/golden/test_hac_mean.py).

    Args:
        values: 1-d, in time order, equally spaced; NaN are dropped.
        floor: that of :func:`hac_lags`.
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    n = len(x)
    least = hac_lags(n, floor)
    if n < 8:
        return least
    u = x - x.mean()
    total = float(u @ u)
    if total <= 0.0:
        return least
    r = float(u[1:] @ u[:-1]) / total
    r = min(r + (1.0 + 3.0 * r) / n, 0.995)
    if r <= 0.0:
        return least
    a = 4.0 * r**2 / ((1.0 - r) ** 2 * (1.0 + r) ** 2)
    asked = math.ceil(1.1447 * math.pow(a * n, 1.0 / 3.0))
    return max(least, min(n // 3, asked))


def fixed_b_critical(lags: int, n: int) -> float:
    """95 % two-sided critical value of a Bartlett t statistic with bandwidth share b = (lags + 1) / n.

    Kiefer and Vogelsang (2005), table 1: 1.9600 + 2.9694 b + 0.4160 b^2 - 0.5324 b^3.
    """
    return _fixed_b(min(1.0, (lags + 1) / n))


def _fixed_b(b: float) -> float:
    return 1.9600 + 2.9694 * b + 0.4160 * b**2 - 0.5324 * b**3


def weighted_critical(block_weights: Array, n: int, lags: int) -> float:
    """95 % critical value of a Bartlett t statistic of an estimate that rests on few parts of the sample.

    A slope rests on the days of large returns, a bucket's mean on the visits to the bucket. What counts as
    the sample is then the effective number of blocks, (sum g)^2 / sum g^2 with g what a block adds to the
    variance (Carter, Schnepel and Steigerwald 2017, Review of Economics and Statistics 99), and b is one over
    it. As with few clusters the variance is scaled by G / (G - 1), here against that of equal blocks, for
    which the value is :func:`fixed_b_critical`. docs/adr has what it gains.

    What a block adds depends on the design, the large returns in it, and on how large errors are in its time.
    The errors found there tell the latter poorly: they count as :func:`bounded`. One crash that holds most of
    their squares makes the standard error large already, and would count twice.

    Args:
        block_weights: sums over successive blocks of ``lags`` + 1 rows (the last may be shorter) of the
            squared weights of the rows in the estimate times their bounded errors.
        n: rows.
        lags: Bartlett lags.
    """
    width = lags + 1
    equal = width / n
    total = float(block_weights.sum())
    if equal >= 1.0 or total <= 0.0:
        return _fixed_b(min(1.0, equal))
    full, rest = divmod(n, width)
    least = (full * width**2 + rest**2) / n**2
    found = float(block_weights @ block_weights) / total**2
    b = min(max(equal, equal * found / least), _LARGEST_B)
    return _fixed_b(b) * math.sqrt(max(1.0, (1.0 - equal) / (1.0 - b)))


def critical_of(weights: Array, lags: int) -> float:
    """:func:`weighted_critical` from the weight of each row, times its bounded error."""
    return weighted_critical(_block_sums(weights**2, lags), len(weights), lags)


_LARGEST_B = 0.95
"""All the weight in one block: there is nothing to tell the error from, and the interval is very wide."""


def _block_sums(values: Array, lags: int) -> Array:
    """Sums over successive blocks of ``lags`` + 1 rows, the last shorter."""
    return np.asarray(np.add.reduceat(values, np.arange(0, len(values), lags + 1)))


def hac_mean(values: npt.ArrayLike, lags: int | None = None) -> Estimate:
    """Mean of a persistent series with its Newey-West standard error and fixed-b interval.

    Args:
        values: 1-d, in time order, equally spaced; NaN are dropped.
        lags: Bartlett lags; :func:`hac_lags` of the sample by default.

    Raises:
        ValueError: no finite value.
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    if len(x) == 0:
        raise ValueError("no finite value to average")
    mean = float(x.mean())
    return hac_influence(mean, x - mean, lags)


def independent_mean(values: npt.ArrayLike) -> Estimate:
    """Mean of independent observations with Student's t interval; no interval below 5.

    For few events far apart (deliveries, a quarter between them), where there is nothing to estimate a
    bandwidth from.

    Raises:
        ValueError: no finite value.
    """
    from scipy.stats import t

    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    n = len(x)
    if n == 0:
        raise ValueError("no finite value to average")
    mean = float(x.mean())
    if n < 5:
        return Estimate(mean, math.nan, math.nan, math.nan, n, 0)
    se = float(x.std(ddof=1)) / math.sqrt(n)
    reach = float(t.ppf(0.975, n - 1)) * se
    return Estimate(mean, se, mean - reach, mean + reach, n, 0)


def hac_influence(
    value: float, influence: Array, lags: int | None = None, *, weights: Array | None = None
) -> Estimate:
    """An estimate with the HAC error of its influence function (delta method).

    Args:
        value: the estimate, such as a mean, a correlation or a ratio of means.
        influence: its influence of each observation, in time order, mean zero, so that the estimate's
            error is about the mean of ``influence``.
        lags: Bartlett lags; :func:`hac_lags` of the sample by default.
        weights: (n,) weights of the observations times their bounded errors, where the estimate rests on few
            parts of the sample (:func:`weighted_critical`).
    """
    n = len(influence)
    if n < 8:
        return Estimate(value, math.nan, math.nan, math.nan, n, 0)
    used = hac_lags(n) if lags is None else lags
    se = math.sqrt(max(0.0, bartlett_variance(influence, used)) / n)
    critical = fixed_b_critical(used, n) if weights is None else critical_of(weights, used)
    reach = critical * se
    return Estimate(value, se, value - reach, value + reach, n, used)


def hac_ratio(numerator: Array, denominator: Array, lags: int | None = None) -> Estimate:
    """Ratio of two means over the same observations, with its delta-method HAC error.

    Raises:
        ValueError: the denominator's mean is zero, or there is no observation.
    """
    bottom = float(denominator.mean()) if len(denominator) else 0.0
    if bottom == 0.0:
        raise ValueError("the denominator of the ratio has mean zero")
    ratio = float(numerator.mean()) / bottom
    return hac_influence(ratio, (numerator - ratio * denominator) / bottom, lags)


def hac_correlation(x: Array, y: Array, lags: int | None = None) -> Estimate:
    """Pearson correlation with its HAC error; rows with a NaN are dropped.

    The influence of an observation is zx zy - rho (zx^2 + zy^2) / 2 with z the standardised values.

    Raises:
        ValueError: fewer than two rows, or a series that does not vary.
    """
    both = np.isfinite(x) & np.isfinite(y)
    rho, influence = correlation_influence(x[both], y[both])
    return hac_influence(rho, influence, lags)


def correlation_influence(x: Array, y: Array) -> tuple[float, Array]:
    """Pearson correlation of finite series and the influence of each observation on it.

    Raises:
        ValueError: fewer than two rows, or a series that does not vary.
    """
    if len(x) < 2:
        raise ValueError("a correlation needs two rows")
    sx, sy = float(x.std()), float(y.std())
    if sx == 0.0 or sy == 0.0:
        raise ValueError("a series that does not vary has no correlation")
    zx, zy = (x - x.mean()) / sx, (y - y.mean()) / sy
    rho = float((zx * zy).mean())
    return rho, zx * zy - rho * (zx**2 + zy**2) / 2.0


def hac_skewness(values: Array, lags: int | None = None) -> tuple[Estimate, Array]:
    """Moment skewness g = m3 / m2^1.5 with its HAC error, and its influence function.

    The influence of an observation is z^3 - 3 z - g - 1.5 g (z^2 - 1) with z the standardised values;
    returned so that the skewness of two series on the same days can be compared.

    Raises:
        ValueError: no observation, or a series that does not vary.
    """
    spread = float(values.std()) if len(values) else 0.0
    if spread <= 1e-12 * float(np.abs(values).max(initial=0.0)):
        raise ValueError("a series that does not vary has no skewness")
    z = (values - values.mean()) / spread
    g = float((z**3).mean())
    influence = z**3 - 3.0 * z - g - 1.5 * g * (z**2 - 1.0)
    return hac_influence(g, influence, lags), influence


def fixed_b_p(t: float, lags: int, n: int) -> float:
    """Two-sided p value of a Bartlett t statistic, calibrated so that p < 0.05 where t leaves the interval.

    The normal tail of t rescaled by 1.96 over :func:`fixed_b_critical`: exact at 5 %, close elsewhere.
    """
    return critical_p(t, fixed_b_critical(lags, n))


def critical_p(t: float, critical: float) -> float:
    """Two-sided p value of a t statistic whose 95 % critical value is known: 2 Phi(-1.96 |t| / critical)."""
    return math.erfc(abs(t) * 1.959964 / critical / math.sqrt(2.0)) if math.isfinite(t) else math.nan


def bartlett_variance(scores: Array, lags: int) -> float:
    """Long-run variance of a mean-zero series: sum of Bartlett-weighted autocovariances (divisor n).

    Computed through the identity: with S_t the sum of lags + 1 neighbours (zero outside the sample), the
    Bartlett sum is the mean of S_t^2 / (lags + 1). One pass, whatever the number of lags.
    """
    return float(bartlett_covariance(scores[:, None], lags)[0, 0])


def bartlett_covariance(scores: Array, lags: int) -> Array:
    """Long-run covariance matrix (k, k) of mean-zero scores (n, k); see :func:`bartlett_variance`."""
    n, k = scores.shape
    lags = min(lags, n - 1)
    total = np.zeros((n + 2 * lags + 2, k))
    total[lags + 1 : lags + 1 + n] = scores
    np.cumsum(total, axis=0, out=total)
    windows = total[lags + 1 :] - total[: -lags - 1]
    # Not the threads of a BLAS product for one long column: on a busy machine they wait for each other.
    product = np.einsum("ti,tj->ij", windows, windows) if k == 1 else windows.T @ windows
    return np.asarray(product / ((lags + 1) * n))


def block_products(rows: Array, lags: int) -> Array:
    """Sums (blocks, k, k) of the rows' outer products (n, k) over successive blocks of ``lags`` + 1 rows."""
    n, k = rows.shape
    blocks = -(-n // (lags + 1))
    padded = np.zeros((blocks * (lags + 1), k))
    padded[:n] = rows
    parts = padded.reshape(blocks, lags + 1, k)
    return np.asarray(parts.transpose(0, 2, 1) @ parts)


def bounded(errors: Array) -> Array:
    """Sizes of errors (..., n), none above 1.5 standard deviations of normals as large on average."""
    size = np.abs(errors)
    return np.asarray(np.minimum(size, 1.5 * math.sqrt(math.pi / 2.0) * size.mean(axis=-1, keepdims=True)))
