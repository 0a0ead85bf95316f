"""out_funding_averages and out_funding_monthly: mean rates with errors that respect persistence.

The unit of observation is the UTC day: the 8-hour payments of one day are not three pieces of evidence, and
CME settles once a day. Days without complete funding (and weekends, for CME) are closed up rather than
filled: the remaining days are treated as equally spaced, under which the Newey-West error of a mean stays
valid (Datta and Du 2012, "Nonparametric HAC estimation for time series data with missing observations").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.series import FUNDING, RateSeries, bounds, daily_rates, mean_row, rate_series
from perp_pipeline.research.statistics import hac_skewness

DEFAULT_RATE_8H: Final = 0.0001
"""The interest component that premium-to-rate maps fall back to, per 8 hours."""

_COLUMNS = (
    "base",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "n",
    "window_start",
    "window_end",
    "hac_lags",
    "share_negative",
    "share_default",
    "skew",
    "coverage",
)


def out_funding_averages(
    *,
    core_funding_daily: pd.DataFrame,
    core_funding_payments: pd.DataFrame,
    core_cme_implied: pd.DataFrame,
    periods: Sequence[str] = (),
) -> pd.DataFrame:
    """Mean simple annual rate of each venue, symbol and method over the standard periods.

    Args:
        periods: further periods (``2021-02``, ``2020-03..2021-04``) beside the standard ones.
    """
    payments = _default_flags(core_funding_payments)
    rows = [
        {"venue": series.venue, "symbol": series.symbol, "method": series.method, "period": period} | summary
        for series in rate_series(daily_rates(core_funding_daily, core_cme_implied))
        for period in series.periods(periods)
        if (summary := _summary(series, series.bounds(period), payments, period)) is not None
    ]
    return pd.DataFrame(rows, columns=["venue", "symbol", "method", "period", *_COLUMNS])


def out_funding_monthly(
    *,
    core_funding_daily: pd.DataFrame,
    core_funding_payments: pd.DataFrame,
    core_cme_implied: pd.DataFrame,
) -> pd.DataFrame:
    """Mean simple annual rate of each venue, symbol and method in each calendar month."""
    payments = _default_flags(core_funding_payments)
    rows = [
        {"venue": series.venue, "symbol": series.symbol, "method": series.method, "month": month} | summary
        for series in rate_series(daily_rates(core_funding_daily, core_cme_implied))
        for month in _months(series)
        if (summary := _summary(series, series.bounds(month), payments, month)) is not None
    ]
    return pd.DataFrame(rows, columns=["venue", "symbol", "method", "month", *_COLUMNS])


def at_default(rate: pd.Series, interval_hours: pd.Series) -> pd.Series:
    """True where a payment is exactly the default rate: 0.0001 per 8 hours, pro rata for other intervals.

    Venues print at most ten decimals, so equality is to 1e-10.
    """
    default = DEFAULT_RATE_8H * interval_hours.astype("float64") / 8.0
    return (rate - default).abs() < 1e-10


def _summary(
    series: RateSeries, where: slice, payments: dict[tuple[str, str], _Flags], period: str
) -> dict[str, Any] | None:
    days, rates = series.days[where], series.rates[where]
    if len(rates) == 0:
        return None
    length = int((days[-1] - days[0]) / np.timedelta64(1, "D")) + 1
    flags = payments.get((series.venue, series.symbol)) if series.method == FUNDING else None
    return {
        "base": series.base,
        **mean_row(days, rates),
        "share_negative": float((rates < 0).mean()),
        "share_default": np.nan if flags is None else flags.share(period),
        "skew": _skew(rates),
        "coverage": len(rates) / length,
    }


def _skew(rates: npt.NDArray[np.float64]) -> float:
    try:
        return hac_skewness(rates)[0].estimate
    except ValueError:
        return float("nan")


class _Flags:
    """Accrual starts of a symbol's payments, ascending, and whether each paid exactly the default."""

    def __init__(self, starts: npt.NDArray[np.datetime64], flags: npt.NDArray[np.bool_]) -> None:
        self._starts = starts
        self._flags = flags

    def share(self, period: str) -> float:
        chosen = self._flags[bounds(self._starts, period)]
        return float(chosen.mean()) if len(chosen) else float("nan")


def _default_flags(payments: pd.DataFrame) -> dict[tuple[str, str], _Flags]:
    flagged = pd.DataFrame(
        {
            "venue": payments["venue"],
            "symbol": payments["symbol"],
            "start": payments["accrual_start"].dt.tz_localize(None),
            "default": at_default(payments["rate"], payments["interval_hours"]),
        }
    ).sort_values(["venue", "symbol", "start"])
    return {
        (str(venue), str(symbol)): _Flags(
            rows["start"].to_numpy(dtype="datetime64[us]"), rows["default"].to_numpy(dtype=np.bool_)
        )
        for (venue, symbol), rows in flagged.groupby(["venue", "symbol"], sort=False)
    }


def _months(series: RateSeries) -> Iterator[str]:
    for month in np.unique(series.days.astype("datetime64[M]")):
        yield str(month)
