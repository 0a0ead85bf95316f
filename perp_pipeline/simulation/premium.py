"""From hourly premiums to the window premium that sets a rate, and its exact distribution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from perp_pipeline.simulation.parameters import (
    HOURS_A_DAY,
    HOURS_A_YEAR,
    PRIOR_DAYS,
    Asset,
    Perp,
    Planted,
    PremiumProcess,
)
from perp_pipeline.simulation.processes import trailing_sum

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

WINDOW = 8
"""Hours of a funding window."""
SAMPLES_AN_HOUR = 720
"""Samples of the premium index an hour, one every 5 seconds; a window's premium weights them 1 to N."""
MEMORY = HOURS_A_DAY * (1 + PRIOR_DAYS)
"""Hours of returns that a premium looks back on."""


def window_weights(perp: Perp) -> Array:
    """Weights of a window's eight hours, oldest first; they sum to one.

    Rising: the sum of the weights of an hour's samples, all of which show the hour's premium.
    """
    weights = np.ones(WINDOW * SAMPLES_AN_HOUR)
    if perp.rising_weights:
        weights = np.arange(1.0, WINDOW * SAMPLES_AN_HOUR + 1)
    return np.asarray(weights.reshape(WINDOW, SAMPLES_AN_HOUR).sum(axis=1) / weights.sum(), dtype=np.float64)


def hourly_premium(
    process: PremiumProcess, mean: float, shocks: Array, common: Array, own: Array, noise: Array
) -> Array:
    """Premium of each hour, known at its end, as a fraction of the index.

    Args:
        shocks: hourly log returns of the base less their drift; the first ``MEMORY`` rows are warm-up.
        common, own: AR(1) parts.
        noise: standard normal.
    """
    recent = trailing_sum(shocks, HOURS_A_DAY)
    prior = trailing_sum(shocks, HOURS_A_DAY * PRIOR_DAYS, lag=HOURS_A_DAY)
    looking_back = process.same_day * recent + process.prior_month * prior
    return np.asarray(mean + looking_back + common + own + process.noise_sd * noise, dtype=np.float64)


def window_premium(hourly: Array, weights: Array, ends: Index) -> Array:
    """Weighted mean of the eight hours up to and including each row of ``ends``."""
    rows = ends[:, None] + np.arange(1 - WINDOW, 1)
    return np.asarray(np.tensordot(hourly[rows], weights, axes=(1, 0)), dtype=np.float64)


