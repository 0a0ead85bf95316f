"""Who pays, and how often nobody has to: out_sides (claims 4, 52 to 56).

``quantity``:

- ``share_default``: payments that are exactly 0.01 % per 8 hours (pro rata for other intervals);
  ``share_above_default``, ``share_below_default``, ``share_negative`` (longs are paid): the other payments;
- ``premium_sd``: standard deviation of the window's mean premium (claim 56), where premiums are in the lake;
- ``price_gap_sd``: standard deviation of the perpetual's price over spot at one moment, less 1 (claim 56): at
  payments, against the median of the exchanges' spot prices in the currency of the contract, or where a file
  has both prices the last of each hour;
- ``volume_change``, ``locked_value_change``: mean of the year after the end of a venue's rewards over that of
  the year before, less 1 (claim 54), where daily statistics are in the lake;
- ``share_long``: longs over longs and shorts by open interest; ``lp_share_long``: the same of the liquidity
  providers, who take the other side of every trader; ``share_days_long``: days on which traders' longs are
  the larger side (claims 52, 53), where open interest is in the lake. With ``_lags120`` behind it: the first
  two with another bandwidth, in days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.averages import DEFAULT_RATE_8H, at_default
from perp_pipeline.research.daily import main_symbols
from perp_pipeline.research.other_lags import lag_key, other_lags
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import bounds, utc
from perp_pipeline.research.shares import hac_share
from perp_pipeline.research.statistics import (
    Array,
    Estimate,
    fixed_b_critical,
    hac_influence,
    hac_mean,
    persistent_lags,
)

REWARDS_END = {"dydx": pd.Timestamp("2024-01-16 15:00")}
"""When a venue paid its last trading rewards (UTC): dYdX v3 at the end of epoch 31, of 28 days from epoch 19
(2023-01-17 15:00) on; docs.dydx.community, DIP 29."""

_YEAR = pd.Timedelta(days=365)
_CHANGES = {"volume_usd": "volume_change", "locked_value_usd": "locked_value_change"}

MIN_ROWS = 60
_LAG_DAYS = 30

COLUMNS = [
    "venue",
    "base",
    "quantity",
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


def out_sides(
    *,
    core_funding_payments: pd.DataFrame,
    core_premium: pd.DataFrame | None = None,
    core_spot_1h: pd.DataFrame | None = None,
    raw_gmx_open_interest: pd.DataFrame | None = None,
    raw_perp_prices: pd.DataFrame | None = None,
    raw_venue_days: pd.DataFrame | None = None,
    periods: Iterable[str] = (),
) -> pd.DataFrame:
    """Shares of payments, sd of premiums and prices over spot, shares of longs, changes; see the module.

    A venue and base are represented by the contract with the longest history.

    Args:
        core_premium: premiums by window, if the lake has them.
        core_spot_1h: what the perpetuals' prices at payments are held against.
        raw_gmx_open_interest: day, chain, long_usd, short_usd of GMX, all assets together, if there.
        raw_perp_prices: perpetuals' prices beside spot, of venues that a file was declared of.
        raw_venue_days: volume and locked value by day, likewise.
        periods: periods wanted beside the standard ones.
    """
    rows: list[dict[str, Any]] = []
    extra = tuple(periods)
    for venue, base, symbol in main_symbols(core_funding_payments).itertuples(index=False):
        about = {"venue": venue, "base": base, "symbol": symbol}
        own = core_funding_payments[
            (core_funding_payments["venue"] == venue) & (core_funding_payments["symbol"] == symbol)
        ].sort_values("accrual_start")
        rows += [about | row for row in _default_shares(own, extra)]
        if core_premium is not None:
            windows = core_premium[(core_premium["venue"] == venue) & (core_premium["symbol"] == symbol)]
            rows += [about | row for row in _premium_spread(windows.sort_values("window_end"), extra)]
        if core_spot_1h is not None:
            rows += [about | row for row in _gap_spread(_at_payments(own, core_spot_1h), extra)]
    if raw_gmx_open_interest is not None:
        for chain, part in raw_gmx_open_interest.groupby("chain", observed=True):
            about = {"venue": f"gmx_{chain}", "base": "all", "symbol": "all"}
            rows += [about | row for row in _long_shares(part.sort_values("day"), extra)]
    if raw_perp_prices is not None:
        for (venue, base, symbol), part in raw_perp_prices.groupby(
            ["venue", "base", "symbol"], observed=True
        ):
            about = {"venue": venue, "base": base, "symbol": symbol}
            rows += [about | row for row in _gap_spread(_by_hour(part), extra)]
    if raw_venue_days is not None:
        for (venue, quantity), part in raw_venue_days.groupby(["venue", "quantity"], observed=True):
            about = {"venue": venue, "base": "all", "symbol": "all"}
            rows += [about | row for row in _change(part.sort_values("day"), str(venue), str(quantity))]
    return pd.DataFrame(rows, columns=COLUMNS)


def _default_shares(payments: pd.DataFrame, extra: Iterable[str]) -> Iterator[dict[str, Any]]:
    default = at_default(payments["rate"], payments["interval_hours"]).to_numpy(dtype=np.bool_)
    rate = payments["rate"].to_numpy(dtype=np.float64)
    hours = payments["interval_hours"].to_numpy(dtype=np.float64)
    above = rate > DEFAULT_RATE_8H * hours / 8.0
    flags = {
        "share_default": default,
        "share_above_default": above & ~default,
        "share_below_default": ~above & ~default,
        "share_negative": rate < 0,
    }
    times = payments["accrual_start"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    for period, span in _spans(times, extra):
        month = round(_LAG_DAYS * 24 / float(np.median(hours[span])))
        for name, values in flags.items():
            yield _row(name, period, _share(values[span].astype(np.float64), month), times[span])


def _premium_spread(windows: pd.DataFrame, extra: Iterable[str]) -> Iterator[dict[str, Any]]:
    windows = windows[np.isfinite(windows["premium_mean"].to_numpy(dtype=np.float64))]
    times = windows["window_end"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    values = windows["premium_mean"].to_numpy(dtype=np.float64)
    for period, span in _spans(times, extra):
        yield _row("premium_sd", period, standard_deviation(values[span]), times[span])


def _at_payments(payments: pd.DataFrame, spot: pd.DataFrame) -> pd.Series:
    """Price of one perpetual over spot less 1, by payment (naive UTC), where both are known."""
    dollars = "USDT" if payments["margin_asset"].iloc[0] == "USDT" else "USD"
    own = spot[(spot["base"] == payments["base"].iloc[0]) & (spot["quote"] == dollars)]
    ends = pd.DatetimeIndex(own["bar_start"].dt.tz_convert("UTC").dt.tz_localize(None)) + pd.Timedelta(1, "h")
    close = pd.Series(own["close"].to_numpy(dtype=np.float64), ends).groupby(level=0).median()
    paid = pd.DatetimeIndex(payments["paid_at"].dt.tz_convert("UTC").dt.tz_localize(None))
    prices = pd.Series(payments["perp_price"].to_numpy(dtype=np.float64), paid)
    # The first payment comes at the listing, before there is a market: Binance ETH's price is 15 % off.
    return (prices / close.reindex(paid) - 1.0).iloc[1:].dropna()


def _by_hour(prices: pd.DataFrame) -> pd.Series:
    """Price over spot less 1 of one perpetual: the last of each hour (naive UTC)."""
    prices = prices.sort_values("time")
    times = pd.DatetimeIndex(prices["time"].dt.tz_convert("UTC").dt.tz_localize(None))
    gap = pd.Series((prices["perp_price"] / prices["spot_price"] - 1.0).to_numpy(), times)
    return gap[~times.floor("h").duplicated(keep="last")]


def _gap_spread(gap: pd.Series, extra: Iterable[str]) -> Iterator[dict[str, Any]]:
    times, values = gap.index.to_numpy(), gap.to_numpy(dtype=np.float64)
    for period, span in _spans(times, extra):
        yield _row("price_gap_sd", period, standard_deviation(values[span]), times[span])


def _change(days: pd.DataFrame, venue: str, quantity: str) -> Iterator[dict[str, Any]]:
    """Mean after the end of rewards over the mean before, less 1; delta-method error of independent means."""
    if venue not in REWARDS_END:
        return
    end = REWARDS_END[venue]
    # A day counts by its midday: the day of the end, at 15:00, is before it.
    since = days["day"] + pd.Timedelta(12, "h") - end
    near = days[since.abs() <= _YEAR]
    values, later = near["value"].to_numpy(dtype=np.float64), (since[near.index] > pd.Timedelta(0)).to_numpy()
    if min(later.sum(), (~later).sum()) < MIN_ROWS or not values[~later].any():
        return
    after, before = (_mean(values[side], _LAG_DAYS) for side in (later, ~later))
    ratio = after.estimate / before.estimate
    se = float(np.hypot(after.se, ratio * before.se)) / before.estimate
    lags, n = max(after.hac_lags, before.hac_lags), len(values)
    reach = fixed_b_critical(lags, min(after.n, before.n)) * se
    found = Estimate(ratio - 1.0, se, ratio - 1.0 - reach, ratio - 1.0 + reach, n, lags)
    yield _row(_CHANGES[quantity], "all", found, near["day"].to_numpy())


def standard_deviation(values: Array) -> Estimate:
    """Standard deviation (divisor n) with its delta-method HAC error."""
    square = (values - values.mean()) ** 2
    sd = float(square.mean()) ** 0.5
    influence = (square - sd**2) / (2.0 * sd) if sd else np.zeros_like(values)
    return hac_influence(sd, influence, persistent_lags(influence))


def _long_shares(days: pd.DataFrame, extra: Iterable[str]) -> Iterator[dict[str, Any]]:
    longs, shorts = (days[name].to_numpy(dtype=np.float64) for name in ("long_usd", "short_usd"))
    there = np.isfinite(longs) & np.isfinite(shorts) & (longs + shorts > 0)
    longs, shorts = longs[there], shorts[there]
    times = days["day"].to_numpy()[there]
    for period, span in _spans(times, extra):
        share = longs[span] / (longs[span] + shorts[span])
        others = other_lags(len(share), period=period)
        for name, values in {"share_long": share, "lp_share_long": 1.0 - share}.items():
            yield _row(name, period, _share(values, _LAG_DAYS), times[span])
            for lags in others:
                yield _row(lag_key(name, lags), period, hac_share(values, lags), times[span])
        days_long = (share > 0.5).astype(np.float64)
        yield _row("share_days_long", period, _share(days_long, _LAG_DAYS), times[span])


def _spans(times: npt.NDArray[np.datetime64], extra: Iterable[str]) -> Iterator[tuple[str, slice]]:
    """Periods with enough rows, and where their rows are."""
    if len(times) == 0:
        return
    for period in standard_periods(pd.Timestamp(times[0]), pd.Timestamp(times[-1]), extra):
        span = bounds(times, period)
        if span.stop - span.start >= MIN_ROWS:
            yield period, span


def _mean(values: Array, month: int) -> Estimate:
    """Mean with a bandwidth of at least a month, and what its persistence asks for."""
    return hac_mean(values, _lags(values, month))


def _share(values: Array, month: int) -> Estimate:
    """The same of values in 0..1, with an interval that stays there."""
    return hac_share(values, _lags(values, month))


def _lags(values: Array, month: int) -> int:
    return max(persistent_lags(values), min(month, len(values) // 3))


def _row(quantity: str, period: str, found: Estimate, times: npt.NDArray[np.datetime64]) -> dict[str, Any]:
    window = {"window_start": utc(times[0]), "window_end": utc(times[-1])}
    return {"quantity": quantity, "period": period, **vars(found), **window}
