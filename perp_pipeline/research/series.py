"""Daily rates of perpetuals and of the CME curve as one long table, the input of every average."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.periods import parse_period, standard_periods
from perp_pipeline.research.statistics import Array, hac_mean, persistent_lags

FUNDING: Final = "funding"
CME: Final = "cme"
CME_BASES: Final = {"BTC": "BTC", "MBT": "BTC", "ETH": "ETH", "MET": "ETH"}
"""Asset behind each CME product."""

COMPLETE: Final = 0.99
"""Least coverage of a day that counts: a day of two payments out of three is not a day's rate."""

DAILY_COLUMNS: Final = ("venue", "symbol", "base", "method", "day", "rate_annual")


@dataclass(frozen=True)
class RateSeries:
    """One series of daily rates.

    Attributes:
        days: midnights (UTC, naive), ascending, without repeats; days without a complete rate are absent.
        rates: simple annual rate of each day, as a fraction.
    """

    venue: str
    symbol: str
    base: str
    method: str
    days: npt.NDArray[np.datetime64]
    rates: npt.NDArray[np.float64]

    def bounds(self, period: str) -> slice:
        """Positions of the days inside the period."""
        return bounds(self.days, period)

    def periods(self, extra: Sequence[str] = ()) -> list[str]:
        """The standard periods that the series reaches, and the user's."""
        return standard_periods(pd.Timestamp(self.days[0]), pd.Timestamp(self.days[-1]), extra)


def bounds(days: npt.NDArray[np.datetime64], period: str) -> slice:
    """Positions inside ``period`` of ascending, naive UTC time stamps."""
    span = parse_period(period)
    if span is None:
        return slice(0, len(days))
    start = np.datetime64(pd.Timestamp(span.start).tz_localize(None))
    end = np.datetime64(pd.Timestamp(span.end).tz_localize(None))
    return slice(int(np.searchsorted(days, start)), int(np.searchsorted(days, end)))


def daily_rates(core_funding_daily: pd.DataFrame, core_cme_implied: pd.DataFrame) -> pd.DataFrame:
    """Both tables in one long frame with the columns of :data:`DAILY_COLUMNS`.

    Days of funding whose coverage is below :data:`COMPLETE` and rates that are not finite are left out;
    CME days are trading days. Sorted by venue, symbol, method and day.
    """
    funding = core_funding_daily.loc[core_funding_daily["coverage"] >= COMPLETE]
    perps = funding[["venue", "symbol", "base", "day", "rate_annual"]].assign(method=FUNDING)
    futures = core_cme_implied[["product", "method", "trade_date", "rate_annual"]].rename(
        columns={"product": "symbol", "trade_date": "day"}
    )
    futures = futures.assign(
        venue=CME, base=futures["symbol"].map(CME_BASES).fillna(futures["symbol"]).astype("str")
    )
    parts = [part[list(DAILY_COLUMNS)] for part in (perps, futures) if len(part)]
    if not parts:
        return perps[list(DAILY_COLUMNS)]
    both = pd.concat(parts, ignore_index=True)
    both = both[np.isfinite(both["rate_annual"].to_numpy(dtype=np.float64))]
    return both.sort_values(["venue", "symbol", "method", "day"], ignore_index=True)


def rate_series(daily: pd.DataFrame) -> Iterator[RateSeries]:
    """Each series of a :func:`daily_rates` frame, in order of venue, symbol and method."""
    for (venue, symbol, method), rows in daily.groupby(["venue", "symbol", "method"], sort=True):
        yield RateSeries(
            venue=str(venue),
            symbol=str(symbol),
            base=str(rows["base"].iloc[0]),
            method=str(method),
            days=rows["day"].to_numpy(dtype="datetime64[us]"),
            rates=rows["rate_annual"].to_numpy(dtype=np.float64),
        )


def utc(day: np.datetime64) -> pd.Timestamp:
    """A naive UTC day as an aware time stamp."""
    stamp: pd.Timestamp = pd.Timestamp(day).tz_localize("UTC").as_unit("us")
    return stamp


def mean_row(days: npt.NDArray[np.datetime64], values: Array) -> dict[str, Any]:
    """Columns of a result row that states the mean of daily values with its Newey-West error."""
    mean = hac_mean(values, persistent_lags(values))
    return {
        "estimate": mean.estimate,
        "se": mean.se,
        "ci_low": mean.ci_low,
        "ci_high": mean.ci_high,
        "n": mean.n,
        "window_start": utc(days[0]),
        "window_end": utc(days[-1]),
        "hac_lags": mean.hac_lags,
    }
