"""What a long should pay, and what longs paid over it: out_fair_funding (claims 8, 9, 41 to 45).

``method``:

- ``fair_{rate}``: mean of a fair rate. dtb3, dff: dollar rates (the asset earns nothing); usdc_lending,
  usdc_borrowing: what depositors of USDC earn and borrowers pay on chain; lending: (r_usd - r_asset) /
  (1 + r_asset) with the supply rates of USDC and of the asset; cme: implied by the CME curve (calendar);
  delivery: implied by the venue's dated futures;
- ``excess_over_{rate}``: mean of daily funding less the fair rate, over days that have both. Where the
  asset's own lending rate is left out (all rates but lending, cme, delivery), the fair rate is at most the
  dollar rate, so that the excess is at least this;
- ``long_cost_{mechanism}``, ``long_cost_perp_less_{mechanism}``: what a long pays over the same price path
  (:mod:`perp_pipeline.research.mechanisms`), mean of the daily cost times 365;
- ``lock_in``, ``realised``, ``lock_in_less_realised``: dated futures bought at the delivery before theirs,
  beside the perpetual over the same days;
- ``terminal_spread_{...}``: spreads over spot an hour before a delivery, when the average that it is made
  at begins, of the future (delivery) and of the perpetual (perp); ``..._abs``: absolute, mean of the last
  eight hours' ends before, ``..._night``: their mean, signed; abs_perp_less_delivery and
  abs_night_perp_less_delivery: the differences in size; last_trade: the future's last trade against spot at
  delivery; perp_any: the perpetual at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
import pandas as pd

from perp_pipeline.research.daily import accrual_funding, main_symbols
from perp_pipeline.research.mechanisms import (
    YEAR,
    carried,
    daily_costs,
    holdings,
    implied_by_day,
    perp_spreads,
    terminal_spreads,
)
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import CME_BASES, bounds, utc
from perp_pipeline.research.statistics import (
    Array,
    Estimate,
    hac_mean,
    independent_mean,
    persistent_lags,
)
from perp_pipeline.theory.carry import fair_funding

FAIR: Final = ("dtb3", "dff", "usdc_lending", "usdc_borrowing", "lending", "cme", "delivery")
"""Fair rates, in the order of rows."""

MECHANISMS: Final = ("perp", "delivery", "gehr", "shiller")
SPREADS: Final = (
    *("delivery", "delivery_abs", "delivery_night"),
    *("perp", "perp_abs", "perp_night"),
    *("abs_perp_less_delivery", "abs_night_perp_less_delivery", "last_trade"),
)
DELIVERY_VENUE: Final = "binance"
LEAST_DAYS: Final = 14.0
"""Days to delivery below which a dated future's implied rate does not count."""

MIN_DAYS: Final = 30
_CME_METHOD: Final = "calendar"
_MONEY_MARKET: Final = 365.0 / 360.0
_ASSETS: Final = {"ETH": "aave_v3_weth_supply", "BTC": "aave_v3_wbtc_supply"}
_VERSIONS: Final = ("v3", "v2", "v1")

COLUMNS: Final = [
    "base",
    "venue",
    "method",
    "period",
    "symbol",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "n",
    "window_start",
    "window_end",
    "hac_lags",
]


def out_fair_funding(
    *,
    core_funding_daily: pd.DataFrame,
    core_funding_8h: pd.DataFrame,
    core_reference_rates: pd.DataFrame,
    core_cme_implied: pd.DataFrame,
    core_delivery_futures: pd.DataFrame,
    periods: Iterable[str] = (),
) -> pd.DataFrame:
    """Fair rates, funding over them, and what a long pays under each mechanism; see the module.

    A venue and base are represented by the contract with the longest history. Fair rates that are the same
    for every contract of a base have the venue ``all``.

    Args:
        periods: periods wanted beside the standard ones.
    """
    extra = tuple(periods)
    rows: list[dict[str, Any]] = []
    chosen = main_symbols(core_funding_daily)
    for base, contracts in chosen.groupby("base", observed=True):
        futures = core_delivery_futures[
            (core_delivery_futures["base"] == base) & (core_delivery_futures["venue"] == DELIVERY_VENUE)
        ]
        fair = fair_rates(str(base), core_reference_rates, core_cme_implied, futures)
        about = {"base": base, "venue": "all", "symbol": "all"}
        for name, rates in fair.items():
            rows += [about | row for row in _means(f"fair_{name}", rates, extra)]
        for venue, symbol in contracts[["venue", "symbol"]].itertuples(index=False):
            about = {"base": base, "venue": venue, "symbol": symbol}
            funding = accrual_funding(core_funding_daily, venue, symbol)
            for name, rates in fair.items():
                excess = funding - on_days(rates, name, pd.DatetimeIndex(funding.index))
                rows += [about | row for row in _means(f"excess_over_{name}", excess, extra)]
            if venue == DELIVERY_VENUE and len(futures):
                grid = core_funding_8h[
                    (core_funding_8h["venue"] == venue) & (core_funding_8h["symbol"] == symbol)
                ]
                bill = fair.get("dtb3", pd.Series(dtype="float64"))
                rows += [about | row for row in _mechanisms(futures, grid, bill, extra)]
    return pd.DataFrame(rows, columns=COLUMNS)


