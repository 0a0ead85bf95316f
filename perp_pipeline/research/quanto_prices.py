"""Price series for the quanto estimates, cleaned: spot, the venue's bars, and prices at payments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from perp_pipeline.research.daily import chained_prices
from perp_pipeline.research.statistics import Array

FROZEN_RUN = 3
"""So many equal prices in a row are a feed that stands still: all but the first are kept out."""


@dataclass(frozen=True)
class Prices:
    """Prices on a regular grid, cleaned.

    Attributes:
        close: USD, by naive UTC time, every grid point; NaN where missing or kept out.
        dropped: rows kept out, with the columns of :data:`perp_pipeline.steps.DROPPED_COLUMNS` and ``time``.
    """

    close: pd.Series
    dropped: pd.DataFrame


def clean_prices(close: pd.Series, table: str, name: str) -> Prices:
    """Take out prices that cannot be prices.

    Args:
        close: by naive UTC time, ascending, on a regular grid; NaN where missing.
        table, name: where the prices come from, for the account of what was dropped.
    """
    zero = close <= 0
    values = close.where(~zero)
    run = (values != values.shift()).cumsum()
    length = values.groupby(run).transform("size")
    first = run != run.shift()
    frozen = (length >= FROZEN_RUN) & ~first & values.notna()
    reasons = {"zero or negative price": zero, "the price stands still": frozen}
    dropped = pd.concat(
        [
            pd.DataFrame({"table": table, "time": bad.index[bad], "reason": reason})
            for reason, bad in reasons.items()
        ]
    )
    dropped["key"] = [f"{name} {stamp:%Y-%m-%dT%H:%M:%SZ}" for stamp in dropped["time"]]
    return Prices(values.where(~frozen), dropped)


def spot_prices(core_returns_8h: pd.DataFrame, base: str, frequency: str) -> Prices:
    """Spot prices of an asset, chained over changes of the venue; closes decide what is no price."""
    rows = core_returns_8h[core_returns_8h["base"] == base]
    closes = rows["close"].to_numpy(dtype=np.float64)
    cleaned = _on_grid(rows["window_end"], closes, frequency, "core_returns_8h", base)
    chained = chained_prices(core_returns_8h, base).reindex(cleaned.close.index)
    return Prices(chained.where(cleaned.close.notna()), cleaned.dropped)


def traded_prices(raw_bitmex_bucketed: pd.DataFrame, symbol: str, bar: str, frequency: str) -> Prices:
    """Closes of BitMEX's bars; their time stamp is the end of the bar."""
    rows = raw_bitmex_bucketed[
        (raw_bitmex_bucketed["symbol"] == symbol) & (raw_bitmex_bucketed["bin_size"] == bar)
    ]
    values = rows["close"].to_numpy(dtype=np.float64)
    return _on_grid(rows["timestamp"], values, frequency, "raw_bitmex_bucketed", f"{symbol} {bar}")


def paid_prices(payments: pd.DataFrame) -> Prices:
    """Prices of one symbol at its payments, 8 hours apart."""
    rows = payments[payments["perp_price"].notna() & (payments["interval_hours"] == 8.0)]
    index = pd.DatetimeIndex(rows["paid_at"].dt.tz_convert("UTC").dt.tz_localize(None))
    series = pd.Series(rows["perp_price"].to_numpy(dtype=np.float64), index).sort_index()
    if len(series):
        series = series.reindex(pd.date_range(series.index[0], series.index[-1], freq="8h"))
    name = str(rows["symbol"].iloc[0]) if len(rows) else ""
    return clean_prices(series, "core_funding_payments", name)


def _on_grid(times: pd.Series, values: Array, frequency: str, table: str, name: str) -> Prices:
    step = pd.Timedelta(8 if frequency == "8h" else 24, "h")
    index = pd.DatetimeIndex(times.dt.tz_convert("UTC").dt.tz_localize(None))
    series = pd.Series(values, index)[index == index.floor(step)].sort_index()
    if len(series):
        series = series.reindex(pd.date_range(series.index[0], series.index[-1], freq=step))
    return clean_prices(series, table, name)
