"""Standardised effects: coefficients times sd(x) / sd(y), with the errors of both standard deviations.

A regression of standardised series takes the standard deviations for known. They are estimated from the same
days, and funding's from persistent ones. With z the standardised series and ``b sx / sy`` an effect, the
influence of a row on it is that on b, times sx / sy, plus the effect times (zx^2 - zy^2) / 2 (delta method).

An effect then rests on the days of large returns and of extreme funding alike: what counts as the sample for
the critical value is what blocks of rows add to its variance
(:func:`perp_pipeline.research.statistics.weighted_critical`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from perp_pipeline.research.statistics import Array, OlsFit, bartlett_covariance, block_sums


def standardised(fits: Sequence[OlsFit], y: Array, regressors: Array) -> list[OlsFit]:
    """The fits in standard deviations (divisor n) of each series; the constant is zero, without error.

    Args:
        fits: of the same regression at several bandwidths.
        y: (n,) in time order, as fitted.
        regressors: (n, k), in the order of the fits, without the constant; none constant.
    """
    params = fits[0].params
    spread = regressors.std(axis=0)
    scale = np.concatenate([[0.0], spread]) / y.std()
    influence = effect_influence(params, y, regressors)
    products = influence[:, :, None] * influence[:, None, :]
    return [
        replace(
            fit,
            params=params * scale,
            cov=bartlett_covariance(influence, fit.lags) / fit.n,
            loadings=block_sums(products, fit.lags),
        )
        for fit in fits
    ]


def effect_influence(params: Array, y: Array, regressors: Array) -> Array:
    """Influence (n, 1 + k) of each row on the standardised effects; that on the constant is zero.

    Args:
        params: (1 + k,) least-squares coefficients, the constant first.
        y: (n,).
        regressors: (n, k).
    """
    n = len(y)
    spread, level = regressors.std(axis=0), float(y.std())
    away = regressors - regressors.mean(axis=0)
    moments = away.T @ away / n
    residual = y - params[0] - regressors @ params[1:]
    on_slopes = residual[:, None] * np.linalg.solve(moments, away.T).T
    scale = spread / level
    squares = (away / spread) ** 2 - ((y - y.mean()) / level)[:, None] ** 2
    influence = np.zeros((n, len(params)))
    influence[:, 1:] = on_slopes * scale + params[1:] * scale * squares / 2.0
    return influence
