"""Can outsiders recompute the published funding? out_funding_audit (claim 33).

Each window's rate is recomputed from the public premium by the map that the venue published for its time
(:data:`~perp_pipeline.theory.funding_map.ERAS`) and compared with the rate that was paid for that window.
Binance publishes bars of the premium index, not the samples that it averages: what is recomputed from them
differs by the error of sampling, and is exact mostly where the flat zone forgives it. Statistics without an
ending are of core_premium's average. The other ways to average show what the choice is worth: ``_close``,
each bar's close with weights 1 to n, as if the venue had sampled so rarely; ``_flat``, means of open and
close with equal weights; ``_8h``, one bar for the whole window. Hyperliquid prints the average itself.
With ``_lags360`` behind it: the same with another bandwidth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.other_lags import lag_key
from perp_pipeline.research.premium_windows import (
    Windows,
    every,
    mean_over,
    month_lags,
    premium_windows,
    share_over,
    transformed,
)
from perp_pipeline.research.series import utc
from perp_pipeline.research.shares import above_zero
from perp_pipeline.research.statistics import Array, Estimate, hac_influence

HOURS_A_YEAR = 8760.0

JUDGED = ("p95_absolute_error", "share_exact")
"""What claims judge: told with other bandwidths as well, from core_premium's average."""

COLUMNS = [
    "venue",
    "symbol",
    "statistic",
    "period",
    "base",
    "sampling_hours",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "n",
    "window_start",
    "window_end",
    "hac_lags",
]


def out_funding_audit(
    *,
    core_premium: pd.DataFrame,
    core_funding_payments: pd.DataFrame,
    raw_binance_premium: pd.DataFrame,
    periods: Iterable[str] = (),
) -> pd.DataFrame:
    """Differences of recomputed and published rates, by symbol and period; see the contract.

    Args:
        periods: periods wanted beside the standard ones.
    """
    rows: list[dict[str, Any]] = []
    for windows in premium_windows(core_premium, core_funding_payments, raw_binance_premium):
        if not windows.rules():
            continue
        for period, part in windows.periods(periods):
            about = {
                "venue": part.venue,
                "symbol": part.symbol,
                "period": period,
                "base": part.base,
                "window_start": utc(part.ends[0]),
                "window_end": utc(part.ends[-1]),
            }
            for ending, hours, premium in samplings(part):
                about["sampling_hours"] = hours
                for name, found in statistics(part, premium):
                    rows.append(about | {"statistic": f"{name}{ending}"} | vars(found))
            about["sampling_hours"] = part.sampling_hours
            for other in part.other_lags(period):
                for name, found in statistics(other, other.mean):
                    if name in JUDGED and found.hac_lags == other.lags:
                        rows.append(about | {"statistic": lag_key(name, found.hac_lags)} | vars(found))
    return pd.DataFrame(rows, columns=COLUMNS)


def samplings(windows: Windows) -> Iterator[tuple[str, float, Array]]:
    """Premiums of the windows by each way to average: ending of the statistic's name, length of the bars in
    hours, premiums."""
    yield "", windows.sampling_hours, windows.mean
    if windows.sampled:
        n = windows.closes.shape[1]
        yield "_close", windows.sampling_hours, every(windows.closes, 1)
        yield "_flat", windows.sampling_hours, ((windows.opens + windows.closes) / 2.0).mean(axis=1)
        yield "_8h", n * windows.sampling_hours, windows.coarser(n)


def statistics(windows: Windows, premium: Array) -> Iterator[tuple[str, Estimate]]:
    """Statistics of recomputed less published rates; errors are simple annual rates as fractions.

    Intervals of sizes are on the log scale: none reaches below zero.
    """
    made = windows.paid_for(premium)
    digit = windows.digit
    default = windows.default()
    exact = same(made, windows.rate, digit)
    off = ~same(windows.rate, default, digit)
    agrees = off != same(made, default, digit)
    error = (made - windows.rate) * HOURS_A_YEAR / windows.hours
    size = np.abs(error)
    yield "share_exact", share_over(windows, exact.astype(np.float64))
    if off.any():
        yield "share_exact_off_default", share_over(windows, np.where(off, exact, np.nan))
    yield "share_default_agrees", share_over(windows, agrees.astype(np.float64))
    yield "mean_error", mean_over(windows, error)
    rms = transformed(mean_over(windows, error**2), lambda value: max(value, 0.0) ** 0.5)
    yield "mean_absolute_error", above_zero(mean_over(windows, size))
    yield "rms_error", above_zero(rms)
    yield "p50_absolute_error", above_zero(quantile(windows, size, 0.50))
    yield "p95_absolute_error", above_zero(quantile(windows, size, 0.95))
    largest = float(size.max())
    yield "max_absolute_error", Estimate(largest, np.nan, np.nan, np.nan, len(size), 0)


def same(made: Array, published: Array, digit: Array) -> npt.NDArray[np.bool_]:
    """Equal to the last printed digit: no further apart than half of one, and rounding."""
    equal: npt.NDArray[np.bool_] = np.abs(made - published) <= 0.5001 * digit
    return equal


def quantile(windows: Windows, values: Array, share: float) -> Estimate:
    """A quantile with its HAC error.

    The influence of an observation is (share - 1{x <= q}) / f(q), the density f(q) read off quantiles on both
    sides (Koenker 2005, "Quantile regression", 3.4, bandwidth of Hall and Sheather); no error where values
    bunch at the quantile.
    """
    at = float(np.quantile(values, share))
    n = len(values)
    z = 1.959964
    normal = np.sqrt(2.0) * _erfinv(2.0 * share - 1.0)
    density = np.exp(-(normal**2) / 2.0) / np.sqrt(2.0 * np.pi)
    reach = n ** (-1 / 3) * z ** (2 / 3) * (1.5 * density**2 / (2.0 * normal**2 + 1.0)) ** (1 / 3)
    low, high = max(share - reach, 0.0), min(share + reach, 1.0)
    width = float(np.quantile(values, high) - np.quantile(values, low))
    if width <= 1e-12:
        return Estimate(at, np.nan, np.nan, np.nan, n, 0)
    influence = (share - (values <= at)) * width / (high - low)
    return hac_influence(at, np.asarray(influence - influence.mean()), month_lags(windows, influence))


def _erfinv(value: float) -> float:
    from scipy.special import erfinv

    return float(erfinv(value))