def fair_rates(
    base: str, reference: pd.DataFrame, cme: pd.DataFrame, futures: pd.DataFrame
) -> dict[str, pd.Series]:
    """Fair rates of one base by name and day (naive), simple fractions a year; those without data are absent.

    Args:
        reference, cme: core_reference_rates and core_cme_implied.
        futures: core_delivery_futures of the base.
    """
    series = {
        str(name): pd.Series(
            own["rate_annual"].to_numpy(dtype=np.float64), index=pd.DatetimeIndex(own["day"])
        )
        for name, own in reference.groupby("series", observed=True)
    }
    products = [product for product, asset in CME_BASES.items() if asset == base]
    implied = cme[cme["product"].isin(products) & (cme["method"] == _CME_METHOD)]
    found = {
        "dtb3": series.get("DTB3"),
        "dff": series["DFF"] * _MONEY_MARKET if "DFF" in series else None,
        "usdc_lending": pools_mean(series, "usdc_supply"),
        "usdc_borrowing": pools_mean(series, "usdc_borrow"),
        "cme": implied.groupby("trade_date")["rate_annual"].mean() if len(implied) else None,
        "delivery": implied_by_day(futures, LEAST_DAYS) if len(futures) else None,
    }
    asset = series.get(_ASSETS.get(base, ""))
    if asset is not None and found["usdc_lending"] is not None:
        dollars, coins = found["usdc_lending"].align(asset, join="inner")
        found["lending"] = fair_funding(dollars, coins)
    known = {name: rates.dropna() for name in FAIR if (rates := found.get(name)) is not None}
    return {name: rates for name, rates in known.items() if len(rates)}


def pools_mean(series: dict[str, pd.Series], side: str) -> pd.Series | None:
    """Mean over protocols by day: Compound, and the newest version of Aave that has the day.

    Args:
        series: reference rates by name.
        side: asset and side, such as ``usdc_supply``.
    """
    versions = [series[name] for v in _VERSIONS if (name := f"aave_{v}_{side}") in series]
    protocols = [series[name] for name in (f"compound_{side}",) if name in series]
    if versions:
        newest = versions[0]
        for older in versions[1:]:
            newest = newest.combine_first(older)
        protocols.append(newest)
    return pd.concat(protocols, axis=1).mean(axis=1).sort_index() if protocols else None


def on_days(rates: pd.Series, name: str, days: pd.DatetimeIndex) -> pd.Series:
    """A rate of :func:`fair_rates` on a contract's days.

    Dollar rates hold over weekends; what markets imply counts on the days it was traded.
    """
    return carried(rates, days) if name in ("dtb3", "dff") else rates.reindex(days)


def _mechanisms(
    futures: pd.DataFrame, funding: pd.DataFrame, bill: pd.Series, extra: Iterable[str]
) -> Iterator[dict[str, Any]]:
    costs = daily_costs(futures, funding, bill)
    times = _plain(costs["time"])
    for name in MECHANISMS:
        yield from _means(f"long_cost_{name}", _series(costs[name] * YEAR, times), extra)
    for name in MECHANISMS[1:]:
        less = (costs["perp"] - costs[name]) * YEAR
        yield from _means(f"long_cost_perp_less_{name}", _series(less, times), extra)
    held = holdings(futures, funding)
    times = _plain(held["expiry"])
    held["lock_in_less_realised"] = held["lock_in"] - held["realised"]
    for name in ("lock_in", "realised", "lock_in_less_realised"):
        yield from _means(name, _series(held[name], times), extra, independent_mean, least=1)
    spreads = terminal_spreads(futures)
    for name in SPREADS:
        own = _series(spreads[name], _plain(spreads["time"]))
        yield from _means(f"terminal_spread_{name}", own, extra, independent_mean, least=1)
    anytime = perp_spreads(futures)
    own = _series(anytime["perp_any"], _plain(anytime["time"]))
    yield from _means("terminal_spread_perp_any", own, extra)
    yield from _means("terminal_spread_perp_any_abs", own.abs(), extra)


def _persistent_mean(values: Array) -> Estimate:
    return hac_mean(values, persistent_lags(values))


def _means(
    method: str,
    values: pd.Series,
    extra: Iterable[str],
    mean: Callable[[Array], Estimate] = _persistent_mean,
    least: int = MIN_DAYS,
) -> Iterator[dict[str, Any]]:
    """Means by period of a series indexed by naive UTC time, where a period has ``least`` of its values."""
    values = values.dropna().sort_index()
    if values.empty:
        return
    times = values.index.to_numpy(dtype="datetime64[us]")
    numbers = values.to_numpy(dtype=np.float64)
    for period in standard_periods(values.index[0], values.index[-1], extra):
        span = bounds(times, period)
        if span.stop - span.start >= least:
            window = {"window_start": utc(times[span][0]), "window_end": utc(times[span][-1])}
            yield {"method": method, "period": period, **vars(mean(numbers[span])), **window}


def _plain(times: pd.Series) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(times.dt.tz_convert("UTC").dt.tz_localize(None))


def _series(values: pd.Series, times: pd.DatetimeIndex) -> pd.Series:
    return pd.Series(values.to_numpy(dtype=np.float64), index=times)
