"""Spot returns on the 8-hour grid of funding payments."""

from __future__ import annotations

import pandas as pd

from perp_pipeline.contracts.prices import CORE_RETURNS_8H

PREFERENCE = ("binance", "bitstamp", "gemini", "coinbase")
"""Whose closes are used first. Binance has them without a month missing since 2019; before it come the venues
of the archived files, then the one that is known by REST alone: it adds returns and changes none. Venues that
are not listed come after, by name."""
WINDOW = pd.Timedelta(hours=8)
_HOUR = pd.Timedelta(hours=1)


def core_returns_8h(core_spot_1h: pd.DataFrame) -> pd.DataFrame:
    """Simple returns from close to close of the hours that end at 00, 08 and 16 UTC.

    A return is close(T) / close(T - 8 h) - 1 of one venue: the first in :data:`PREFERENCE` that has both
    hours.

    Args:
        core_spot_1h: as its contract; needs the last hour of the month before the months asked for.

    Returns:
        base, window_end, close (quote currency of the venue), ret_8h (fraction per 8 hours), source_venue.
    """
    spot = core_spot_1h[["venue", "base", "bar_start", "close"]]
    ends = spot["bar_start"] + _HOUR
    on_grid = ends.dt.hour.isin([0, 8, 16]) & (ends.dt.floor("h") == ends)
    closes = spot[on_grid].assign(window_end=ends[on_grid]).drop(columns="bar_start")
    closes = closes.sort_values(["venue", "base", "window_end"])
    before = closes.groupby(["venue", "base"], sort=False)[["window_end", "close"]].shift()
    adjacent = closes["window_end"] - before["window_end"] == WINDOW
    returns = closes.assign(ret_8h=closes["close"] / before["close"] - 1)[adjacent]

    venues = returns["venue"].unique().tolist()
    order = [*PREFERENCE, *sorted(set(venues) - set(PREFERENCE))]
    returns = returns.assign(preference=returns["venue"].map({name: i for i, name in enumerate(order)}))
    returns = returns.sort_values(["base", "window_end", "preference"])
    chosen = returns.drop_duplicates(["base", "window_end"]).rename(columns={"venue": "source_venue"})
    return chosen[[column.name for column in CORE_RETURNS_8H.columns]].reset_index(drop=True)
