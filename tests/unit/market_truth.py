"""Population values of what the result tables estimate on the simulated market, in closed form.

A window premium P is N(m, s^2), a log return z is normal, and both are sums over the same hourly returns:

- Cov(g(P), exp z) = E[exp z] (E[g(P + Cov(P, z))] - E[g(P)]) for the rate map g: weighting by exp z shifts P;
- E[g(P) | z] is the map's mean at a shifted mean and a smaller spread.

``Hours`` are counted from the start of the day or event that a rate belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
import pandas as pd

from perp_pipeline.futures.calendar import settles_at
from perp_pipeline.simulation.clamp import normal_cdf
from perp_pipeline.simulation.curve import curve_rows
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.parameters import HOURS_A_DAY, HOURS_A_YEAR, PRIOR_DAYS, Perp, Planted
from perp_pipeline.simulation.premium import WINDOW, WindowPremium

ANNUAL = HOURS_A_YEAR / WINDOW
Windows = Sequence[tuple[float, int]]
"""Share of a mean rate, and the hour at which the window that sets it ends."""


@dataclass(frozen=True)
class Law:
    """One contract's population."""

    perp: Perp
    planted: Planted

    @cached_property
    def premium(self) -> WindowPremium:
        return WindowPremium(self.perp, self.planted)

    @property
    def accrual(self) -> Windows:
        """The day that a rate accrues on."""
        total = sum(share for share, _ in self.premium.daily_windows())
        return [(share / total, end) for share, end in self.premium.daily_windows()]

    @property
    def announced(self) -> Windows:
        """The day whose prices a rate could know; a rate becomes known when its window ends."""
        first = self.perp.pays_at or WINDOW
        return [(1 / 3, end) for end in range(first, HOURS_A_DAY + 1, WINDOW)]

    @property
    def event(self) -> Windows:
        """A single rate, from the moment at which it becomes known."""
        return [(1.0, 0)]

    def hour_variance(self) -> float:
        return self.premium.asset.daily_vol**2 / HOURS_A_DAY

    def with_log_return(self, end: int, start: int, stop: int) -> float:
        """Cov(premium of the window ending at hour ``end``, log return from ``start`` to ``stop``)."""
        kernel = self.premium.kernel[max(0, end - stop) : max(0, end - start)]
        return float(self.hour_variance() * kernel.sum())

    def growth(self, hours: int) -> float:
        """E[exp z] over so many hours."""
        return float(np.exp(self.premium.asset.mean_annual * hours / HOURS_A_YEAR))

    def return_sd(self, hours: int) -> float:
        """Standard deviation of the simple return over so many hours."""
        return float(self.growth(hours) * np.sqrt(np.expm1(self.hour_variance() * hours)))

    def with_return(self, windows: Windows, start: int, stop: int) -> float:
        """Cov(annual rate, simple return from ``start`` to ``stop``)."""
        law = self.premium
        tilted = sum(
            share
            * (
                self.perp.rate_map.mean(law.mean + self.with_log_return(end, start, stop), law.sd)
                - law.rate_mean
            )
            for share, end in windows
        )
        return ANNUAL * self.growth(stop - start) * tilted

    def rate_covariance(self, windows: Windows, days: int = 0) -> float:
        """Covariance of the mean annual rates of two days so many days apart."""
        gamma = self.premium.rate_autocovariances(3 * days + 3)
        pairs = [
            share * other * gamma[abs(end - (then - HOURS_A_DAY * days)) // WINDOW]
            for share, end in windows
            for other, then in windows
        ]
        return ANNUAL**2 * sum(pairs)

    def rate_sd(self, windows: Windows) -> float:
        return float(np.sqrt(self.rate_covariance(windows)))

    def correlation(self, windows: Windows, start: int, stop: int) -> float:
        """Correlation of the rate with a simple return."""
        scale = self.rate_sd(windows) * self.return_sd(stop - start)
        return self.with_return(windows, start, stop) / scale

    def regression(self, windows: Windows, days: int, lagged: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Least-squares slopes on the same day's and the prior ``days`` days' return (and the lagged rate).

        Returns:
            raw and standardised slopes.
        """
        day = HOURS_A_DAY
        back = [(share, end - day) for share, end in windows]
        moments = [self.with_return(windows, 0, day), self.with_return(windows, -day * days, 0)]
        variances = [self.return_sd(day) ** 2, self.return_sd(day * days) ** 2]
        matrix = np.diag(variances)
        if lagged:
            moments.append(self.rate_covariance(windows, 1))
            beside = np.array([[0.0], [self.with_return(back, -day * days, 0)]])
            matrix = np.block([[matrix, beside], [beside.T, np.array([[self.rate_covariance(windows)]])]])
        raw = np.linalg.solve(matrix, np.array(moments))
        return raw, raw * np.sqrt(np.diag(matrix)) / self.rate_sd(windows)

    def mean_in_decile(self, windows: Windows, hours: int, decile: int) -> float:
        """Mean annual rate where the return of the ``hours`` before hour 0 is in its decile."""
        law = self.premium
        spread = float(np.sqrt(self.hour_variance() * hours))
        shares = (np.arange(200) + 0.5) / 200
        total = 0.0
        for share, end in windows:
            shift = self.with_log_return(end, -hours, 0) / spread
            rest = float(np.sqrt(law.sd**2 - shift**2))
            at = [NormalDist().inv_cdf((decile - 1 + p) / 10) for p in shares]
            total += share * float(np.mean([self.perp.rate_map.mean(law.mean + shift * u, rest) for u in at]))
        return ANNUAL * total

    def return_in_top_decile(self, hours: int, sign: int = 1) -> float:
        """Mean simple return of the ``hours`` before a rate in the highest (lowest: sign -1) decile."""
        shift = self.with_log_return(0, -hours, 0) / self.premium.sd
        edge = NormalDist().inv_cdf(0.9)
        return self.growth(hours) * normal_cdf(sign * shift - edge) / 0.1 - 1.0

    def share_of_days(self, holds: Callable[[np.ndarray], np.ndarray], draws: int = 2_000_000) -> float:
        """Probability that a day's mean annual rate, by accrual, is such: draws of its windows' law.

        Its own error is at most a thousandth of the root of the share.
        """
        law = self.premium
        ends = [end for _, end in self.accrual]
        apart = np.abs(np.subtract.outer(ends, ends)) // WINDOW
        root = np.linalg.cholesky([[law.autocovariance(int(lag)) for lag in row] for row in apart])
        premium = law.mean + np.random.default_rng(7).normal(size=(draws, len(ends))) @ root.T
        rate = ANNUAL * self.perp.rate_map(premium) @ np.array([share for share, _ in self.accrual])
        return float(holds(rate).mean())

    def share_default(self) -> float:
        return self.perp.rate_map.share_default(self.premium.mean, self.premium.sd)

    def share_negative(self) -> float:
        return self.perp.rate_map.share_negative(self.premium.mean, self.premium.sd)


def quanto(planted: Planted, hours: int) -> dict[str, float]:
    """Annual moments of ETH, BTC and their quanto from returns over ``hours``; simple and log."""
    a_year = HOURS_A_YEAR / hours
    eth, btc = planted.eth, planted.btc
    share = hours / HOURS_A_DAY
    e, b = (np.expm1(asset.mean_annual / a_year) for asset in (eth, btc))
    both = planted.correlation * eth.daily_vol * btc.daily_vol * share
    cov = (1 + e) * (1 + b) * np.expm1(both)
    vols = [(1 + m) * np.sqrt(np.expm1(x.daily_vol**2 * share)) for m, x in ((e, eth), (b, btc))]
    return {
        "asset_return": e * a_year,
        "perp_return": (e + cov + e * b) * a_year,
        "difference": (cov + e * b) * a_year,
        "covariance": cov * a_year,
        "product_of_means": e * b * a_year,
        "vol_base": vols[0] * np.sqrt(a_year),
        "vol_margin": vols[1] * np.sqrt(a_year),
        "corr": cov / (vols[0] * vols[1]),
        "asset_return_log": eth.mean_annual - 0.5 * eth.daily_vol**2 * 365,
        "covariance_log": both * a_year,
        "vol_base_log": eth.daily_vol * np.sqrt(365),
        "vol_margin_log": btc.daily_vol * np.sqrt(365),
        "corr_log": planted.correlation,
    }


def hourly_premium_sd(law: Law) -> float:
    """Standard deviation of the hourly premium."""
    process = law.planted.premium
    looking_back = HOURS_A_DAY * (process.same_day**2 + PRIOR_DAYS * process.prior_month**2)
    variance = law.hour_variance() * looking_back
    return float(np.sqrt(variance + process.common_sd**2 + process.own_sd**2 + process.noise_sd**2))


def cme_slopes(market: SimulatedMarket, days: int) -> tuple[float, float]:
    """Slopes of the rate (F2 / F1 - 1) / years on spot returns between settlements, same and prior.

    The basis looks back on 30 days of log returns; sessions are unevenly spaced, so the least-squares slope
    is the sum of the sessions' covariances over that of their variances.
    """
    rows, curve, coin = curve_rows(market), market.planted.curve, market.planted.btc
    kept = rows.filed_right
    dates = rows.trade_date[kept]
    hours = settles_at(pd.Series(dates)).dt.tz_localize(None).to_numpy().astype("datetime64[h]").astype(int)
    years = np.diff(rows.days[kept], axis=1)[:, 0] / 365.0
    per_hour = coin.daily_vol**2 / HOURS_A_DAY
    basis_variance = curve.sd**2 + curve.prior_month**2 * per_hour * HOURS_A_DAY * PRIOR_DAYS
    place = np.searchsorted(dates[:-1], dates[:-1] - pd.Timedelta(days, "D"), side="right") - 1
    known = np.flatnonzero(place >= 0)
    now, before, start = hours[known + 1], hours[known], hours[place[known]]
    level = np.exp(curve.mean * years[known + 1] + basis_variance * years[known + 1] ** 2 / 2)
    memory = HOURS_A_DAY * PRIOR_DAYS
    slopes = []
    for length, overlap in (
        (now - before, np.minimum(now - before, memory)),
        (before - start, np.minimum(now - start, memory) - np.minimum(now - before, memory)),
    ):
        growth = np.exp(coin.mean_annual * length / HOURS_A_YEAR)
        shift = curve.prior_month * per_hour * overlap * years[known + 1]
        covariance = level * growth * np.expm1(shift) / years[known + 1]
        slopes.append(float(covariance.sum() / (growth**2 * np.expm1(per_hour * length)).sum()))
    return slopes[0], slopes[1]
