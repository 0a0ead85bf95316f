"""Core tables of a simulated market, straight from its processes: what the sources and cleaning would give.

The way through the venues' wire formats is tested elsewhere (tests/unit/test_simulation.py, tests/e2e); here
it would cost a hundred times what the estimators cost. Grids, premiums and implied rates are the library's
own builders.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from premium_frames import no_hyperliquid
from research_frames import UTC_US, ar1

from perp_pipeline.funding.grid import core_funding_8h, core_funding_daily
from perp_pipeline.funding.premium import core_premium
from perp_pipeline.futures.implied import core_cme_implied
from perp_pipeline.months import Month
from perp_pipeline.simulation.bars import premium_bars
from perp_pipeline.simulation.curve import curve_rows
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.parameters import HOURS_A_DAY, HOURS_A_YEAR, Perp, Planted
from perp_pipeline.simulation.premium import WINDOW

__all__ = ["core_cme_implied"]

FIRST, LAST = Month(2030, 1), Month(2032, 12)
"""Three years that no essay speaks of: a result has the periods ``all`` and each year, and no others."""


def simulate(seed: int, planted: Planted | None = None) -> SimulatedMarket:
    """The market of a seed over those years."""
    return SimulatedMarket(seed, FIRST, LAST, planted or Planted())


def stamps(epoch_seconds: np.ndarray) -> pd.Series:
    """Instants of epoch seconds."""
    return pd.Series(pd.to_datetime(epoch_seconds, unit="s", utc=True)).astype(UTC_US)


def payments(market: SimulatedMarket, symbols: Sequence[str] = ()) -> pd.DataFrame:
    """core_funding_payments of every contract, or of some symbols."""
    perps = [perp for perp in market.planted.perps if not symbols or perp.symbol in symbols]
    return pd.concat([_payments(market, perp) for perp in perps], ignore_index=True)


def _payments(market: SimulatedMarket, perp: Perp) -> pd.DataFrame:
    paid = market.payments(perp)
    at = stamps(paid.paid_at)
    ahead = pd.Timedelta(WINDOW if perp.announced_ahead else 0, "h")
    return pd.DataFrame(
        {
            "venue": perp.venue,
            "symbol": perp.symbol,
            "paid_at": at,
            "base": perp.base,
            "contract_type": perp.contract_type,
            "margin_asset": perp.margin_asset,
            "accrual_start": at - pd.Timedelta(WINDOW, "h"),
            "accrual_end": at,
            "announced_at": at - ahead,
            "interval_hours": float(WINDOW),
            "rate": paid.rate,
            "rate_annual": paid.rate * HOURS_A_YEAR / WINDOW,
            "perp_price": paid.price,
            "source": "simulation",
        }
    )


def spot_1h(market: SimulatedMarket) -> pd.DataFrame:
    """core_spot_1h: the index, from a month and more before the first day on."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "venue": "binance",
                    "base": asset.base,
                    "bar_start": stamps((market.hours - 1) * 3600),
                    "close": market.index[:, market.column(asset.base)],
                }
            )
            for asset in market.planted.assets
        ],
        ignore_index=True,
    )


def returns_8h(spot: pd.DataFrame) -> pd.DataFrame:
    """core_returns_8h of such bars."""
    ends = spot["bar_start"] + pd.Timedelta(1, "h")
    rows = spot.assign(window_end=ends)[ends.dt.hour % WINDOW == 0]
    change = rows["close"] / rows.groupby("base")["close"].shift(1) - 1.0
    return rows.assign(ret_8h=change, source_venue="binance")[
        ["base", "window_end", "close", "ret_8h", "source_venue"]
    ]