@dataclass(frozen=True)
class WindowPremium:
    """Exact Gaussian law of one contract's window premium, and what follows for its rates.

    The window premium is a weighted sum of independent Gaussians (hourly returns, AR innovations, noise), so
    its variances and covariances are sums over the weights; rates follow through :mod:`.clamp`.
    """

    perp: Perp
    planted: Planted

    @property
    def asset(self) -> Asset:
        """The coin under the contract."""
        return self.planted.asset(self.perp.base)

    @cached_property
    def kernel(self) -> Array:
        """Loading of the window premium on the hourly return j hours before the window's end, j from 0."""
        process = self.planted.premium
        lags = np.concatenate(
            [np.full(HOURS_A_DAY, process.same_day), np.full(HOURS_A_DAY * PRIOR_DAYS, process.prior_month)]
        )
        return np.convolve(window_weights(self.perp)[::-1], lags)

    def autocovariance(self, windows: int) -> float:
        """Covariance of the premiums of two windows that lie ``windows`` windows apart."""
        process, weights, hours = self.planted.premium, window_weights(self.perp), WINDOW * windows
        hour_variance = self.asset.daily_vol**2 / HOURS_A_DAY
        overlap = self.kernel[: max(0, len(self.kernel) - hours)] @ self.kernel[hours:]
        steps = np.arange(WINDOW)
        apart = np.abs(hours + steps[None, :] - steps[:, None])
        persistent = weights @ process.persistence_1h**apart @ weights
        fresh = process.noise_sd**2 * float(weights @ weights) if windows == 0 else 0.0
        ar_variance = process.common_sd**2 + process.own_sd**2
        return float(hour_variance * overlap + ar_variance * persistent + fresh)

    @cached_property
    def sd(self) -> float:
        """Standard deviation of the window premium."""
        return float(np.sqrt(self.autocovariance(0)))

    @cached_property
    def rate_mean(self) -> float:
        """Planted population mean of the rate, per 8 hours."""
        return self.mean_annual * WINDOW / HOURS_A_YEAR

    @property
    def mean_annual(self) -> float:
        """Planted population mean of the annualised rate."""
        if self.perp.mean_annual is not None:
            return self.perp.mean_annual
        return quanto_covariance(self.planted) + self.planted.quanto_net_annual

    @cached_property
    def mean(self) -> float:
        """Mean premium at which the clamped rate has its planted mean."""
        return self.perp.rate_map.premium_mean_for(self.rate_mean, self.sd)

    def rate_autocovariances(self, windows: int) -> Array:
        """Population autocovariances of the rate at lags 0..windows, in windows of 8 hours."""
        lags = np.array([self.autocovariance(k) for k in range(windows + 1)])
        return self.perp.rate_map.covariance(self.mean, self.sd, lags / lags[0])

    def mean_sd(self, n: int) -> float:
        """Exact standard deviation of the mean of ``n`` successive rates around the population mean."""
        gamma = self.rate_autocovariances(min(n - 1, 400))
        shares = 1.0 - np.arange(len(gamma)) / n
        return float(np.sqrt((gamma[0] + 2.0 * float(shares[1:] @ gamma[1:])) / n))

    def daily_windows(self) -> list[tuple[float, int]]:
        """Windows whose rates accrue on a UTC day: share of the rate, and the window's end (hour)."""
        ahead = WINDOW if self.perp.announced_ahead else 0
        payments = range(self.perp.pays_at or WINDOW, HOURS_A_DAY + WINDOW, WINDOW)
        shares = ((min(paid, HOURS_A_DAY) - max(paid - WINDOW, 0), paid) for paid in payments)
        return [(hours / WINDOW, paid - ahead) for hours, paid in shares if hours > 0]

    def return_covariances(self, end: int) -> tuple[float, float]:
        """Covariance of the premium of the window that ends at hour ``end`` of a day with two log returns:
        that day's and that of the 30 days before."""
        hour_variance = self.asset.daily_vol**2 / HOURS_A_DAY
        same_day = self.kernel[max(0, end - HOURS_A_DAY) : max(0, end)]
        prior = self.kernel[max(0, end) : max(0, end + HOURS_A_DAY * PRIOR_DAYS)]
        return float(hour_variance * same_day.sum()), float(hour_variance * prior.sum())

    def return_slopes(self) -> tuple[float, float]:
        """Population least-squares slopes of the daily funding rate on two simple returns: the same day's and
        that of the 30 days before.

        The two returns are independent, so each slope is Cov(rate, R) / Var(R). With R = exp(z) - 1, z
        normal, Cov(g(P), exp z) = E[exp z] (E[g(P + Cov(P, z))] - E[g(P)]): weighting by exp z shifts the
        mean of P.
        """
        growth = self.asset.mean_annual / 365.0
        slopes = []
        for which, days in ((0, 1), (1, PRIOR_DAYS)):
            tilted = sum(
                share * (self._rate_mean_shifted(self.return_covariances(end)[which]) - self.rate_mean)
                for share, end in self.daily_windows()
            )
            variance = np.exp(growth * days) * np.expm1(self.asset.daily_vol**2 * days)
            slopes.append(float(tilted / variance))
        return slopes[0], slopes[1]

    def _rate_mean_shifted(self, shift: float) -> float:
        return self.perp.rate_map.mean(self.mean + shift, self.sd)


def quanto_covariance(planted: Planted, hours: int = WINDOW) -> float:
    """Population covariance a year of the two coins' simple returns over ``hours``, a fraction.

    Log returns are jointly normal: Cov = exp((mu_e + mu_b) tau) (exp(rho s_e s_b tau) - 1), divided by tau.
    """
    years = hours / HOURS_A_YEAR
    covariance = planted.correlation * planted.btc.daily_vol * planted.eth.daily_vol * hours / HOURS_A_DAY
    growth = (planted.btc.mean_annual + planted.eth.mean_annual) * years
    return float(np.exp(growth) * np.expm1(covariance) / years)
