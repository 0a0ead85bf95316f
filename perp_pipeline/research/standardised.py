"""Standardised effects: coefficients times sd(x) / sd(y), with the errors of both standard deviations.

A regression of standardised series takes the standard deviations for known. They are estimated from the same
days, and funding's from persistent ones. With z the standardised series and ``b sx / sy`` an effect, the
influence of a row on it is that on b, times sx / sy, plus the effect times (zx^2 - zy^2) / 2 (delta method).

That b is zero and that its effect is zero are one hypothesis, under which the standard deviations drop out.
It has one test: t and critical value of an effect are those of b. The interval of an effect agrees with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perp_pipeline.research.least_squares import OlsFit
from perp_pipeline.research.statistics import Array, Estimate, bartlett_covariance


@dataclass(frozen=True)
class StandardisedFit(OlsFit):
    """Effects of one standard deviation; ``cov`` has the errors of the standard deviations.

    Attributes:
        null_cov: (k, k) covariance of the effects where the effects are zero: that of the coefficients.
    """

    null_cov: Array

    def t(self, weights: Sequence[float] | Array) -> float:
        """Of one effect the t statistic of its coefficient; of a contrast its estimate over its error."""
        w = np.asarray(weights, dtype=np.float64)
        if np.count_nonzero(w) != 1:
            return super().t(w)
        error = math.sqrt(max(0.0, float(w @ self.null_cov @ w)))
        return float(w @ self.params) / error if error > 0.0 else math.nan

    def combine(self, weights: Sequence[float] | Array, critical: float | None = None) -> Estimate:
        """An effect, or a contrast of them, with its error and interval.

        The interval of one effect holds all values that a test does not reject whose variance goes in a
        straight line from that at zero to that at the estimate, and stays what it is outside of the two.
        """
        w = np.asarray(weights, dtype=np.float64)
        critical = self.critical(w) if critical is None else critical
        found = super().combine(w, critical)
        if np.count_nonzero(w) != 1 or found.estimate == 0.0:
            return found
        null = max(0.0, float(w @ self.null_cov @ w))
        near, far = interval_ends(abs(found.estimate), null, found.se**2, critical)
        low, high = (near, far) if found.estimate > 0.0 else (-far, -near)
        return Estimate(found.estimate, found.se, low, high, found.n, found.hac_lags)


def interval_ends(size: float, null: float, here: float, critical: float) -> tuple[float, float]:
    """Ends, towards zero and away from it, of the interval of a positive estimate.

    The first is above zero exactly where the test at zero rejects, size^2 > critical^2 null.

    Args:
        size: the estimate.
        null, here: its variance where the truth is zero, and where it is the estimate.
    """
    far = size + critical * math.sqrt(here)
    if size**2 <= critical**2 * null:
        return size - critical * math.sqrt(null), far
    # (size - e)^2 = c^2 (here + (null - here) (size - e) / size), of which size - e is the positive root.
    bend = critical**2 * (null - here) / (2.0 * size)
    return size - (bend + math.sqrt(bend**2 + critical**2 * here)), far


def standardised(fits: Sequence[OlsFit], table: Array) -> list[StandardisedFit]:
    """The fits in standard deviations (divisor n) of each series; the constant is zero, without error.

    Args:
        fits: of one regression at several bandwidths.
        table: (n, 1 + k) in time order: what was explained, and the regressors in the order of the fits. None
            of them constant.
    """
    effects, influence = effect_influence(fits[0].params[1:], table)
    spread = table.std(axis=0)
    scale = np.concatenate([[0.0], spread[1:] / spread[0]])
    square = np.outer(scale, scale)
    return [
        StandardisedFit(
            names=fit.names,
            params=effects,
            cov=bartlett_covariance(influence, fit.lags) / fit.n,
            r2=fit.r2,
            n=fit.n,
            lags=fit.lags,
            loadings=fit.loadings * square,
            null_cov=fit.cov * square,
        )
        for fit in fits
    ]


def effect_influence(slopes: Array, table: Array) -> tuple[Array, Array]:
    """Standardised effects (1 + k,) and the influence (n, 1 + k) of each row on them; zero for the constant.

    Args:
        slopes: (k,) least-squares slopes.
        table: (n, 1 + k), what was explained before the regressors.
    """
    n = len(table)
    away = table - table.mean(axis=0)
    moments = away.T @ away / n
    spread = np.sqrt(np.diag(moments))
    z = away / spread
    effects = slopes * spread[1:] / spread[0]
    # In standard deviations the slope's influence is the residual times the regressors, over their moments.
    residual = z[:, 0] - z[:, 1:] @ effects
    correlation = moments[1:, 1:] / np.outer(spread[1:], spread[1:])
    squares = z * z
    influence = np.zeros_like(table)
    influence[:, 1:] = (residual[:, None] * z[:, 1:]) @ np.linalg.inv(correlation)
    influence[:, 1:] += (squares[:, 1:] - squares[:, :1]) * (effects / 2.0)
    return np.concatenate([[0.0], effects]), influence
