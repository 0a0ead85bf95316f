"""Standardised effects: coefficients times sd(x) / sd(y), with the errors of both standard deviations.

A regression of standardised series takes the standard deviations for known. They are estimated from the same
days, and funding's from persistent ones. With z the standardised series and ``b sx / sy`` an effect, the
influence of a row on it is that on b, times sx / sy, plus the effect times (zx^2 - zy^2) / 2 (delta method).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from perp_pipeline.research.statistics import Array, OlsFit, bartlett_covariance, block_products


def standardised(fits: Sequence[OlsFit], table: Array) -> list[OlsFit]:
    """The fits in standard deviations (divisor n) of each series; the constant is zero, without error.

    Args:
        fits: of one regression at several bandwidths.
        table: (n, 1 + k) in time order: what was explained, and the regressors in the order of the fits. None
            of them constant.
    """
    effects, influence = effect_influence(fits[0].params[1:], table)
    return [
        replace(
            fit,
            params=effects,
            cov=bartlett_covariance(influence, fit.lags) / fit.n,
            loadings=block_products(influence, fit.lags),
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
