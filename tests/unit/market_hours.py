"""Population values of what hinges on the hours inside windows: forecasts, recomputed rates, precision.

Hourly premiums of the simulated market are Gaussian with known autocovariances, and what estimators make of
a window is linear in them. R2 against no change are quadratic forms of the rates' autocovariances; what goes
through the rate map is a mean over draws of the joint normal law, known to a four-hundredth of its spread.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
from market_truth import ANNUAL, Law

from perp_pipeline.funding.premium import (
    bar_weights,
    correlation_matrix,
    path_weights,
    rising_weights,
    unbiased_rho,
)
from perp_pipeline.simulation.clamp import normal_cdf
from perp_pipeline.simulation.parameters import HOURS_A_DAY, PRIOR_DAYS
from perp_pipeline.simulation.premium import WINDOW

Array = np.ndarray
DRAWS = 200_000


def toeplitz(gamma: Array, n: int) -> Array:
    """(n, n) of autocovariances by distance."""
    steps = np.arange(n)
    return gamma[np.abs(np.subtract.outer(steps, steps))]


def hourly_autocovariances(law: Law, hours: int) -> Array:
    """Of the hourly premium, at 0 to ``hours`` hours."""
    process = law.planted.premium
    back = [np.full(HOURS_A_DAY, process.same_day), np.full(HOURS_A_DAY * PRIOR_DAYS, process.prior_month)]
    loads = np.concatenate(back)
    lags = np.arange(hours + 1)
    overlap = np.array([loads[: len(loads) - lag] @ loads[lag:] for lag in lags])
    persistent = (process.common_sd**2 + process.own_sd**2) * process.persistence_1h**lags
    return law.hour_variance() * overlap + persistent + process.noise_sd**2 * (lags == 0)


def r2_of_mean(law: Law, count: int, ahead: int) -> float:
    """R2 against the last rate of the mean of the last ``count`` for the mean of the next ``ahead``."""
    gamma = toeplitz(law.premium.rate_autocovariances(count + ahead), count + ahead)
    target = np.concatenate([np.zeros(count), np.full(ahead, 1.0 / ahead)])
    mean = np.concatenate([np.full(count, 1.0 / count), np.zeros(ahead)])
    last = np.eye(count + ahead)[count - 1]
    missed, rival = target - mean, target - last
    return 1.0 - float(missed @ gamma @ missed) / float(rival @ gamma @ rival)


def folded_mean(mean: float, sd: float) -> float:
    """E|X| of a normal X."""
    z = mean / sd
    return sd * float(np.sqrt(2.0 / np.pi) * np.exp(-(z**2) / 2.0)) + mean * (1.0 - 2.0 * normal_cdf(-z))


class Inside:
    """Draws of one window and the one before it.

    Attributes:
        of: (draws, 16) hourly premiums.
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        self.rule = law.perp.rate_map
        root = np.linalg.cholesky(toeplitz(hourly_autocovariances(law, 2 * WINDOW), 2 * WINDOW))
        self.of = law.premium.mean + np.random.default_rng(11).normal(size=(DRAWS, 2 * WINDOW)) @ root.T

    @cached_property
    def window(self) -> Array:
        """Hours of the window."""
        return self.of[:, WINDOW:]

    @cached_property
    def premium(self) -> Array:
        """The venue's average."""
        return self.window @ bar_weights(WINDOW, 1.0)

    @cached_property
    def rate(self) -> Array:
        return self.rule(self.premium)

    @cached_property
    def before(self) -> Array:
        """The rate of the window before."""
        return self.rule(self.of[:, :WINDOW] @ bar_weights(WINDOW, 1.0))

    def so_far(self, left: int) -> Array:
        """Average of the hours up to ``left`` before the end."""
        count = WINDOW - left
        return self.window[:, :count] @ bar_weights(count, 1.0)

    def coarser(self, hours: int) -> Array:
        """Average from bars of so many hours."""
        first, last = path_weights(WINDOW // hours, float(hours))
        return self.window[:, ::hours] @ first + self.window[:, hours - 1 :: hours] @ last

    def ways(self) -> dict[str, Array]:
        """Averages by the ending of the audit's statistics."""
        close = self.window @ rising_weights(WINDOW)
        return {"_close": close, "_flat": self.window.mean(axis=1), "_8h": self.coarser(WINDOW)}

    def r2(self, premium: Array) -> float:
        """Of the map of a premium for the rate, against the rate before."""
        rate = self.rate
        return 1.0 - float(((rate - self.rule(premium)) ** 2).mean() / ((rate - self.before) ** 2).mean())

    def explained(self, premium: Array) -> float:
        """Share of the rate's variance."""
        return 1.0 - float(((self.rate - self.rule(premium)) ** 2).mean() / self.rate.var())

    def missed(self, premium: Array) -> float:
        """Root mean square against the venue's average, off the flat zone and below the cap."""
        away = np.abs(self.rate - self.rule.interest)
        part = (away > 1e-8) & (np.abs(self.rate) < self.rule.cap - 1e-8)
        return float(np.sqrt(((premium - self.premium)[part] ** 2).mean()))

    def audited(self, premium: Array) -> dict[str, float]:
        """Statistics of recomputed less published rates, a year."""
        made, interest = self.rule(premium), self.rule.interest
        error = ANNUAL * (made - self.rate)
        return {
            "mean_error": float(error.mean()),
            "mean_absolute_error": float(np.abs(error).mean()),
            "rms_error": float(np.sqrt((error**2).mean())),
            "p95_absolute_error": float(np.quantile(np.abs(error), 0.95)),
            "share_default_agrees": float(((made == interest) == (self.rate == interest)).mean()),
        }


@lru_cache(maxsize=1)
def inside(law: Law) -> Inside:
    """The draws of one contract."""
    return Inside(law)


def precision(law: Law) -> dict[str, float]:
    """Autocorrelation of neighbours about the window's level, and what follows (core_premium)."""
    n = WINDOW
    weights, level = bar_weights(n, 1.0), np.eye(n) - 1.0 / n
    away = level @ toeplitz(hourly_autocovariances(law, n), n) @ level
    squares, products = float(np.trace(away)), float(np.diagonal(away, 1).sum())
    rho = unbiased_rho(products / squares, n)
    return {
        "autocorrelation": rho,
        "n_effective": 1.0 / float(weights @ correlation_matrix(rho, n) @ weights),
        "se_mean_independent": float(np.sqrt(squares / (n - 1) * (weights @ weights))),
    }
