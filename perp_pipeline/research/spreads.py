"""How far the rates of two venues lie apart, by period and by month, with errors that respect persistence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import CME, RateSeries, bounds, daily_rates, mean_row, rate_series
from perp_pipeline.research.statistics import hac_correlation

CME_HEADLINE: Final = "calendar_x12"
"""CME method of the headline rows: the one the essays use. The others are beside it."""

_SIDES = ("symbol_a", "symbol_b", "method_a", "method_b")
_ESTIMATE = ("estimate", "se", "ci_low", "ci_high", "n", "window_start", "window_end", "hac_lags")
_COLUMNS = (
    *("venue_a", "venue_b", "base", "period", *_SIDES, "headline"),
    *(*_ESTIMATE, "correlation", "gap_p95", "gap_mean"),
)
_MONTHLY = ("venue_a", "venue_b", "base", "month", *_SIDES, *_ESTIMATE)


def out_venue_spreads(
    *,
    core_funding_daily: pd.DataFrame,
    core_cme_implied: pd.DataFrame,
    periods: Sequence[str] = (),
) -> pd.DataFrame:
    """Mean difference, correlation and size of the gaps for each pair of series on one base.

    Pairs within a venue (coin- against USDT-margined) are there too; two CME methods are not a pair. Only
    days that both sides have count: against CME these are its trading days.

    Args:
        periods: further periods beside the standard ones.
    """
    rows: list[dict[str, Any]] = []
    all_series = list(rate_series(daily_rates(core_funding_daily, core_cme_implied)))
    for base in sorted({series.base for series in all_series}):
        members = [series for series in all_series if series.base == base]
        chosen = {(series.venue, series.symbol, series.method) for series in headline_series(members)}
        for a, b in combinations(members, 2):
            if a.venue == b.venue == CME:
                continue
            headline = a.venue != b.venue and all((s.venue, s.symbol, s.method) in chosen for s in (a, b))
            rows.extend(_pair(a, b, headline, periods))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def out_venue_spreads_monthly(
    *, core_funding_daily: pd.DataFrame, core_cme_implied: pd.DataFrame
) -> pd.DataFrame:
    """Mean difference of each headline pair of :func:`out_venue_spreads` in each month with common days."""
    rows: list[dict[str, Any]] = []
    all_series = list(rate_series(daily_rates(core_funding_daily, core_cme_implied)))
    for base in sorted({series.base for series in all_series}):
        for a, b in combinations(headline_series(one for one in all_series if one.base == base), 2):
            days, rates_a, rates_b = common_days(a, b)
            for month in np.unique(days.astype("datetime64[M]")):
                where = days.astype("datetime64[M]") == month
                rows.append(
                    _sides(a, b) | {"month": str(month)} | mean_row(days[where], (rates_a - rates_b)[where])
                )
    return pd.DataFrame(rows, columns=list(_MONTHLY))


def headline_series(series: Iterable[RateSeries]) -> list[RateSeries]:
    """One series per venue, from series on one base.

    The longest history, then the first symbol; for cme only :data:`CME_HEADLINE` is eligible.
    """
    best: dict[str, RateSeries] = {}
    for one in series:
        if one.venue == CME and one.method != CME_HEADLINE:
            continue
        held = best.get(one.venue)
        if held is None or (-len(one.days), one.symbol) < (-len(held.days), held.symbol):
            best[one.venue] = one
    return [best[venue] for venue in sorted(best)]


def common_days(
    a: RateSeries, b: RateSeries
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Days that both series have, and the two rates on them."""
    days, at_a, at_b = np.intersect1d(a.days, b.days, assume_unique=True, return_indices=True)
    return days, a.rates[at_a], b.rates[at_b]


def _pair(a: RateSeries, b: RateSeries, headline: bool, extra: Sequence[str]) -> Iterable[dict[str, Any]]:
    days, rates_a, rates_b = common_days(a, b)
    if len(days) == 0:
        return
    for period in standard_periods(pd.Timestamp(days[0]), pd.Timestamp(days[-1]), extra):
        where = bounds(days, period)
        first, second = rates_a[where], rates_b[where]
        if len(first) == 0:
            continue
        gap = first - second
        yield {
            **_sides(a, b),
            "period": period,
            "headline": headline,
            **mean_row(days[where], gap),
            "correlation": _correlation(first, second),
            "gap_p95": float(np.quantile(np.abs(gap), 0.95)),
            "gap_mean": float(np.abs(gap).mean()),
        }


def _sides(a: RateSeries, b: RateSeries) -> dict[str, Any]:
    return {
        "venue_a": a.venue,
        "venue_b": b.venue,
        "base": a.base,
        "symbol_a": a.symbol,
        "symbol_b": b.symbol,
        "method_a": a.method,
        "method_b": b.method,
    }


def _correlation(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    # A constant series leaves rounding noise, not zero: its spread means nothing.
    if any(side.std() <= 1e-12 * np.abs(side).max() for side in (first, second)):
        return float("nan")
    return float(np.clip(hac_correlation(first, second).estimate, -1.0, 1.0)) if len(first) > 1 else np.nan
