"""Does funding follow returns or foretell them: out_lead_lag (claims 14, 15).

Everything is dated by ``announced_at``, when the rate became known, so that a return after it is one that the
rate could foretell. With t the announcement of a payment and t+1 one interval later, the definitions of
claim 15 are: past = P(t)/P(t-3d) - 1, contemporaneous = P(t+1)/P(t) - 1, future = P(t+1+3d)/P(t+1) - 1.

``kind`` and ``lag``:

- ``past3d``, ``contemporaneous``, ``future3d``, lag 0: correlation of the rate with that return;
  ``past3d_minus_contemporaneous``, ``past3d_minus_future3d``: differences of two of them;
- ``decile``, lag 1 to 10: mean simple annual rate in a decile of the past 3-day return;
- ``decile_past3d``, ``decile_contemporaneous``, ``decile_future3d``, lag 1 to 10: mean return in a decile
  of the rate. Equal rates share a decile (that of their middle rank): inside the flat zone some are empty;
- ``decile_ends``, ``decile_future3d_ends``, lag 0: the highest decile's mean less the lowest's;
- ``xcorr_daily``, lag -30 to 30: correlation of the mean rate announced on a day with the return of the day
  ``lag`` days later; below zero the return came first;
- with ``_lags360`` behind it: the same with another bandwidth in rates (of ``xcorr_daily`` in days), of what
  claims judge (:mod:`~perp_pipeline.research.other_lags`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.research.buckets import decile_means
from perp_pipeline.research.daily import by_period, every_day, funding_by_day_of
from perp_pipeline.research.other_lags import lag_key, other_lags
from perp_pipeline.research.series import utc
from perp_pipeline.research.statistics import (
    Array,
    correlation_influence,
    hac_influence,
    hac_lags,
    persistent_lags,
)

KINDS = ("past3d", "contemporaneous", "future3d")
ROBUST = (
    "xcorr_daily",
    "past3d",
    "past3d_minus_contemporaneous",
    "past3d_minus_future3d",
    "decile_ends",
    "decile_future3d_ends",
)
"""Kinds that are told with other bandwidths as well (xcorr_daily at lags -1 and 1)."""

DAYS = 3
MAX_LAG = 30
LAGS = range(-MAX_LAG, MAX_LAG + 1)
MIN_ROWS = 90
_LAG_DAYS = 30
"""Least bandwidth in days, whatever the payment interval."""

_SPOT_ORDER = ("binance", "bitstamp", "gemini")
COLUMNS = [
    "venue",
    "symbol",
    "kind",
    "lag",
    "period",
    "base",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "n",
    "window_start",
    "window_end",
    "hac_lags",
]


def out_lead_lag(
    *, core_funding_payments: pd.DataFrame, core_spot_1h: pd.DataFrame, periods: Iterable[str] = ()
) -> pd.DataFrame:
    """Correlations and decile tables of funding with past, contemporaneous and future spot returns.

    Args:
        periods: periods wanted beside the standard ones.
    """
    rows: list[dict[str, Any]] = []
    extra = tuple(periods)
    prices = {str(base): hourly_prices(core_spot_1h, str(base)) for base in core_spot_1h["base"].unique()}
    for (venue, symbol), payments in core_funding_payments.groupby(["venue", "symbol"], observed=True):
        base = str(payments["base"].iloc[0])
        if base not in prices:
            continue
        about = {"venue": venue, "symbol": symbol, "base": base}
        payments = payments.sort_values("announced_at")
        for period, part in by_period(event_frame(payments, prices[base]), extra).items():
            rows += [about | {"period": period} | row for row in _event_rows(part, period)]
        for period, part in by_period(_daily_frame(payments, prices[base]), extra).items():
            rows += [about | {"period": period} | row for row in _xcorr_rows(part, period)]
    return pd.DataFrame(rows, columns=COLUMNS)


def hourly_prices(core_spot_1h: pd.DataFrame, base: str) -> pd.Series:
    """Last spot price at the end of each hour; the index is naive UTC, missing hours are absent.

    Binance from its first hour on; before it the first of the other venues by name that has the hour.
    """
    rows = core_spot_1h[(core_spot_1h["base"] == base) & (core_spot_1h["close"] > 0)]
    ends = rows["bar_start"].dt.tz_convert("UTC").dt.tz_localize(None) + pd.Timedelta(1, "h")
    rank = rows["venue"].map({name: place for place, name in enumerate(_SPOT_ORDER)}).fillna(len(_SPOT_ORDER))
    table = pd.DataFrame(
        {"end": ends, "rank": rank, "venue": rows["venue"], "close": rows["close"].astype(np.float64)}
    )
    main = table.loc[table["rank"] == table["rank"].min()]
    earlier = table[table["end"] < main["end"].min()].sort_values(["end", "rank", "venue"])
    both = pd.concat([earlier.drop_duplicates("end"), main]).sort_values("end").drop_duplicates("end")
    return pd.Series(both["close"].to_numpy(), pd.DatetimeIndex(both["end"]))


def event_frame(payments: pd.DataFrame, prices: pd.Series) -> pd.DataFrame:
    """One row per announced rate: time (UTC), rate_annual, per_day, past3d, contemporaneous, future3d.

    Args:
        payments: core_funding_payments of one symbol, by announced_at.
        prices: :func:`hourly_prices`. Returns whose prices are missing are NaN.
    """
    at = pd.DatetimeIndex(payments["announced_at"].dt.tz_convert("UTC").dt.tz_localize(None).dt.round("h"))
    after = at + pd.to_timedelta(payments["interval_hours"].to_numpy(), unit="h")
    span = pd.Timedelta(DAYS, "D")

    def price(times: pd.DatetimeIndex) -> Array:
        return np.asarray(prices.reindex(times).to_numpy(dtype=np.float64))

    return pd.DataFrame(
        {
            "time": payments["announced_at"].to_numpy(),
            "rate_annual": payments["rate_annual"].to_numpy(dtype=np.float64),
            "per_day": 24.0 / payments["interval_hours"].to_numpy(dtype=np.float64),
            "past3d": price(at) / price(at - span) - 1.0,
            "contemporaneous": price(after) / price(at) - 1.0,
            "future3d": price(after + span) / price(after) - 1.0,
        }
    ).assign(time=payments["announced_at"].array)


def _daily_frame(payments: pd.DataFrame, prices: pd.Series) -> pd.DataFrame:
    midnight = prices[prices.index == prices.index.normalize()]
    daily = every_day(midnight)
    funding = funding_by_day_of(payments, "announced_at")
    if funding.empty:
        return pd.DataFrame(columns=["day", "funding", *LAGS])
    reach = pd.Timedelta(MAX_LAG, "D")
    days = pd.date_range(funding.index[0] - reach, funding.index[-1] + reach, unit="us")
    returns = (daily.shift(-1) / daily - 1.0).reindex(days).to_numpy(dtype=np.float64)
    lagged = {lag: returns[MAX_LAG + lag : MAX_LAG + lag + len(funding)] for lag in LAGS}
    return pd.DataFrame({"day": funding.index, "funding": funding.to_numpy()} | lagged)


def _event_rows(frame: pd.DataFrame, period: str) -> Iterator[dict[str, Any]]:
    good = frame[np.isfinite(frame[["rate_annual", *KINDS]].to_numpy()).all(axis=1)]
    n = len(good)
    rate = good["rate_annual"].to_numpy()
    if n < MIN_ROWS or rate.std() == 0.0:
        return
    times = good["time"].dt.tz_localize(None).to_numpy()
    window = {"window_start": utc(times[0]), "window_end": utc(times[-1])}
    per_day = float(good["per_day"].median())
    lags = min(max(hac_lags(n), round(_LAG_DAYS * per_day)), n // 3)
    slow = max(lags, persistent_lags(rate))
    found = {kind: correlation_influence(rate, good[kind].to_numpy()) for kind in KINDS}
    past = found["past3d"]
    for other in KINDS[1:]:
        found[f"past3d_minus_{other}"] = (past[0] - found[other][0], past[1] - found[other][1])
    more = other_lags(n, per_day, period)
    for kind, (value, influence) in found.items():
        for name, own in _bandwidths(kind, lags, more):
            yield window | {"kind": name, "lag": 0} | vars(hac_influence(value, influence, own))
    tables = {"decile": (good["past3d"].to_numpy(), rate)}
    tables |= {f"decile_{kind}": (rate, good[kind].to_numpy()) for kind in KINDS}
    for kind, (sorted_by, averaged) in tables.items():
        means = decile_means(averaged, sorted_by)
        used = slow if kind == "decile" else lags
        for decile, mean in means.items():
            yield window | {"kind": kind, "lag": decile} | vars(mean.estimate(used))
        if f"{kind}_ends" in ROBUST:
            ends = means[max(means)] - means[min(means)]
            for name, own in _bandwidths(f"{kind}_ends", used, more):
                yield window | {"kind": name, "lag": 0} | vars(ends.estimate(own))


def _bandwidths(kind: str, lags: int, others: Sequence[int]) -> Iterator[tuple[str, int]]:
    """The kind with its own bandwidth, and its names with the others where claims judge it."""
    yield kind, lags
    if kind in ROBUST:
        yield from ((lag_key(kind, other), other) for other in others)


def _xcorr_rows(frame: pd.DataFrame, period: str) -> Iterator[dict[str, Any]]:
    funding = frame["funding"].to_numpy()
    days = frame["day"].to_numpy()
    for lag, returns in zip(LAGS, frame[list(LAGS)].to_numpy(dtype=np.float64).T, strict=True):
        both = np.flatnonzero(np.isfinite(funding) & np.isfinite(returns))
        if len(both) < MIN_ROWS or funding[both].std() == 0.0:
            continue
        window = {"window_start": utc(days[both[0]]), "window_end": utc(days[both[-1]])}
        rho, influence = correlation_influence(funding[both], returns[both])
        n = len(both)
        more = other_lags(n, period=period) if abs(lag) == 1 else []
        for name, own in _bandwidths("xcorr_daily", hac_lags(n), more):
            yield window | {"kind": name, "lag": lag} | vars(hac_influence(rho, influence, own))
