"""What forecasts funding out of sample: out_predictor_race (claims 18, 19).

A forecast is made at the moment a rate is announced, when every rate up to that one is known, and no later
one: the next payment is the first unannounced one, on venues that announce a payment ahead and on those that
do not. The benchmark is no change: the last announced rate goes on. All rates are simple annual rates.

Targets: ``next`` payment, and the mean of the payments of the next day, 7 and 30 days (``mean_1d`` ...).

Predictors: ``last`` rate; ``ma3``, ``ma9``, ``ma21``, ``ma90``: means of the rates of the last 24, 72, 168
and 720 hours (3, 9, 21, 90 payments at 8 hours); ``premium_instant``, the last premium known;
``premium_formula``, the same through the venue's premium-to-rate map. Where premiums come more often than
payments, ``premium_window_4h_left`` is the average premium of the window so far through the map, four hours
before the payment, and ``premium_instant_4h_left`` its last value.
``ma9_vs_premium_formula`` is 1 - SSE(ma9) / SSE(premium_formula) on the same forecasts.

Schemes: ``direct`` takes the predictor itself for the forecast; ``expanding`` and ``rolling`` (a year)
regress the target on it by least squares, on pairs whose target was fully announced when the forecast is
made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import bounds, utc
from perp_pipeline.research.statistics import Array, fixed_b_p, hac_lags, hac_mean, hac_ratio
from perp_pipeline.theory.funding_map import MAPS

TARGET_DAYS = {"next": 0, "mean_1d": 1, "mean_7d": 7, "mean_30d": 30}
MOVING_AVERAGE_HOURS = {"ma3": 24, "ma9": 72, "ma21": 168, "ma90": 720}
HOURS_LEFT = (7, 6, 4, 2, 1, 0)
MIN_DAYS = 90
ROLLING_DAYS = 365
MIN_FORECASTS = 90
_LAG_DAYS = 30
_MAPS = {rule.venue: rule for rule in reversed(MAPS)}
_HOUR = np.timedelta64(3600, "s")

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


@dataclass(frozen=True)
class PaymentGrid:
    """Rates of one symbol on a regular grid.

    Attributes:
        announced: when each rate became known (naive UTC), ascending by ``hours``.
        paid: when it was paid.
        rates: simple annual rates, NaN where a payment is missing.
        hours: the interval.
    """

    announced: npt.NDArray[np.datetime64]
    paid: npt.NDArray[np.datetime64]
    rates: Array
    hours: float

    @property
    def per_day(self) -> float:
        """Payments a day."""
        return 24.0 / self.hours


def out_predictor_race(
    *,
    core_funding_payments: pd.DataFrame,
    core_premium: pd.DataFrame | None = None,
    periods: Iterable[str] = (),
) -> pd.DataFrame:
    """Out-of-sample R2 of each predictor against no change, with Diebold-Mariano tests.

    A symbol enters with its most frequent payment interval; payments at other intervals are left out.

    Args:
        core_premium: premiums by window; without it only rates predict.
        periods: periods wanted beside the standard ones.
    """
    rows: list[dict[str, Any]] = []
    for (venue, symbol), payments in core_funding_payments.groupby(["venue", "symbol"], observed=True):
        grid = payment_grid(payments)
        if len(grid.rates) < (MIN_DAYS + 30) * grid.per_day:
            continue
        premium = None
        if core_premium is not None:
            own = (core_premium["venue"] == venue) & (core_premium["symbol"] == symbol)
            premium = core_premium[own] if own.any() else None
        about = {"venue": venue, "symbol": symbol, "base": payments["base"].iloc[0]}
        asked = standard_periods(
            pd.Timestamp(grid.announced[0]), pd.Timestamp(grid.announced[-1]), tuple(periods)
        )
        spans = {period: bounds(grid.announced, period) for period in asked}
        races = [*race(grid, str(venue), premium), *hours_left(grid, str(venue), premium)]
        for contest in races:
            rows += [about | row for row in _scores(contest, grid, spans)]
    return pd.DataFrame(rows, columns=COLUMNS)


def payment_grid(payments: pd.DataFrame) -> PaymentGrid:
    """The payments of one symbol at its most frequent interval, missing ones as NaN.

    Args:
        payments: core_funding_payments of one symbol.
    """
    hours = float(payments["interval_hours"].mode().iloc[0])
    rows = payments[payments["interval_hours"] == hours].sort_values("paid_at")
    paid = rows["paid_at"].dt.tz_convert("UTC").dt.tz_localize(None).dt.round("s")
    lead = (rows["paid_at"] - rows["announced_at"]).median().to_timedelta64()
    step = np.timedelta64(round(hours * 3600), "s")
    place = np.rint((paid - paid.iloc[0]).to_numpy() / step).astype(np.int64)
    rates = np.full(int(place[-1]) + 1, np.nan)
    rates[place] = rows["rate_annual"].to_numpy(dtype=np.float64)
    times = paid.iloc[0].to_datetime64() + np.arange(len(rates)) * step
    return PaymentGrid(times - lead, times, rates, hours)


@dataclass(frozen=True)
class Contest:
    """Forecasts of one target, predictor and scheme beside what happened and what they must beat."""

    target: str
    predictor: str
    scheme: str
    forecast: Array
    actual: Array
    benchmark: Array
    horizon: int


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
            rival = "premium_formula" if "premium_formula" in forecasts else "premium_instant"
            if rival in forecasts:
                for name in ("last", *MOVING_AVERAGE_HOURS):
                    forecast = grid.rates if name == "last" and scheme == "direct" else forecasts[name]
                    pair = f"{name}_vs_{rival}"
                    yield Contest(target, pair, scheme, forecast, actual, forecasts[rival], horizon)


def predictors(grid: PaymentGrid, venue: str, premium: pd.DataFrame | None = None) -> dict[str, Array]:
    """What is known at each announcement, by name; (n,) arrays, NaN where not all of it is known."""
    found = {"last": grid.rates}
    for name, hours in MOVING_AVERAGE_HOURS.items():
        found[name] = mean_behind(grid.rates, max(1, round(hours / grid.hours)))
    if premium is not None:
        last = _last_premium(premium, grid.announced, grid.hours)
        found["premium_instant"] = last
        rule = _MAPS.get(venue)
        if rule is not None:
            found["premium_formula"] = np.where(np.isfinite(last), rule.annual(last), np.nan)
    return found


def hours_left(grid: PaymentGrid, venue: str, premium: pd.DataFrame | None) -> Iterator[Contest]:
    """Forecasts of the running window's payment some hours before it, where premiums come inside the window.

    The average so far weighs later premiums more, as Binance does (weights 1 to n over the samples).
    Empty for venues without a map, for those that announce ahead, and where premiums are no finer than
    payments.
    """
    rule = _MAPS.get(venue)
    if premium is None or rule is None or (grid.paid != grid.announced).any():
        return
    rows = premium.sort_values("window_end")
    ends = rows["window_end"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    step = float(np.median(np.diff(ends) / _HOUR)) if len(ends) > 1 else grid.hours
    if step >= grid.hours:
        return
    pieces = round(grid.hours / step)
    mean = _on_windows(ends, rows["premium_mean"].to_numpy(dtype=np.float64), grid, step, pieces)
    last = _on_windows(ends, rows["premium_last"].to_numpy(dtype=np.float64), grid, step, pieces)
    weight = np.arange(pieces) + 0.5
    sums = np.cumsum(mean * weight, axis=1) / np.cumsum(weight)
    before = np.concatenate([[np.nan], grid.rates[:-1]])
    for left in HOURS_LEFT:
        elapsed = (grid.hours - left) / step
        if left >= grid.hours or elapsed != round(elapsed):
            continue
        column = round(elapsed) - 1
        for name, value in (("window", sums[:, column]), ("instant", last[:, column])):
            forecast = np.where(np.isfinite(value), rule.annual(value), np.nan)
            yield Contest("next", f"premium_{name}_{left}h_left", "direct", forecast, grid.rates, before, 1)


def mean_behind(values: Array, count: int) -> Array:
    """Mean of the last ``count`` values, the present one included; NaN unless all are there."""
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
    there = np.concatenate([[0], np.cumsum(np.isfinite(values))])
    out = np.full(len(values), np.nan)
    if count <= len(values):
        full = there[count:] - there[:-count] == count
        out[count - 1 :] = np.where(full, (sums[count:] - sums[:-count]) / count, np.nan)
    return out


def mean_ahead(values: Array, count: int) -> Array:
    """Mean of the next ``count`` values, the present one not included; NaN unless all are there."""
    out = np.full(len(values), np.nan)
    if count < len(values):
        out[:-count] = mean_behind(values, count)[count:]
    return out


def ols_forecast(x: Array, y: Array, horizon: int, least: int, window: int | None = None) -> Array:
    """Least-squares forecasts of y from x, each fitted on what was known when it is made.

    ``y[j]`` is known at step ``j + horizon``, so the forecast at step i uses the pairs up to i - horizon: all
    of them, or the last ``window``. Where x did not vary the forecast is the mean of y.

    Returns:
        (n,), NaN with fewer than ``least`` pairs or without x.
    """
    both = np.isfinite(x) & np.isfinite(y)
    if not both.any():
        return np.full(len(x), np.nan)
    first = int(np.flatnonzero(both)[0])
    # Centring on the first pair keeps the sums small and looks at nothing later than it.
    u, v = np.where(both, x - x[first], 0.0), np.where(both, y - y[first], 0.0)
    sums = np.zeros((5, len(x) + 1))
    np.cumsum([both, u, v, u * u, u * v], axis=1, out=sums[:, 1:])
    end = np.maximum(np.arange(len(x)) - horizon + 1, 0)
    total = sums[:, end]
    if window is not None:
        total = total - sums[:, np.maximum(end - window, 0)]
    n, su, sv, suu, suv = total
    enough = n >= max(least, 2)
    n = np.where(enough, n, np.nan)
    spread = suu - su * su / n
    slope = np.zeros(len(x))
    np.divide(suv - su * sv / n, spread, out=slope, where=spread > 1e-10 * np.maximum(suu, 1e-300))
    return np.asarray((sv / n + slope * (x - x[first] - su / n)) + y[first])


def _scores(contest: Contest, grid: PaymentGrid, spans: dict[str, slice]) -> Iterator[dict[str, Any]]:
    error = (contest.actual - contest.forecast) ** 2
    rival = (contest.actual - contest.benchmark) ** 2
    good = np.isfinite(error) & np.isfinite(rival)
    for period, span in spans.items():
        chosen = np.flatnonzero(good[span]) + span.start
        n = len(chosen)
        if n < MIN_FORECASTS or not rival[chosen].any():
            continue
        lags = min(max(hac_lags(n), round(_LAG_DAYS * grid.per_day), contest.horizon), n // 3)
        gain = rival[chosen] - error[chosen]
        found = hac_ratio(gain, rival[chosen], lags)
        difference = hac_mean(gain, lags)
        statistic = difference.estimate / difference.se if difference.se > 0 else np.nan
        yield {
            "target": contest.target,
            "predictor": contest.predictor,
            "scheme": contest.scheme,
            "period": period,
            **vars(found),
            "window_start": utc(grid.announced[chosen[0]]),
            "window_end": utc(grid.announced[chosen[-1]]),
            "dm_stat": statistic,
            "dm_p": fixed_b_p(statistic, lags, n),
        }


def _last_premium(premium: pd.DataFrame, at: npt.NDArray[np.datetime64], hours: float) -> Array:
    """The last premium known at each time, if it is no older than one payment interval."""
    rows = premium.sort_values("window_end")
    ends = rows["window_end"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    values = rows["premium_last"].to_numpy(dtype=np.float64)
    place = np.searchsorted(ends, at, side="right") - 1
    known = place >= 0
    place = np.maximum(place, 0)
    fresh = known & (at - ends[place] < np.timedelta64(round(hours * 3600), "s"))
    return np.where(fresh, values[place], np.nan)


def _on_windows(
    ends: npt.NDArray[np.datetime64], values: Array, grid: PaymentGrid, step: float, pieces: int
) -> Array:
    """Premiums by payment (rows) and piece of its window (columns), NaN where missing."""
    out = np.full((len(grid.paid), pieces), np.nan)
    start = grid.paid[0] - np.timedelta64(round(grid.hours * 3600), "s")
    offset = (ends - start) / _HOUR / step
    piece = np.rint(offset).astype(np.int64) - 1
    inside = (piece >= 0) & (piece < out.size) & (np.abs(offset - np.rint(offset)) < 1e-6)
    out.flat[piece[inside]] = values[inside]
    return out
