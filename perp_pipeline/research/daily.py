"""Daily series that several estimators share: prices at midnight, funding by day, one contract per venue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import COMPLETE, bounds


def main_symbols(funding: pd.DataFrame) -> pd.DataFrame:
    """The contract that stands for each venue and base: most rows, if tied the first by name.

    Args:
        funding: any table with venue, base and symbol.

    Returns:
        frame with venue, base, symbol, one row per venue and base.
    """
    counts = funding.groupby(["venue", "base", "symbol"], observed=True).size().rename("rows").reset_index()
    ranked = counts.sort_values(["venue", "base", "rows", "symbol"], ascending=[True, True, False, True])
    return ranked.drop_duplicates(["venue", "base"])[["venue", "base", "symbol"]].reset_index(drop=True)


def chained_prices(core_returns_8h: pd.DataFrame, base: str) -> pd.Series:
    """Price at the end of each 8-hour window that has one (naive UTC).

    Chained from the first close by the 8-hour returns, each of which is one venue's own: a change of the
    venue (and of dollars to tether) is no return. After a hole the chain starts at the close again.
    """
    rows = core_returns_8h[(core_returns_8h["base"] == base) & (core_returns_8h["close"] > 0)]
    rows = rows.sort_values("window_end")
    ends = rows["window_end"].dt.tz_convert("UTC").dt.tz_localize(None)
    new_chain = (ends.diff() != pd.Timedelta(hours=8)).to_numpy()
    growth = np.where(new_chain, 1.0, 1.0 + rows["ret_8h"].to_numpy(dtype=np.float64))
    chain = pd.Series(new_chain).cumsum()
    first_close = pd.Series(rows["close"].to_numpy(dtype=np.float64)).groupby(chain).transform("first")
    price = first_close * pd.Series(growth).groupby(chain).cumprod()
    return pd.Series(price.to_numpy(), index=pd.DatetimeIndex(ends))


def midnight_prices(core_returns_8h: pd.DataFrame, base: str) -> pd.Series:
    """Chained price at 00:00 UTC, the start of each day: on every calendar day (naive), NaN where missing."""
    price = chained_prices(core_returns_8h, base)
    return every_day(price[price.index == price.index.normalize()])


def every_day(series: pd.Series) -> pd.Series:
    """The series on every calendar day from its first to its last; days it lacks are NaN."""
    if series.empty:
        return series
    days = pd.date_range(series.index.min(), series.index.max(), freq="D", unit="us")
    return series.reindex(days)


def accrual_funding(core_funding_daily: pd.DataFrame, venue: str, symbol: str) -> pd.Series:
    """Simple annual funding by the UTC day it accrued on; days that are not fully covered are NaN."""
    rows = core_funding_daily[
        (core_funding_daily["venue"] == venue)
        & (core_funding_daily["symbol"] == symbol)
        & (core_funding_daily["coverage"] >= COMPLETE)
    ]
    return every_day(
        pd.Series(rows["rate_annual"].to_numpy(dtype=np.float64), index=pd.DatetimeIndex(rows["day"]))
    )


def funding_by_day_of(payments: pd.DataFrame, column: str) -> pd.Series:
    """Simple annual funding by the UTC day of one of the payments' times.

    Args:
        payments: core_funding_payments of one symbol.
        column: ``paid_at``: the calendar day a payment falls on, midnight to the day that begins;
            ``announced_at``: the day whose prices the rate could know, midnight to the day that ends.

    Returns:
        mean of rate_annual weighted by hours; NaN where the day's intervals do not sum to 24 hours.
    """
    stamps = payments[column].dt.tz_convert("UTC").dt.tz_localize(None)
    if column == "announced_at":
        stamps = stamps - pd.Timedelta(1, "us")
    hours = payments["interval_hours"].to_numpy(dtype=np.float64)
    sums = (
        pd.DataFrame(
            {
                "day": stamps.dt.normalize().to_numpy(),
                "hours": hours,
                "product": hours * payments["rate_annual"].to_numpy(dtype=np.float64),
            }
        )
        .groupby("day")
        .sum()
    )
    whole = (sums["hours"] - 24.0).abs() < 0.5
    return every_day((sums["product"] / sums["hours"]).where(whole))


def by_period(frame: pd.DataFrame, extra: Iterable[str] = ()) -> Mapping[str, pd.DataFrame]:
    """Slices of a frame with a ``day`` column (naive) or a ``time`` column (UTC), by standard period.

    Args:
        frame: in time order.
        extra: periods that a user asked for.
    """
    if frame.empty:
        return {}
    stamps = frame["day"] if "day" in frame else frame["time"].dt.tz_convert("UTC").dt.tz_localize(None)
    times = stamps.to_numpy()
    periods = standard_periods(stamps.iloc[0], stamps.iloc[-1], extra)
    return {period: frame.iloc[bounds(times, period)] for period in periods}
