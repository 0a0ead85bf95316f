"""Price bars of the simulated venues: spot, perpetuals, premium index."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from perp_pipeline.simulation.market import Bars, SimulatedMarket
from perp_pipeline.simulation.parameters import HOURS_A_DAY, Perp

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

BINANCE_OUTAGES = (
    ("2019-08-15T02", 8),
    ("2019-11-13T02", 2),
    ("2019-11-25T02", 2),
    ("2020-02-19T12", 5),
    ("2020-03-04T10", 1),
    ("2020-06-28T02", 3),
    ("2020-12-21T15", 3),
    ("2021-02-11T04", 1),
    ("2021-04-25T05", 3),
    ("2021-08-13T02", 4),
    ("2021-09-29T07", 2),
    ("2023-03-24T13", 1),
)
"""Spot trading halts of Binance, as its hourly archive shows them: first hour without a bar (UTC), how many.
They are real ones, so that what the pipeline knows of the venue holds in the simulated market too."""

_REACH = 0.4
"""Typical reach of a bar beyond its open and close, in standard deviations of an hour."""


def spot_bars(market: SimulatedMarket, venue: str, base: str) -> Bars:
    """Hourly spot bars of a venue in USD or USDT, without the hours of its outages."""
    asset = market.planted.asset(base)
    name = f"spot {venue} {base}"
    noise = market.draws(name) * market.planted.spot_noise
    price = np.round(market.index[:, market.column(base)] * (1.0 + noise), 2)
    typical = 2.0e7 / asset.first_price
    bars = price_bars(market, price, asset.daily_vol, 0.01, name, typical)
    bars = bars.rows(bars.opened >= market.start_hour)
    return bars.rows(~_outage(bars.opened)) if venue == "binance" else bars


def perp_bars(market: SimulatedMarket, perp: Perp) -> Bars:
    """Hourly trade bars of a perpetual, USD; volume in its base coin.

    They start a day before the first month: a bar that is stamped by its end belongs to the month it ends in.
    """
    asset = market.planted.asset(perp.base)
    name = f"trades {perp.venue} {perp.symbol}"
    typical = 6.0e7 / asset.first_price
    return price_bars(market, market.perp_price(perp), asset.daily_vol, perp.tick, name, typical)


def premium_bars(market: SimulatedMarket, perp: Perp) -> Bars:
    """Hourly bars of a premium index, fractions; no volume. The premium stands still within the hour but for
    its extremes: all the samples that make the rate show it, the first and the last too."""
    series = market.premium(perp)
    reach = np.abs(stream_pair(market, f"premium bars {perp.venue} {perp.symbol}"))
    reach = np.round(reach * market.planted.premium.noise_sd, 8)
    opened, rows = _served(market)
    value = series[rows + 1]
    high, low = value + reach[rows, 0], value - reach[rows, 1]
    nothing = np.zeros(len(rows), dtype=np.float64)
    bars = Bars(opened, value, np.round(high, 8), np.round(low, 8), value, nothing)
    return bars.rows(opened >= market.start_hour)


def price_bars(
    market: SimulatedMarket, price: Array, daily_vol: float, tick: float, name: str, typical_volume: float
) -> Bars:
    """Bars of a price given at each grid hour: each opens where the one before closed."""
    reach = np.abs(stream_pair(market, f"reach {name}")) * _REACH * daily_vol / np.sqrt(HOURS_A_DAY)
    opened, rows = _served(market)
    first, last = price[rows], price[rows + 1]
    high = _on_tick(np.maximum(first, last) * (1.0 + reach[rows, 0]), tick)
    low = _on_tick(np.minimum(first, last) * (1.0 - reach[rows, 1]), tick)
    volume = typical_volume * np.exp(0.6 * market.draws(f"volume {name}")[rows] + 8.0 * reach[rows, 0])
    return Bars(
        opened, first, np.maximum(high, np.maximum(first, last)), np.minimum(low, np.minimum(first, last)),
        last, np.asarray(np.round(volume, 5), dtype=np.float64),
    )  # fmt: skip


def aggregate(bars: Bars, hours: int, offset: int = 0, *, partial_start: bool = False) -> Bars:
    """Bars of ``hours`` hours that start ``offset`` hours after midnight UTC.

    Hours that are missing are skipped. Bars at either end that are not whole are left out; the first one
    stays with ``partial_start``.
    """
    slot = (bars.opened - offset) // hours
    starts = np.flatnonzero(np.diff(slot, prepend=slot[0] - 1))
    ends = np.append(starts[1:], len(slot)) - 1
    merged = Bars(
        slot[starts] * hours + offset,
        bars.open[starts],
        np.maximum.reduceat(bars.high, starts),
        np.minimum.reduceat(bars.low, starts),
        bars.close[ends],
        np.asarray(np.round(np.add.reduceat(bars.volume, starts), 5), dtype=np.float64),
    )
    whole = (partial_start | (merged.opened >= bars.opened[0])) & (
        merged.opened + hours <= bars.opened[-1] + 1
    )
    return merged.rows(whole)


def stream_pair(market: SimulatedMarket, name: str) -> Array:
    """Two standard normal columns, one row per grid hour."""
    return market.draws(name, len(market.hours), 2)


def _on_tick(price: Array, tick: float) -> Array:
    return np.asarray(np.round(np.round(price / tick) * tick, 8), dtype=np.float64)


def _served(market: SimulatedMarket) -> tuple[Index, Index]:
    """Epoch hours of the bars from the day before the first month on, and the grid rows of their opens."""
    opened = np.arange(market.start_hour - HOURS_A_DAY, market.end_hour, dtype=np.int64)
    return opened, market.rows(opened)


def _outage(opened: Index) -> npt.NDArray[np.bool_]:
    out = np.zeros(len(opened), dtype=np.bool_)
    for start, hours in BINANCE_OUTAGES:
        first = int(datetime.fromisoformat(f"{start}:00").replace(tzinfo=UTC).timestamp()) // 3600
        out |= (opened >= first) & (opened < first + hours)
    return out
