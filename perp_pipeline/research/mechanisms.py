"""What a long pays over one real price path under each mechanism: perpetual, delivery, Gehr, Shiller.

The path is that of spot at 08:00 UTC, the hour of delivery. A day's cost is what the long paid over the
holder of the asset, as a fraction of the day's first spot price:

- perpetual: the fall of its premium over spot, plus the funding paid on the way;
- delivery: the fall of the premium of the contract that delivers next; at delivery it is zero, so that the
  days of a contract add up to the premium it was bought at (the lock-in);
- Gehr's undated future (CGSES): the day's interest on the settlement price;
- Shiller's perpetual future: the return of the alternative asset on the price, for an asset without income.

The last two ask for a rate that nobody quotes for these markets. With one reference rate for both they cost
the same: where the mechanisms differ is in who sets the rate.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from perp_pipeline.research.series import COMPLETE
from perp_pipeline.theory.delivery import delivery_long, perpetual_long
from perp_pipeline.theory.gehr import carried_price_at
from perp_pipeline.theory.shiller import settlement

YEAR: Final = 365.0
CARRIED_DAYS: Final = 5
"""A reference rate holds until the next observation, over weekends and holidays, for so many days at most."""

_DELIVERY_HOUR: Final = 8
_DAY: Final = pd.Timedelta(days=1)
_WINDOW: Final = pd.Timedelta(hours=8)
_AVERAGED: Final = pd.Timedelta(hours=1)
"""The last hour, over which the index is averaged."""
_NIGHT: Final = pd.Timedelta(hours=9)
"""Of the last day: 00:00 is eight hours before delivery, the last of which is averaged."""
_INSTANT: Final = "datetime64[us, UTC]"


def carried(rates: pd.Series, days: pd.DatetimeIndex) -> pd.Series:
    """A daily reference rate on the given days (naive), the last observation carried over holidays."""
    if rates.empty:
        return pd.Series(np.nan, index=days)
    return rates.sort_index().reindex(days, method="ffill", tolerance=pd.Timedelta(days=CARRIED_DAYS))


def price_path(futures: pd.DataFrame, funding: pd.DataFrame) -> pd.DataFrame:
    """Spot, perpetual and funding at every moment of the 8-hour grid.

    Args:
        futures: core_delivery_futures of one venue and base.
        funding: core_funding_8h of that venue's perpetual.

    Returns:
        indexed by moment: spot, perp (prices), rate (fraction paid for the 8 hours up to the moment); NaN
        where unknown or not fully covered.
    """
    moments = futures.drop_duplicates("bar_end").set_index("bar_end").sort_index()
    whole = funding[funding["coverage"] >= COMPLETE].set_index("window_end")["rate_8h"]
    return pd.DataFrame(
        {"spot": moments["spot"], "perp": moments["perp_close"], "rate": whole.reindex(moments.index)}
    )


def daily_costs(futures: pd.DataFrame, funding: pd.DataFrame, rate_annual: pd.Series) -> pd.DataFrame:
    """Cost of a long by day under each mechanism.

    Args:
        futures, funding: as :func:`price_path`.
        rate_annual: the reference rate by day (naive), fraction a year.

    Returns:
        time (end of the day, 08:00 UTC, when its cost is known), symbol of the future held, and perp,
        delivery, gehr, shiller: fractions of the day's first spot price. Days on which a price or a payment
        is missing are left out.
    """
    path = price_path(futures, funding)
    rows = futures[futures["bar_end"].dt.hour == _DELIVERY_HOUR]
    live = rows[rows["bar_end"] < rows["expiry"]].sort_values(["bar_end", "expiry"])
    held = live.drop_duplicates("bar_end")[["bar_end", "symbol", "expiry", "close"]]
    later = rows[["bar_end", "symbol", "close"]].rename(columns={"close": "close_next"})
    later = later.assign(bar_end=(later["bar_end"] - _DAY).astype(_INSTANT))
    days = held.merge(later, on=["bar_end", "symbol"], how="inner")
    start = pd.DatetimeIndex(days["bar_end"])
    end = start + _DAY
    at, then = (path.reindex(moments) for moments in (start, end))
    spot, spot_next = at["spot"].to_numpy(), then["spot"].to_numpy()
    kept = np.where(end >= pd.DatetimeIndex(days["expiry"]), 0.0, days["close_next"].to_numpy() - spot_next)
    paid = sum((path["perp"] * path["rate"]).reindex(start + step * _WINDOW).to_numpy() for step in (1, 2, 3))
    rate = carried(rate_annual, start.tz_localize(None).normalize()).to_numpy(dtype=np.float64) / YEAR
    pairs = list(zip(spot, spot_next, rate, strict=True))
    costs = pd.DataFrame(
        {
            "time": end,
            "symbol": days["symbol"],
            "perp": (at["perp"].to_numpy() - spot) - (then["perp"].to_numpy() - spot_next) + paid,
            "delivery": (days["close"].to_numpy() - spot) - kept,
            "gehr": [carried_price_at(first, r) - first for first, _, r in pairs],
            "shiller": [last - first - settlement(first, last, 0.0, r) for first, last, r in pairs],
        }
    )
    mechanisms = ["perp", "delivery", "gehr", "shiller"]
    costs[mechanisms] = costs[mechanisms].div(spot, axis=0)
    return costs.dropna(subset=["perp", "delivery"]).reset_index(drop=True)


def holdings(futures: pd.DataFrame, funding: pd.DataFrame) -> pd.DataFrame:
    """Each delivered contract, held from the delivery before it (or its first price) to its own.

    Args:
        futures, funding: as :func:`price_path`.

    Returns:
        symbol, entry, expiry, and simple annual rates: lock_in, what the future's premium at entry comes to,
        and realised, what the perpetual's long paid over the same days, entry and exit premium included.
        Contracts with a price or a payment missing on the way are left out.
    """
    path = price_path(futures, funding)
    firsts = [futures["bar_end"].min(), *sorted(futures["expiry"].unique())]
    rows = []
    for symbol, own in futures.sort_values("bar_end").groupby("symbol", observed=True):
        expiry = own["expiry"].iloc[0]
        if own["bar_end"].iloc[-1] < expiry:
            continue
        entry = own[own["bar_end"] >= max(first for first in firsts if first < expiry)].iloc[0]
        way = path.reindex(pd.date_range(entry["bar_end"], expiry, freq=_WINDOW))
        if way[["spot", "perp"]].isna().any(axis=None) or way["rate"].iloc[1:].isna().any():
            continue
        scale = YEAR / ((expiry - entry["bar_end"]) / _DAY)
        rows.append(
            {
                "symbol": str(symbol),
                "entry": entry["bar_end"],
                "expiry": expiry,
                "lock_in": delivery_long(entry["close"], entry["spot"]).total * scale,
                "realised": perpetual_long(way["perp"], way["spot"], way["rate"].iloc[1:]).total * scale,
            }
        )
    names = ["symbol", "entry", "expiry", "lock_in", "realised"]
    return pd.DataFrame(rows, columns=names).sort_values("expiry", ignore_index=True)


def terminal_spreads(futures: pd.DataFrame) -> pd.DataFrame:
    """Spreads over spot just before each delivery, as fractions of spot, in order of time.

    A contract is delivered at the average of the index over its last hour, so that its price in that hour
    leans on what the average holds already, and its last trade is no spread over the spot of delivery. At
    07:00, when the average begins, the future, the perpetual and spot are prices of one moment.

    Args:
        futures: core_delivery_futures of one venue and base.

    Returns:
        time of delivery; delivery, perp: spread of each at 07:00; delivery_abs, perp_abs: mean absolute
        spread at the eight hours' ends from 00:00 to 07:00, and abs_perp_less_delivery the difference of the
        two; delivery_night, perp_night: mean spread at these hours' ends, in which the age of a last trade
        averages out, and abs_night_perp_less_delivery the difference of their sizes; last_trade: the future's
        last trade against spot at delivery, for comparison. Deliveries without a price at 07:00 are left out.
    """
    near = pd.DataFrame(
        {
            "time": futures["expiry"],
            "left": futures["expiry"] - futures["bar_end"],
            "delivery": futures["close"] / futures["spot"] - 1.0,
            "perp": futures["perp_close"] / futures["spot"] - 1.0,
        }
    )
    sides = ["delivery", "perp"]
    night = near[(near["left"] >= _AVERAGED) & (near["left"] < _NIGHT)]
    spreads = night[night["left"] == _AVERAGED].set_index("time")[sides].dropna(subset="delivery")
    sizes = night[sides].abs().groupby(night["time"]).mean()
    means = night.groupby("time")[sides].mean()
    for name in sides:
        spreads[f"{name}_abs"], spreads[f"{name}_night"] = sizes[name], means[name]
    spreads["abs_perp_less_delivery"] = sizes["perp"] - sizes["delivery"]
    spreads["abs_night_perp_less_delivery"] = means["perp"].abs() - means["delivery"].abs()
    spreads["last_trade"] = near[near["left"] == pd.Timedelta(0)].set_index("time")["delivery"]
    return spreads.sort_index().reset_index()


def perp_spreads(futures: pd.DataFrame) -> pd.DataFrame:
    """The perpetual's spread over spot every 8 hours: time, perp_any (fraction of spot)."""
    moments = futures.drop_duplicates("bar_end").sort_values("bar_end")
    moments = moments[moments["bar_end"].dt.hour % 8 == 0]
    spread = moments["perp_close"] / moments["spot"] - 1.0
    return pd.DataFrame({"time": moments["bar_end"], "perp_any": spread}).dropna().reset_index(drop=True)


def implied_by_day(futures: pd.DataFrame, least_days: float) -> pd.Series:
    """Mean implied rate by UTC day (naive) of the contract that delivers next, but not within ``least_days``.

    Nearer to delivery a spread of one basis point is several points a year.
    """
    far = futures[(futures["days_to_expiry"] >= least_days) & futures["rate_annual"].notna()]
    near = far.sort_values(["bar_end", "expiry"]).drop_duplicates("bar_end")
    # A moment at midnight ends the day before.
    day = (near["bar_end"] - pd.Timedelta(1, "us")).dt.tz_convert("UTC").dt.tz_localize(None).dt.normalize()
    return near["rate_annual"].groupby(day).mean()
