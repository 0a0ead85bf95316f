"""The same flows valued at other times: how the answer depends on the horizon.

0 is the pool's price right after the swap: it holds the swap's own impact, much of which reverses within
minutes. 1min to 4h are the pool's last price that long after the swap: of the swap's own block time where the
lake has swaps, of the close of its minute where it has minute files. 1d is the end of the swap's UTC day, the
pool-day's own value, and 7d is six days later. A flow whose mark lies in a day that no source serves has
none, and neither has its day.

Exchanges have hourly closes, and between two of them the price is interpolated: a flow's mark then mixes what
is up to an hour too early and up to an hour too late, in the shares that make the stated time. Over flows the
time is right, and the error is how far the price's response bends within the two hours. One hour is the
shortest such mark: below it the earlier close would be one from before the swap.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.amm.minutes import DAY_MINUTES, MINUTE_US, micros, quote_is_token0
from perp_pipeline.amm.pool_day import exchange_ratio
from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.amm.spot import Spot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
INTRADAY = {"1min": 1, "5min": 5, "1h": 60, "4h": 240}
"""Minutes after the swap."""
DAILY = {"1d": 0, "7d": 6}
"""Days after the end of the swap's day."""
EXCHANGE_FROM = 60
"""Shortest horizon, in minutes, that hourly exchange prices can mark: both closes follow the swap."""
DAY_US = DAY_MINUTES * MINUTE_US


@dataclass(frozen=True)
class Flows:
    """Flows of one pool in order of time.

    Attributes:
        day: UTC day of each flow, days since the epoch.
        time: when it had happened, epoch microseconds: the block's time, or the end of the minute.
        net0, net1: tokens into the pool.
        price: pool price after it, token1 per token0.
        at_swap: value right after each swap, in the quote token; NaN where swaps are not known.
    """

    day: Ints
    time: Ints
    net0: Floats
    net1: Floats
    price: Floats
    at_swap: Floats


def flows(swaps: pd.DataFrame, minutes: pd.DataFrame, facts: PoolFacts) -> Flows:
    """Flows of one pool: its swaps, and its minutes on the days that minute files fill.

    Args:
        swaps: rows of core_amm_swaps of the pool, ascending.
        minutes: rows of core_amm_minutes of the pool, ascending.
    """
    files = minutes[minutes["source"] == "minutes"]
    # on such a day a node may hold some hours' swaps: they are in the file's minutes
    swaps = swaps[~np.isin(micros(swaps["time"]) // DAY_US, micros(files["minute"]) // DAY_US)]
    net0, net1, price = (
        swaps[name].to_numpy(dtype=np.float64) for name in ("amount0_tokens", "amount1_tokens", "price")
    )
    own = Flows(
        micros(swaps["time"]) // DAY_US,
        micros(swaps["time"]),
        net0,
        net1,
        price,
        quote_value(facts, net0, net1, price),
    )
    starts = micros(files["minute"])
    net0, net1, price = (files[name].to_numpy(dtype=np.float64) for name in ("net0", "net1", "price"))
    filed = Flows(starts // DAY_US, starts + MINUTE_US, net0, net1, price, np.full(len(files), np.nan))
    order = np.argsort(np.concatenate([own.time, filed.time]), kind="stable")

    def both(name: str) -> npt.NDArray[Any]:
        return np.asarray(np.concatenate([getattr(own, name), getattr(filed, name)])[order])

    return Flows(**{field.name: both(field.name) for field in fields(Flows)})


def mark_days(
    found: Flows, days: pd.DataFrame, served: Ints, facts: PoolFacts, spot: dict[str, Spot]
) -> pd.DataFrame:
    """Profit of one pool's days at every mark.

    Args:
        found: flows of the pool, into the following month; none for snapshots.
        days: rows of core_amm_pool_day of the pool, ascending, into the following month.
        served: days (since the epoch) that the lake has all of the pool's flows of.

    Returns:
        Columns of core_amm_marks. A mark that the data do not reach has no row.
    """
    stamps = micros(days["day"]) // DAY_US
    usd_quote = days["usd0_end" if quote_is_token0(facts) else "usd1_end"].to_numpy(dtype=np.float64)
    protocol = days["protocol_fees_usd"].to_numpy(dtype=np.float64)
    frames = []

    def add(mark: str, value: Floats, exchange: Floats) -> None:
        frame = days[["chain", "pool", "day"]].assign(
            mark=mark, pnl_usd=value * usd_quote - protocol, pnl_exchange_usd=exchange * usd_quote - protocol
        )
        frames.append(frame[np.isfinite(frame["pnl_usd"])])

    if len(found.time):
        for mark, (value, exchange) in _intraday(found, stamps, served, facts, spot).items():
            add(mark, value, exchange)
    net0, net1, price = (days[name].to_numpy(dtype=np.float64) for name in ("net0", "net1", "price_end"))
    ends_at = micros(days["ends_at"])
    for mark, later in DAILY.items():
        place = np.searchsorted(stamps, stamps + later)
        reached = (place < len(stamps)) & (stamps[np.minimum(place, len(stamps) - 1)] == stamps + later)
        at_mark = np.where(reached, price[np.minimum(place, len(stamps) - 1)], np.nan)
        exchange = exchange_price(facts, spot, ends_at[np.minimum(place, len(stamps) - 1)])
        add(mark, quote_value(facts, net0, net1, at_mark), quote_value(facts, net0, net1, exchange))
    return pd.concat(frames, ignore_index=True)


def quote_value(facts: PoolFacts, net0: Floats, net1: Floats, price: Floats) -> Floats:
    """Flows in the quote token at a price (token1 per token0)."""
    return net0 + net1 / price if quote_is_token0(facts) else net0 * price + net1


def exchange_price(facts: PoolFacts, spot: dict[str, Spot], moments: Ints) -> Floats:
    """Exchanges' price of token0 in token1 at the moments, interpolated between hourly closes."""
    return exchange_ratio(facts, spot, moments, between=True)


def _intraday(
    found: Flows, days: Ints, served: Ints, facts: PoolFacts, spot: dict[str, Spot]
) -> dict[str, tuple[Floats, Floats]]:
    """Per mark: value of each day's flows in the quote token at pool and at exchange prices."""
    starts = np.searchsorted(found.day, days)
    ends = np.searchsorted(found.day, days + 1)

    def by_day(values: Floats) -> Floats:
        # differences of running sums would let one NaN spoil all later days
        return np.array(
            [
                values[first:after].sum() if after > first else np.nan
                for first, after in zip(starts, ends, strict=True)
            ]
        )

    missing = np.full(len(days), np.nan)
    valued = {"0": (by_day(found.at_swap), missing)}
    for mark, later in INTRADAY.items():
        moments = found.time + later * MINUTE_US
        place = np.searchsorted(found.time, moments, side="right") - 1
        # midnight itself still shows the last price of the day before
        price = np.where(np.isin((moments - 1) // DAY_US, served), found.price[place], np.nan)
        value = by_day(quote_value(facts, found.net0, found.net1, price))
        exchange = missing
        if later >= EXCHANGE_FROM:
            at_exchange = exchange_price(facts, spot, moments)
            exchange = by_day(quote_value(facts, found.net0, found.net1, at_exchange))
        valued[mark] = (value, exchange)
    return valued
