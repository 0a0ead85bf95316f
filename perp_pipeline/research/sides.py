"""Who pays, and how often nobody has to: out_sides (claims 4, 52 to 56).

``quantity``:

- ``share_default``: payments that are exactly 0.01 % per 8 hours (pro rata for other intervals);
  ``share_above_default``, ``share_below_default``, ``share_negative`` (longs are paid): the other payments;
- ``premium_sd``: standard deviation of the window's mean premium (claim 56), where premiums are in the lake;
- ``share_long``: longs over longs and shorts by open interest; ``lp_share_long``: the same of the liquidity
  providers, who take the other side of every trader; ``share_days_long``: days on which traders' longs are
  the larger side (claims 52, 53), where open interest is in the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.averages import DEFAULT_RATE_8H, at_default
from perp_pipeline.research.daily import main_symbols
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import bounds, utc
from perp_pipeline.research.statistics import Array, Estimate, hac_influence, hac_mean, persistent_lags

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
    raw_gmx_open_interest: pd.DataFrame | None = None,
    periods: Iterable[str] = (),
) -> pd.DataFrame:
    """Shares of default, higher, lower and negative payments; sd of premiums; shares of longs.

    A venue and base are represented by the contract with the longest history.

    Args:
        core_premium: premiums by window, if the lake has them.
        raw_gmx_open_interest: day, chain, long_usd, short_usd of GMX, all assets together, if there.
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
    if raw_gmx_open_interest is not None:
        for chain, part in raw_gmx_open_interest.groupby("chain", observed=True):
            about = {"venue": f"gmx_{chain}", "base": "all", "symbol": "all"}
            rows += [about | row for row in _long_shares(part.sort_values("day"), extra)]
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
            yield _row(name, period, _mean(values[span].astype(np.float64), month), times[span])


def _premium_spread(windows: pd.DataFrame, extra: Iterable[str]) -> Iterator[dict[str, Any]]:
    windows = windows[np.isfinite(windows["premium_mean"].to_numpy(dtype=np.float64))]
    times = windows["window_end"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    values = windows["premium_mean"].to_numpy(dtype=np.float64)
    for period, span in _spans(times, extra):
        yield _row("premium_sd", period, standard_deviation(values[span]), times[span])


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
        yield _row("share_long", period, _mean(share, _LAG_DAYS), times[span])
        yield _row("lp_share_long", period, _mean(1.0 - share, _LAG_DAYS), times[span])
        days_long = (share > 0.5).astype(np.float64)
        yield _row("share_days_long", period, _mean(days_long, _LAG_DAYS), times[span])


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
    return hac_mean(values, max(persistent_lags(values), min(month, len(values) // 3)))


def _row(quantity: str, period: str, found: Estimate, times: npt.NDArray[np.datetime64]) -> dict[str, Any]:
    window = {"window_start": utc(times[0]), "window_end": utc(times[-1])}
    return {"quantity": quantity, "period": period, **vars(found), **window}
