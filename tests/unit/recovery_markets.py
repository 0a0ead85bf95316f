"""Result tables of many simulated markets, by the real builders, and how often intervals hold a truth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from unittest import mock

import market_frames as frames
import pandas as pd
from market_truth import Law

from perp_pipeline.research import (
    daily,
    fair_funding,
    predictor_race,
    premium_race,
    premium_windows,
    rate_atoms,
    series,
    spreads,
)
from perp_pipeline.research import quanto as quanto_module
from perp_pipeline.research.averages import out_funding_averages
from perp_pipeline.research.funding_audit import out_funding_audit
from perp_pipeline.research.house_money import out_house_money
from perp_pipeline.research.lead_lag import out_lead_lag
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.predictor_race import out_predictor_race
from perp_pipeline.research.premium_precision import out_premium_precision
from perp_pipeline.research.quanto import out_quanto
from perp_pipeline.research.regressions import out_regressions
from perp_pipeline.research.sides import out_sides
from perp_pipeline.research.spreads import out_venue_spreads
from perp_pipeline.simulation.parameters import Planted
from perp_pipeline.theory.funding_map import FundingMap

MARKETS = 300
FIRST_SEED = 1000
"""Bandwidths and bounds were chosen on the markets 0 to 299 (docs/adr/0004)."""

LEAST = 0.9
PLANTED = Planted()
LAWS = {
    symbol: Law(PLANTED.perp(venue, symbol), PLANTED)
    for venue, symbol in (("binance", "BTCUSDT"), ("bitmex", "XBTUSD"), ("bitmex", "ETHUSD"))
}
SYMBOLS = ("BTCUSDT", "XBTUSD", "XBTUSDT", "ETHUSD")
HOURS_LEFT = (4, 1)
"""Hours before a payment at which the race looks at the running window."""

MAIN = {
    "regressions": ("BTCUSDT", "ETHUSD"),
    "lead_lag": ("BTCUSDT",),
    "house_money": ("XBTUSD", "ETHUSD"),
    "premium": ("BTCUSDT",),
}
"""Contracts that the costlier tables are made of: with a high share of default rates, and with a low one."""
NO_RATES = pd.DataFrame({"series": [], "day": pd.Series(dtype="datetime64[us]"), "rate_annual": []})


def _whole(first: pd.Timestamp, last: pd.Timestamp, extra: object = ()) -> list[str]:
    return standard_periods(first, last)[:1]


def _of(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    return frame[frame["symbol"].isin(MAIN[table])]


@cache
def results() -> dict[str, pd.DataFrame]:
    """Rows of the whole period of every table, all markets below each other."""
    found: dict[str, list[pd.DataFrame]] = {}
    modules = (
        daily,
        series,
        spreads,
        quanto_module,
        predictor_race,
        premium_windows,
        rate_atoms,
        fair_funding,
    )
    # What the simulated venue publishes of its map is what it pays by.
    rule = LAWS["BTCUSDT"].perp.rate_map
    published = FundingMap("binance", interest=rule.interest, clamp=rule.clamp, cap=rule.cap)
    with ExitStack() as patched:
        for module in modules:
            patched.enter_context(mock.patch.object(module, "standard_periods", _whole))
        for module in (predictor_race, premium_windows):
            patched.enter_context(mock.patch.object(module, "other_lags", lambda *about: []))
        patched.enter_context(mock.patch.object(premium_race, "HOURS_LEFT", HOURS_LEFT))
        eras = {"binance": (("2019-01-01T00:00", published),)}
        patched.enter_context(mock.patch.dict(premium_windows.ERAS, eras))
        patched.enter_context(mock.patch.dict(predictor_race._MAPS, {"binance": published}))
        for seed in range(FIRST_SEED, FIRST_SEED + MARKETS):
            for name, frame in _tables(seed):
                found.setdefault(name, []).append(frame[frame["period"] == "all"])
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def _tables(seed: int) -> Iterator[tuple[str, pd.DataFrame]]:
    market = frames.simulate(seed)
    paid = frames.payments(market, SYMBOLS)
    day, eight = frames.grids(paid)
    spot = frames.spot_1h(market)
    returns = frames.returns_8h(spot)
    curve = frames.cme_curve(market)
    implied = frames.core_cme_implied(curve)
    implied = implied[implied["method"].isin(["calendar", "calendar_x12"])]
    yield (
        "averages",
        out_funding_averages(core_funding_daily=day, core_funding_payments=paid, core_cme_implied=implied),
    )
    yield "spreads", out_venue_spreads(core_funding_daily=day, core_cme_implied=implied)
    yield (
        "regressions",
        out_regressions(
            core_funding_daily=_of(day, "regressions"),
            core_funding_payments=_of(paid, "regressions"),
            core_returns_8h=returns,
            core_cme_implied=implied[implied["method"] == "calendar"],
            core_cme_curve=curve,
            simulations=2,
        ),
    )
    yield (
        "lead_lag",
        out_lead_lag(core_funding_payments=_of(paid, "lead_lag"), core_spot_1h=spot),
    )
    yield (
        "quanto",
        out_quanto(
            core_funding_payments=paid[paid["venue"] == "bitmex"],
            core_funding_8h=eight[eight["venue"] == "bitmex"],
            core_funding_daily=day[day["venue"] == "bitmex"],
            core_returns_8h=returns,
        ).frame,
    )
    yield (
        "house_money",
        out_house_money(core_funding_daily=_of(day, "house_money"), core_returns_8h=returns),
    )
    yield "sides", out_sides(core_funding_payments=paid)
    bars, own = _of(frames.binance_premium(market), "premium"), _of(paid, "premium")
    premiums = {
        "core_premium": frames.premium(own, bars),
        "core_funding_payments": own,
        "raw_binance_premium": bars,
    }
    yield "premium", out_premium_precision(**premiums)
    yield "audit", out_funding_audit(**premiums)
    yield "race", out_predictor_race(**premiums)
    own = day[(day["venue"] == "binance") & (day["symbol"] == "BTCUSDT")]
    yield (
        "fair",
        fair_funding.out_fair_funding(
            core_funding_daily=own,
            core_funding_8h=eight,
            core_reference_rates=NO_RATES,
            core_cme_implied=implied[implied["method"] == "calendar"],
            core_delivery_futures=frames.delivery_futures(market),
        ),
    )


@dataclass(frozen=True)
class Row:
    """Rows of one table that estimate one planted quantity; truth None: the mean over the markets.

    ``least`` is the share of markets whose interval is to hold it.
    """

    table: str
    where: dict[str, object]
    truth: float | None
    rounding: float = 1e-12
    least: float = LEAST

    @property
    def name(self) -> str:
        return " ".join([self.table, *(str(value) for value in self.where.values())])

    def found(self) -> pd.DataFrame:
        frame = results()[self.table]
        for column, value in self.where.items():
            frame = frame[frame[column] == value]
        return frame

    def coverage(self) -> tuple[int, int]:
        """Markets whose interval holds the truth, and markets that have an interval."""
        rows = self.found()
        truth = (rows["estimate"] * rows["n"]).sum() / rows["n"].sum() if self.truth is None else self.truth
        rows = rows[rows["ci_low"].notna()]
        low, high = rows["ci_low"] - self.rounding, rows["ci_high"] + self.rounding
        return int(((low <= truth) & (truth <= high)).sum()), len(rows)
