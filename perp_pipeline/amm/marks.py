"""The same flows valued at other times: how the answer depends on the horizon.

0 is the pool's price right after the swap: it holds the swap's own impact, much of which reverses within
minutes. 1min to 4h are the close of the minute that lies that much later (at least that long after, and less
than a minute more). 1d is the end of the swap's UTC day, the pool-day's own value, and 7d is six days later.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.amm.minutes import DAY_MINUTES, MINUTE_US, micros, quote_is_token0
from perp_pipeline.amm.pool_day import exchange_ratio
from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.amm.spot import HOUR_US, Spot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
INTRADAY = {"1min": 1, "5min": 5, "1h": 60, "4h": 240}
"""Minutes after the swap's minute."""
DAILY = {"1d": 0, "7d": 6}
"""Days after the end of the swap's day."""
EXCHANGE_FROM = 60
"""Shortest horizon, in minutes, that hourly exchange prices can mark."""


def mark_days(
    minutes: pd.DataFrame, days: pd.DataFrame, facts: PoolFacts, spot: dict[str, Spot]
) -> pd.DataFrame:
    """Profit of one pool's days at every mark.

    Args:
        minutes: rows of core_amm_minutes of the pool, into the following month; none for snapshots.
        days: rows of core_amm_pool_day of the pool, into the following month.

    Returns:
        Columns of core_amm_marks. A mark that the data do not reach has no row.
    """
    stamps = micros(days["day"]) // (DAY_MINUTES * MINUTE_US)
    usd_quote = days["usd0_end" if quote_is_token0(facts) else "usd1_end"].to_numpy(dtype=np.float64)
    protocol = days["protocol_fees_usd"].to_numpy(dtype=np.float64)
    frames = []

    def add(mark: str, value: Floats, exchange: Floats) -> None:
        frame = days[["chain", "pool", "day"]].assign(
            mark=mark, pnl_usd=value * usd_quote - protocol, pnl_exchange_usd=exchange * usd_quote - protocol
        )
        frames.append(frame[np.isfinite(frame["pnl_usd"])])

    if len(minutes):
        for mark, (value, exchange) in _intraday(minutes, stamps, facts, spot).items():
            add(mark, value, exchange)
    net0, net1, price = (days[name].to_numpy(dtype=np.float64) for name in ("net0", "net1", "price_end"))
    for mark, later in DAILY.items():
        place = np.searchsorted(stamps, stamps + later)
        reached = (place < len(stamps)) & (stamps[np.minimum(place, len(stamps) - 1)] == stamps + later)
        at_mark = np.where(reached, price[np.minimum(place, len(stamps) - 1)], np.nan)
        exchange = exchange_price(facts, spot, (stamps + later + 1) * DAY_MINUTES * MINUTE_US)
        add(mark, quote_value(facts, net0, net1, at_mark), quote_value(facts, net0, net1, exchange))
    return pd.concat(frames, ignore_index=True)


def quote_value(facts: PoolFacts, net0: Floats, net1: Floats, price: Floats) -> Floats:
    """Flows in the quote token at a price (token1 per token0)."""
    return net0 + net1 / price if quote_is_token0(facts) else net0 * price + net1


def exchange_price(facts: PoolFacts, spot: dict[str, Spot], moments: Ints) -> Floats:
    """Exchanges' price of token0 in token1: the close of the hour that each moment lies in."""
    return exchange_ratio(facts, spot, -(-moments // HOUR_US) * HOUR_US)


def _intraday(
    minutes: pd.DataFrame, days: Ints, facts: PoolFacts, spot: dict[str, Spot]
) -> dict[str, tuple[Floats, Floats]]:
    """Per mark: value of each day's flows in the quote token at pool and at exchange prices."""
    minute = micros(minutes["minute"]) // MINUTE_US
    net0, net1, price, at_swap = (
        minutes[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("net0", "net1", "price", "value_at_swap")
    )
    starts = np.searchsorted(minute, days * DAY_MINUTES)
    ends = np.searchsorted(minute, (days + 1) * DAY_MINUTES)

    def by_day(values: Floats) -> Floats:
        # differences of running sums would let one NaN spoil all later days
        return np.array(
            [
                values[first:after].sum() if after > first else np.nan
                for first, after in zip(starts, ends, strict=True)
            ]
        )

    missing = np.full(len(days), np.nan)
    found = {"0": (by_day(at_swap), missing)}
    for mark, later in INTRADAY.items():
        place = np.searchsorted(minute, minute + later, side="right") - 1
        value = by_day(quote_value(facts, net0, net1, price[place]))
        exchange = missing
        if later >= EXCHANGE_FROM:
            at_exchange = exchange_price(facts, spot, (minute + later) * MINUTE_US)
            exchange = by_day(quote_value(facts, net0, net1, at_exchange))
        found[mark] = (value, exchange)
    return found
