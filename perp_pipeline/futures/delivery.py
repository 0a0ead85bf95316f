"""Bars of dated futures -> core_delivery_futures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from perp_pipeline.contracts.delivery import CORE_DELIVERY_FUTURES
from perp_pipeline.sources.universe import Universe, load_universe
from perp_pipeline.steps import Built

DELIVERY_HOUR = 8
"""Binance delivers at 08:00 UTC of the day in the contract's name."""

_VENUE = "binance"
_BAR = pd.Timedelta(hours=1)
_GRID_HOURS = 8
_LAST_DAY = pd.Timedelta(hours=24)
_COLUMNS = [column.name for column in CORE_DELIVERY_FUTURES.columns]


def delivery_time(symbols: pd.Series) -> pd.Series:
    """When dated contracts deliver (UTC), from their symbols: ``BTCUSDT_230929`` on 2023-09-29 at 08:00.

    Null where a symbol has no date.
    """
    day = pd.to_datetime(symbols.str.extract(r"_(\d{6})$")[0], format="%y%m%d", utc=True)
    return (day + pd.Timedelta(hours=DELIVERY_HOUR)).astype("datetime64[us, UTC]")


def core_delivery_futures(
    *, raw_binance_futures_klines: pd.DataFrame, core_spot_1h: pd.DataFrame, universe: Path | None = None
) -> Built:
    """Dated futures every 8 hours and in every hour of their last day, with spot and perpetual of the moment.

    Bars after delivery, which the venue prints flat, are kept out.

    Args:
        universe: a user's own list of instruments; contracts that are in neither list are kept out.
    """
    raw = raw_binance_futures_klines
    listed = _listed(load_universe(universe))
    bars = raw[["symbol", "open_time", "close"]].merge(listed, on="symbol", how="left")
    bars["venue"] = _VENUE
    bars["bar_end"] = (bars["open_time"] + _BAR).astype("datetime64[us, UTC]")
    bars["expiry"] = delivery_time(bars["symbol"])
    dated = bars["expiry"].notna()
    reason = np.select([bars["base"].isna(), dated & (bars["bar_end"] > bars["expiry"])], _REASONS, "")
    dropped = _report(bars[reason != ""], reason[reason != ""])
    perps = bars[(reason == "") & ~dated][["base", "bar_end", "close"]].rename(
        columns={"close": "perp_close"}
    )
    spot = _spot(core_spot_1h[core_spot_1h["venue"] == _VENUE])
    on_grid = bars["bar_end"].dt.hour % _GRID_HOURS == 0
    last_day = bars["expiry"] - bars["bar_end"] < _LAST_DAY
    rows = bars[(reason == "") & dated & (on_grid | last_day)]
    for prices in (spot, perps):
        rows = rows.merge(prices, on=["base", "bar_end"], how="left", validate="many_to_one")
    rows["days_to_expiry"] = (rows["expiry"] - rows["bar_end"]).dt.total_seconds() / 86_400
    days = rows["days_to_expiry"].where(rows["days_to_expiry"] > 0)
    rows["rate_annual"] = (rows["close"] / rows["spot"] - 1.0) * 365.0 / days
    return Built(rows[_COLUMNS], dropped)


def _spot(bars: pd.DataFrame) -> pd.DataFrame:
    """Close of each hourly bar by the moment it ends at."""
    return pd.DataFrame(
        {
            "base": bars["base"],
            "bar_end": (bars["bar_start"] + _BAR).astype("datetime64[us, UTC]"),
            "spot": bars["close"],
        }
    )


_REASONS = ["not in the universe", "after delivery"]


def _listed(universe: Universe) -> pd.DataFrame:
    """Symbol and base of the followed futures."""
    bars = [b for market in ("perpetual", "delivery") for b in universe.bars_of(_VENUE, market)]
    return pd.DataFrame(
        {
            "symbol": pd.Series([b.symbol for b in bars], dtype="str"),
            "base": pd.Series([b.base for b in bars], dtype="str"),
        }
    ).drop_duplicates("symbol")


def _report(rows: pd.DataFrame, reason: np.ndarray) -> pd.DataFrame:
    key = rows["symbol"] + " " + rows["open_time"].dt.strftime("%Y-%m-%d %H:%M")
    return pd.DataFrame(
        {"table": "raw_binance_futures_klines", "key": key.to_numpy(), "reason": reason}
    ).astype("str")
