"""Least squares with Newey-West covariance, and intervals of linear combinations of the coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perp_pipeline.research.statistics import (
    Array,
    Estimate,
    bartlett_covariance,
    block_products,
    bounded,
    hac_lags,
    weighted_critical,
)


@dataclass(frozen=True)
class OlsFit:
    """A least-squares fit with HAC covariance.

    Attributes:
        names: regressors, in the order of ``params``; the first is the constant.
        params, cov: coefficients (k,) and their HAC covariance (k, k).
        r2: share of variance explained.
        n, lags: observations and Bartlett lags.
        loadings: (blocks, k, k) sums, over blocks of ``lags`` + 1 rows, of the products of the rows' weights
            in the coefficients, each times the row's error (:func:`bounded`).
    """

    names: tuple[str, ...]
    params: Array
    cov: Array
    r2: float
    n: int
    lags: int
    loadings: Array

    def combine(self, weights: Sequence[float] | Array, critical: float | None = None) -> Estimate:
        """A linear combination of the coefficients; its t statistic squared is the Wald statistic.

        Args:
            critical: :meth:`critical` of the weights, where it is known.
        """
        w = np.asarray(weights, dtype=np.float64)
        value = float(w @ self.params)
        se = math.sqrt(max(0.0, float(w @ self.cov @ w)))
        reach = (self.critical(w) if critical is None else critical) * se
        return Estimate(value, se, value - reach, value + reach, self.n, self.lags)

    def t(self, weights: Sequence[float] | Array) -> float:
        """t statistic of the hypothesis that a linear combination is zero; NaN where it has no error."""
        w = np.asarray(weights, dtype=np.float64)
        se = math.sqrt(max(0.0, float(w @ self.cov @ w)))
        return float(w @ self.params) / se if se > 0.0 else math.nan

    def critical(self, weights: Sequence[float] | Array) -> float:
        """95 % critical value of the t statistic of a linear combination (:func:`weighted_critical`)."""
        w = np.asarray(weights, dtype=np.float64)
        return weighted_critical(self.loadings @ w @ w, self.n, self.lags)


def ols_hac(
    y: Array, regressors: dict[str, Array], lags: int | None = None, *, more_lags: Sequence[int] = ()
) -> list[OlsFit]:
    """Least squares on a constant and ``regressors`` (statsmodels) with Newey-West covariance.

    The covariance is that of statsmodels' ``cov_type="HAC"`` without its small-sample correction, by the one
    pass of :func:`bartlett_covariance` instead of a pass per lag.

    Args:
        y: (n,), in time order, finite.
        regressors: name to (n,) array; the constant is added in front as ``const``.
        lags: Bartlett lags; :func:`hac_lags` by default.
        more_lags: other bandwidths at which the same fit's covariance is wanted.

    Returns:
        one fit for ``lags`` and one for each of ``more_lags``, in that order.

    Raises:
        ValueError: fewer than 8 more rows than regressors, or regressors that are linearly dependent.
    """
    from statsmodels.regression.linear_model import OLS

    n = len(y)
    x = np.column_stack([np.ones(n), *regressors.values()])
    if n < x.shape[1] + 8:
        raise ValueError(f"{n} rows are too few for {x.shape[1]} regressors")
    size = np.sqrt((x**2).sum(axis=0))
    # Columns of one length, so that what counts as dependent does not hang on units.
    unit = x / np.where(size > 0.0, size, 1.0)
    if np.linalg.eigvalsh(unit.T @ unit)[0] <= n * np.finfo(np.float64).eps:
        raise ValueError(f"regressors are linearly dependent: {', '.join(regressors)}")
    result = OLS(y, unit).fit()
    bread = np.asarray(result.normalized_cov_params) / np.outer(size, size)
    residual = np.asarray(result.resid)
    scores = x * residual[:, None]
    weights = (x @ bread) * bounded(residual)[:, None]
    first = hac_lags(n) if lags is None else lags
    return [
        OlsFit(
            names=("const", *regressors),
            params=np.asarray(result.params) / size,
            cov=np.asarray(n * bread @ bartlett_covariance(scores, used) @ bread),
            r2=float(result.rsquared),
            n=n,
            lags=used,
            loadings=block_products(weights, used),
        )
        for used in (first, *more_lags)
    ]
