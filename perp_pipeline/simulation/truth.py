"""What was planted in a simulated market, and what came of it.

*Population* values are those of the process: an estimate from one market differs from them by its sampling
error. They are closed forms or sums over known weights (:mod:`.clamp`, :mod:`.premium`), not averages of
simulated data.
*Realised* values are those of this very market: a pipeline that loses no row finds them to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from perp_pipeline.simulation.curve import CurveRows, curve_rows
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.parameters import HOURS_A_DAY, HOURS_A_YEAR, Perp, Planted
from perp_pipeline.simulation.premium import WINDOW, WindowPremium, quanto_covariance
from perp_pipeline.simulation.reference import SERIES, reference_series


@dataclass(frozen=True)
class PerpTruth:
    """Truth about one contract. Rates are fractions, annualised by 8760 / 8 where named so.

    Attributes:
        interest, clamp, cap: of the rate map, per 8 hours.
        premium_mean, premium_sd: population law (Gaussian) of the window premium.
        mean_annual: population mean of the annualised rate.
        mean_annual_sd: exact standard deviation of the realised mean of ``realised_n`` payments around it.
        share_default, share_negative: probabilities of a rate of exactly ``interest``, and below zero.
        autocorrelation_8h, autocorrelation_24h: of the paid rate, population.
        premium_same_day, premium_prior_month: planted premium per unit of log return.
        slope_same_day, slope_prior_month: population least-squares slopes of the rate of an accrual day
            (fraction a day) on two simple returns of the index: that day's, and that of the 30 days before.
        slope_same_day_standardised, slope_prior_month_standardised: times a return's standard deviation.
        realised_mean_annual: mean of the published rates, annualised; NaN without payments.
        first_paid_at, last_paid_at: None without payments.
    """

    venue: str
    symbol: str
    base: str
    contract_type: str
    interest: float
    clamp: float
    cap: float
    premium_mean: float
    premium_sd: float
    mean_annual: float
    mean_annual_sd: float
    share_default: float
    share_negative: float
    autocorrelation_8h: float
    autocorrelation_24h: float
    premium_same_day: float
    premium_prior_month: float
    slope_same_day: float
    slope_prior_month: float
    slope_same_day_standardised: float
    slope_prior_month_standardised: float
    realised_mean_annual: float
    realised_n: int
    first_paid_at: datetime | None
    last_paid_at: datetime | None


@dataclass(frozen=True)
class Truth:
    """Truth about a simulated market.

    Attributes:
        daily_vol: standard deviation of the daily log return by base, population.
        realised_daily_vol: the same of this market's index closes at 00:00 UTC.
        mean_return_annual: population arithmetic mean return a year by base.
        return_correlation: of the two coins' hourly log returns.
        quanto_covariance_annual: population covariance of the coins' simple 8-hour returns, a year.
        quanto_covariance_annual_daily: the same of daily returns.
        realised_quanto_covariance_annual: sample covariance of the index's 8-hour simple returns, a year.
        quanto_net_annual: population mean of ETHUSD funding beyond the covariance.
        cme_mean_basis: population mean of the annual log basis.
        cme_mean_annual: population mean of each method over the sessions that the public copy files under
            their own date: ``calendar_x12`` (F2/F1 - 1) * 12, ``calendar`` (F2/F1 - 1) * 365 / (T2 - T1).
        realised_cme_mean_annual: means of the same over the prices as printed.
        realised_reference_rates: mean of each FRED series as a fraction a year over the simulated months.
    """

    seed: int
    first_month: str
    last_month: str
    perps: tuple[PerpTruth, ...]
    daily_vol: Mapping[str, float]
    realised_daily_vol: Mapping[str, float]
    mean_return_annual: Mapping[str, float]
    return_correlation: float
    quanto_covariance_annual: float
    quanto_covariance_annual_daily: float
    realised_quanto_covariance_annual: float
    quanto_net_annual: float
    cme_mean_basis: float
    cme_mean_annual: Mapping[str, float]
    realised_cme_mean_annual: Mapping[str, float]
    realised_reference_rates: Mapping[str, float]

    def perp(self, venue: str, symbol: str) -> PerpTruth:
        """Truth about one contract.

        Raises:
            KeyError: it is not simulated.
        """
        for perp in self.perps:
            if (perp.venue, perp.symbol) == (venue, symbol):
                return perp
        raise KeyError(f"{venue} {symbol} is not simulated")


def truth_of(market: SimulatedMarket) -> Truth:
    """Collect the truth about a market (generates all of it)."""
    planted = market.planted
    rows = curve_rows(market)
    served = slice(int(market.rows(np.array([market.start_hour]))[0]), None)
    index = market.index[served]
    daily, eight = (
        np.diff(np.log(index[::HOURS_A_DAY]), axis=0),
        index[WINDOW::WINDOW] / index[:-WINDOW:WINDOW] - 1,
    )
    return Truth(
        seed=market.seed,
        first_month=str(market.first_month),
        last_month=str(market.last_month),
        perps=tuple(perp_truth(market, perp) for perp in planted.perps),
        daily_vol={asset.base: asset.daily_vol for asset in planted.assets},
        realised_daily_vol={
            a.base: float(v) for a, v in zip(planted.assets, daily.std(0, ddof=1), strict=True)
        },
        mean_return_annual={asset.base: asset.mean_annual for asset in planted.assets},
        return_correlation=planted.correlation,
        quanto_covariance_annual=quanto_covariance(planted),
        quanto_covariance_annual_daily=quanto_covariance(planted, HOURS_A_DAY),
        realised_quanto_covariance_annual=float(np.cov(eight.T)[0, 1] * HOURS_A_YEAR / WINDOW),
        quanto_net_annual=planted.quanto_net_annual,
        cme_mean_basis=planted.curve.mean,
        cme_mean_annual=_population_curve(planted, rows),
        realised_cme_mean_annual=_realised_curve(rows),
        realised_reference_rates={
            name: float(reference_series(market, name).loc[market.span.start.strftime("%Y-%m-%d") :].mean())
            / 100.0
            for name in SERIES
        },
    )


def perp_truth(market: SimulatedMarket, perp: Perp) -> PerpTruth:
    """Truth about one contract of the market."""
    law = WindowPremium(perp, market.planted)
    paid = market.payments(perp)
    gamma = law.rate_autocovariances(3)
    slopes = law.return_slopes()
    growth, vol = law.asset.mean_annual / 365.0, law.asset.daily_vol
    sds = [float(np.exp(growth * d) * np.sqrt(np.expm1(vol**2 * d))) for d in (1, 30)]
    ends = [datetime.fromtimestamp(int(t), UTC) for t in paid.paid_at[[0, -1]]] if len(paid) else [None, None]
    return PerpTruth(
        venue=perp.venue,
        symbol=perp.symbol,
        base=perp.base,
        contract_type=perp.contract_type,
        interest=perp.rate_map.interest,
        clamp=perp.rate_map.clamp,
        cap=perp.rate_map.cap,
        premium_mean=law.mean,
        premium_sd=law.sd,
        mean_annual=law.mean_annual,
        mean_annual_sd=law.mean_sd(len(paid)) * HOURS_A_YEAR / WINDOW if len(paid) else float("nan"),
        share_default=perp.rate_map.share_default(law.mean, law.sd),
        share_negative=perp.rate_map.share_negative(law.mean, law.sd),
        autocorrelation_8h=float(gamma[1] / gamma[0]),
        autocorrelation_24h=float(gamma[3] / gamma[0]),
        premium_same_day=market.planted.premium.same_day,
        premium_prior_month=market.planted.premium.prior_month,
        slope_same_day=slopes[0],
        slope_prior_month=slopes[1],
        slope_same_day_standardised=slopes[0] * sds[0],
        slope_prior_month_standardised=slopes[1] * sds[1],
        realised_mean_annual=float(paid.rate.mean()) * HOURS_A_YEAR / WINDOW if len(paid) else float("nan"),
        realised_n=len(paid),
        first_paid_at=ends[0],
        last_paid_at=ends[1],
    )


def _population_curve(planted: Planted, rows: CurveRows) -> dict[str, float]:
    """E[exp(b D) - 1] for Gaussian b and the sessions' own days between the contracts, D in years."""
    curve = planted.curve
    variance = curve.sd**2 + curve.prior_month**2 * planted.btc.daily_vol**2 * 30
    years = np.diff(rows.days[rows.filed_right], axis=1)[:, 0] / 365.0
    growth = np.expm1(curve.mean * years + 0.5 * variance * years**2)
    return {"calendar_x12": float((growth * 12.0).mean()), "calendar": float((growth / years).mean())}


def _realised_curve(rows: CurveRows) -> dict[str, float]:
    years = np.diff(rows.days[rows.filed_right], axis=1)[:, 0] / 365.0
    spread = (rows.f2 / rows.f1 - 1.0)[rows.filed_right]
    return {"calendar_x12": float(spread.mean() * 12.0), "calendar": float((spread / years).mean())}
