"""What forecasts funding out of sample: out_predictor_race (claims 18, 19).

A forecast is made at the moment a rate is announced, when every rate up to that one is known, and no later
one: the next payment is the first unannounced one, on venues that announce a payment ahead and on those that
do not. The benchmark is no change: the last announced rate goes on. All rates are simple annual rates.

Targets: ``next`` payment, and the mean of the payments of the next day, 7 and 30 days (``mean_1d`` ...).

Predictors: ``last`` rate; ``ma3``, ``ma9``, ``ma21``, ``ma90``: means of the rates of the last 24, 72, 168
and 720 hours (3, 9, 21, 90 payments at 8 hours); ``premium_instant``, the last premium known;
``premium_formula``, the same through the venue's premium-to-rate map; and, while the window of the next
payment runs, its own premium (:mod:`~perp_pipeline.research.premium_race`).
``ma9_vs_premium_formula`` is 1 - SSE(ma9) / SSE(premium_formula) on the same forecasts.

Schemes: ``direct`` takes the predictor itself for the forecast; ``expanding`` and ``rolling`` (a year)
regress the target on it by least squares, on pairs whose target was fully announced when the forecast is
made.

Intervals agree with the Diebold-Mariano test (:func:`~perp_pipeline.research.shares.skill`): an interval has
zero exactly where the test does not reject equal errors. With ``_lags360`` behind the predictor: the same
forecasts with another bandwidth, in payments (:data:`JUDGED`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.research.forecasts import (
    MIN_DAYS,
    MOVING_AVERAGE_HOURS,
    ROLLING_DAYS,
    Contest,
    PaymentGrid,
    mean_ahead,
    ols_forecast,
    payment_grid,
    rate_predictors,
)
from perp_pipeline.research.other_lags import lag_key, other_lags
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.premium_race import hours_left, last_premium
from perp_pipeline.research.premium_windows import Windows, premium_windows
from perp_pipeline.research.series import bounds, utc
from perp_pipeline.research.shares import skill
from perp_pipeline.research.statistics import Array, hac_lags
from perp_pipeline.theory.funding_map import MAPS

TARGET_DAYS = {"next": 0, "mean_1d": 1, "mean_7d": 7, "mean_30d": 30}
PREMIUMS = ("premium_instant", "premium_formula")
JUDGED = (
    "ma9",
    "ma9_vs_premium_instant",
    "ma9_vs_premium_window_4h_left",
    "ma9_vs_premium_window_1h_left",
)
"""Predictors of the next payment that claim 18 judges, fitted on an expanding window: told with other
bandwidths as well."""
MIN_FORECASTS = 90
_LAG_DAYS = 30
_ROUNDING = 1e-9
"""Root mean square error over the size of what is forecast, below which there was no error."""

_MAPS = {rule.venue: rule for rule in reversed(MAPS)}

COLUMNS = [
    "venue",
    "symbol",
    "target",
    "predictor",
    "scheme",
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
    "dm_stat",
    "dm_p",
]


def out_predictor_race(
    *,
    core_funding_payments: pd.DataFrame,
    core_premium: pd.DataFrame | None = None,
    raw_binance_premium: pd.DataFrame | None = None,
    periods: Iterable[str] = (),
) -> pd.DataFrame:
    """Out-of-sample R2 of each predictor against no change, with Diebold-Mariano tests.

    A symbol enters with its first lasting payment interval; payments at other intervals are left out.

    Args:
        core_premium: premiums by window; without it only rates predict.
        raw_binance_premium: bars of the premium index; without them nothing predicts inside a window.
        periods: periods wanted beside the standard ones.
    """
    running: dict[tuple[str, str], Windows] = {}
    if core_premium is not None and raw_binance_premium is not None and len(raw_binance_premium):
        sampled = core_premium[core_premium["venue"] == "binance"]
        for windows in premium_windows(sampled, core_funding_payments, raw_binance_premium):
            running[windows.venue, windows.symbol] = windows
    rows: list[dict[str, Any]] = []
    for (venue, symbol), payments in core_funding_payments.groupby(["venue", "symbol"], observed=True):
        grid = payment_grid(payments)
        if grid is None:
            continue
        premium = None
        if core_premium is not None:
            own = (core_premium["venue"] == venue) & (core_premium["symbol"] == symbol)
            premium = core_premium[own] if core_premium.loc[own, "premium_last"].notna().any() else None
        about = {"venue": venue, "symbol": symbol, "base": payments["base"].iloc[0]}
        asked = standard_periods(
            pd.Timestamp(grid.announced[0]), pd.Timestamp(grid.announced[-1]), tuple(periods)
        )
        spans = {period: bounds(grid.announced, period) for period in asked}
        races = [*race(grid, str(venue), premium), *hours_left(grid, running.get((str(venue), str(symbol))))]
        for contest in races:
            rows += [about | row for row in _scores(contest, grid, spans)]
    return pd.DataFrame(rows, columns=COLUMNS)


def race(grid: PaymentGrid, venue: str, premium: pd.DataFrame | None = None) -> Iterator[Contest]:
    """All forecasts made when a rate is announced; entry i of each is made at ``grid.announced[i]``."""
    values = predictors(grid, venue, premium)
    window = round(ROLLING_DAYS * grid.per_day)
    least = round(MIN_DAYS * grid.per_day)
    for target, days in TARGET_DAYS.items():
        horizon = max(1, round(days * grid.per_day))
        actual = mean_ahead(grid.rates, horizon)
        for scheme in ("direct", "expanding", "rolling"):
            forecasts: dict[str, Array] = {}
            for name, x in values.items():
                if scheme == "direct":
                    if name in ("last", "premium_instant"):
                        continue
                    forecasts[name] = x
                else:
                    size = window if scheme == "rolling" else None
                    forecasts[name] = ols_forecast(x, actual, horizon, least, size)
            for name, forecast in forecasts.items():
                yield Contest(target, name, scheme, forecast, actual, grid.rates, horizon)
            for rival in PREMIUMS:
                if rival not in forecasts:
                    continue
                for name in ("last", *MOVING_AVERAGE_HOURS):
                    forecast = grid.rates if name == "last" and scheme == "direct" else forecasts[name]
                    pair = f"{name}_vs_{rival}"
                    yield Contest(target, pair, scheme, forecast, actual, forecasts[rival], horizon)


def predictors(grid: PaymentGrid, venue: str, premium: pd.DataFrame | None = None) -> dict[str, Array]:
    """What is known at each announcement, by name; (n,) arrays, NaN where not all of it is known."""
    found = rate_predictors(grid)
    if premium is not None:
        last = last_premium(premium, grid.announced, grid.hours)
        found["premium_instant"] = last
        rule = _MAPS.get(venue)
        if rule is not None:
            found["premium_formula"] = np.where(np.isfinite(last), rule.annual(last), np.nan)
    return found


def _scores(contest: Contest, grid: PaymentGrid, spans: dict[str, slice]) -> Iterator[dict[str, Any]]:
    error = (contest.actual - contest.forecast) ** 2
    rival = (contest.actual - contest.benchmark) ** 2
    good = np.isfinite(error) & np.isfinite(rival)
    for period, span in spans.items():
        chosen = np.flatnonzero(good[span]) + span.start
        n = len(chosen)
        # Errors of rounding alone, on both sides, are nothing to score.
        size = np.abs(contest.actual[chosen]).max(initial=0.0)
        if n < MIN_FORECASTS or rival[chosen].mean() <= (_ROUNDING * size) ** 2:
            continue
        lags = min(max(hac_lags(n), round(_LAG_DAYS * grid.per_day), contest.horizon), n // 3)
        bandwidths = {contest.predictor: lags}
        if (contest.target, contest.scheme) == ("next", "expanding") and contest.predictor in JUDGED:
            others = other_lags(n, grid.per_day, period)
            bandwidths |= {lag_key(contest.predictor, other): other for other in others}
        for predictor, own in bandwidths.items():
            found = skill(error[chosen], rival[chosen], own)
            yield {
                "target": contest.target,
                "predictor": predictor,
                "scheme": contest.scheme,
                "period": period,
                **vars(found.found),
                "window_start": utc(grid.announced[chosen[0]]),
                "window_end": utc(grid.announced[chosen[-1]]),
                "dm_stat": found.dm_stat,
                "dm_p": found.dm_p,
            }
