"""Funding after gains and losses, and extreme days: out_house_money (claims 9, 10, 57).

The unit is the UTC day; funding is simple annual, by the day it accrued on. ``bucket_kind`` and ``bucket``:

- ``past_return_7d``, ``past_return_30d``, ``past_return_90d``: mean funding of the days whose spot return
  over that many days before falls in the decile ``d01`` (lowest) to ``d10`` of the period, and
  ``d10_minus_d01``;
- ``drawdown_365d``: mean funding by how far the day begins below the highest price of the year before it:
  ``0_5pct``, ``5_20pct``, ``20_40pct``, ``40_60pct``, ``over_60pct``;
- ``all``, bucket ``mean``: mean funding; ``share_above_50pct``, ``share_above_default``, ``share_negative``,
  bucket ``all``: shares of the days above 50 % a year, above the default rate's 10.95 %, below zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.research.buckets import bucket_mean, decile_means
from perp_pipeline.research.daily import accrual_funding, by_period, midnight_prices
from perp_pipeline.research.series import utc
from perp_pipeline.research.shares import hac_share
from perp_pipeline.research.statistics import hac_mean, persistent_lags
from perp_pipeline.theory.funding_map import annual_from_8h

PAST_DAYS = (7, 30, 90)
HIGH_RATE = 0.50
DEFAULT_ANNUAL = annual_from_8h(0.0001)
DRAWDOWNS = (
    ("0_5pct", 0.0, 0.05),
    ("5_20pct", 0.05, 0.20),
    ("20_40pct", 0.20, 0.40),
    ("40_60pct", 0.40, 0.60),
    ("over_60pct", 0.60, 1.01),
)
PEAK_DAYS = 365
MIN_DAYS = 60
_ROUNDING = 1e-9

COLUMNS = [
    "venue",
    "symbol",
    "bucket_kind",
    "bucket",
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


def out_house_money(
    *, core_funding_daily: pd.DataFrame, core_returns_8h: pd.DataFrame, periods: Iterable[str] = ()
) -> pd.DataFrame:
    """Funding by decile of the past return and by drawdown, and the shares of extreme days.

    Args:
        periods: periods wanted beside the standard ones.
    """
    rows: list[dict[str, Any]] = []
    extra = tuple(periods)
    series = core_funding_daily[["venue", "symbol", "base"]].drop_duplicates()
    prices = {base: midnight_prices(core_returns_8h, str(base)) for base in series["base"].unique()}
    for venue, symbol, base in series.itertuples(index=False):
        about = {"venue": venue, "symbol": symbol, "base": base}
        frame = daily_state(accrual_funding(core_funding_daily, venue, symbol), prices[base])
        for period, part in by_period(frame, extra).items():
            rows += [about | {"period": period} | row for row in _buckets(part)]
    return pd.DataFrame(rows, columns=COLUMNS)


def daily_state(funding: pd.Series, prices: pd.Series) -> pd.DataFrame:
    """Funding of each day beside what holders had gained or lost when the day began.

    Args:
        funding: simple annual rate by naive UTC day.
        prices: USD price at 00:00 UTC at the start of each day.

    Returns:
        day, funding, past_return_7d, past_return_30d, past_return_90d, drawdown_365d (0 at the peak).
    """
    columns = {"funding": funding}
    for days in PAST_DAYS:
        columns[f"past_return_{days}d"] = (prices / prices.shift(days) - 1.0).reindex(funding.index)
    peak = prices.rolling(PEAK_DAYS + 1, min_periods=PEAK_DAYS // 2).max()
    columns[f"drawdown_{PEAK_DAYS}d"] = (1.0 - prices / peak).reindex(funding.index)
    return pd.DataFrame(columns).rename_axis("day").reset_index()


def _buckets(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    frame = frame[np.isfinite(frame["funding"].to_numpy())]
    if len(frame) < MIN_DAYS:
        return
    rate = frame["funding"].to_numpy()
    window = _window(frame)
    yield window | {"bucket_kind": "all", "bucket": "mean"} | vars(hac_mean(rate, persistent_lags(rate)))
    shares = {
        "share_above_50pct": rate > HIGH_RATE,
        "share_above_default": rate > DEFAULT_ANNUAL + _ROUNDING,
        "share_negative": rate < 0,
    }
    for kind, flags in shares.items():
        share = flags.astype(np.float64)
        yield window | {"bucket_kind": kind, "bucket": "all"} | vars(hac_share(share, persistent_lags(share)))
    for days in PAST_DAYS:
        yield from _deciles(frame, f"past_return_{days}d")
    yield from _drawdowns(frame, f"drawdown_{PEAK_DAYS}d")


def _deciles(frame: pd.DataFrame, kind: str) -> Iterator[dict[str, Any]]:
    good = frame[np.isfinite(frame[kind].to_numpy())]
    if len(good) < MIN_DAYS:
        return
    rate = good["funding"].to_numpy()
    lags = persistent_lags(rate)
    about = _window(good) | {"bucket_kind": kind}
    means = decile_means(rate, good[kind].to_numpy())
    for decile, mean in means.items():
        yield about | {"bucket": f"d{decile:02d}"} | vars(mean.estimate(lags))
    if 1 in means and 10 in means:
        yield about | {"bucket": "d10_minus_d01"} | vars((means[10] - means[1]).estimate(lags))


def _drawdowns(frame: pd.DataFrame, kind: str) -> Iterator[dict[str, Any]]:
    good = frame[np.isfinite(frame[kind].to_numpy())]
    if len(good) < MIN_DAYS:
        return
    rate, depth = good["funding"].to_numpy(), good[kind].to_numpy()
    lags = persistent_lags(rate)
    for name, low, high in DRAWDOWNS:
        inside = (depth >= low) & (depth < high)
        if inside.any():
            found = bucket_mean(rate, inside).estimate(lags)
            yield _window(good) | {"bucket_kind": kind, "bucket": name} | vars(found)


def _window(frame: pd.DataFrame) -> dict[str, pd.Timestamp]:
    days = frame["day"].to_numpy()
    return {"window_start": utc(days[0]), "window_end": utc(days[-1])}