def cme_curve(market: SimulatedMarket) -> pd.DataFrame:
    """core_cme_curve: both contracts of the sessions that the public copy files under their own date."""
    rows = curve_rows(market)
    parts = [
        pd.DataFrame(
            {
                "product": "BTC",
                "trade_date": rows.trade_date.astype("datetime64[us]"),
                "rank": rank,
                "settle": settle,
                "spot_at_settle": rows.spot,
                "days_to_expiry": rows.days[:, rank - 1],
            }
        )[rows.filed_right]
        for rank, settle in ((1, rows.f1), (2, rows.f2))
    ]
    return pd.concat(parts, ignore_index=True)


CARRY, CARRY_SD, BAR_NOISE = 0.08, 0.03, 3e-4
"""Dated futures: mean and spread of their annual premium, and what is new in each of their prices."""


def delivery_futures(market: SimulatedMarket) -> pd.DataFrame:
    """core_delivery_futures: quarterly futures on bitcoin, at 8-hour steps and each hour of the last eight.

    The premium is ``c years + noise``, c an AR(1) that forgets as the CME curve does: linear, so that implied
    rates and what a future locks in have the mean :data:`CARRY`.
    """
    rng = np.random.default_rng([market.seed, 4])
    perp = next(perp for perp in market.planted.perps if (perp.venue, perp.symbol) == ("binance", "BTCUSDT"))
    hours = market.hours[market.hours >= market.start_hour]
    rows = market.rows(hours)
    spot, paid = market.index[rows, market.column("BTC")], market.perp_price(perp)[rows]
    steps = ar1(-(-len(hours) // WINDOW), market.planted.curve.persistence_8h, rng)
    carry = CARRY + CARRY_SD * np.repeat(steps, WINDOW)[: len(hours)]
    quarters = pd.date_range(FIRST.start, LAST.end, freq="QE").tz_localize(None).normalize()
    fridays = quarters - pd.to_timedelta((quarters.day_of_week - 4) % 7, "D") + pd.Timedelta(8, "h")
    expiries = fridays.to_numpy().astype("datetime64[h]").astype(np.int64)
    parts = []
    for first, expiry in zip([hours[0], *expiries[:-1]], expiries, strict=True):
        left = expiry - hours
        kept = (hours >= first) & (left >= 0) & ((hours % WINDOW == 0) | (left <= WINDOW))
        years = left[kept] / HOURS_A_YEAR
        basis = carry[kept] * years + BAR_NOISE * rng.normal(size=len(years))
        parts.append(
            pd.DataFrame(
                {
                    "venue": "binance",
                    "symbol": f"BTCUSDT_{expiry}",
                    "bar_end": stamps(hours[kept] * 3600),
                    "base": "BTC",
                    "expiry": stamps(np.full(len(years), expiry * 3600)),
                    "close": spot[kept] * (1.0 + basis),
                    "spot": spot[kept],
                    "perp_close": paid[kept],
                    "days_to_expiry": left[kept] / HOURS_A_DAY,
                    "rate_annual": np.where(years > 0.0, basis / np.where(years > 0.0, years, 1.0), np.nan),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def binance_premium(market: SimulatedMarket) -> pd.DataFrame:
    """raw_binance_premium: hourly bars of the premium index of every Binance contract."""
    parts = []
    for perp in market.planted.perps:
        if perp.venue == "binance":
            bars = premium_bars(market, perp)
            prices = {name: getattr(bars, name) for name in ("open", "high", "low", "close")}
            about = {"symbol": perp.symbol, "interval": "1h", "open_time": stamps(bars.opened * 3600)}
            parts.append(pd.DataFrame(about | prices))
    return pd.concat(parts, ignore_index=True)


def premium(paid: pd.DataFrame, bars: pd.DataFrame) -> pd.DataFrame:
    """core_premium of Binance's contracts."""
    return core_premium(
        core_funding_payments=paid, raw_binance_premium=bars, raw_hyperliquid_funding=no_hyperliquid()
    )


def grids(paid: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """core_funding_daily and core_funding_8h."""
    return core_funding_daily(core_funding_payments=paid), core_funding_8h(core_funding_payments=paid)
