"""Forecasts of a symbol's rates and what they are held against: the parts of the predictor race."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.statistics import Array

MOVING_AVERAGE_HOURS = {"ma3": 24, "ma9": 72, "ma21": 168, "ma90": 720}
MIN_DAYS = 90
LASTING_DAYS = MIN_DAYS + 30
"""Days that a symbol must have paid at one interval to be raced."""
ROLLING_DAYS = 365

STILL = 1e-6
"""Standard deviation over size at which numbers count as standing still: a hundredth of the last digit that
venues print of their default rate, and far above the rounding of sums over a history."""


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


def payment_grid(payments: pd.DataFrame) -> PaymentGrid | None:
    """The payments of one symbol at its first lasting interval, missing ones as NaN.

    That is the interval of the first payments that kept to one for :data:`LASTING_DAYS`; None where none
    did. Later payments at another interval are left out: what comes later must not decide which of the
    earlier ones are raced.

    Args:
        payments: core_funding_payments of one symbol.
    """
    rows = payments.sort_values("paid_at")
    interval = rows["interval_hours"]
    days = interval.groupby((interval != interval.shift()).cumsum()).transform("cumsum") / 24.0
    lasting = interval[days >= LASTING_DAYS]
    if lasting.empty:
        return None
    hours = float(lasting.iloc[0])
    rows = rows[interval == hours]
    paid = rows["paid_at"].dt.tz_convert("UTC").dt.tz_localize(None).dt.round("s")
    leads = (rows["paid_at"] - rows["announced_at"]).iloc[: round(MIN_DAYS * 24 / hours)]
    step = np.timedelta64(round(hours * 3600), "s")
    place = np.rint((paid - paid.iloc[0]).to_numpy() / step).astype(np.int64)
    rates = np.full(int(place[-1]) + 1, np.nan)
    rates[place] = rows["rate_annual"].to_numpy(dtype=np.float64)
    times = paid.iloc[0].to_datetime64() + np.arange(len(rates)) * step
    return PaymentGrid(times - leads.median().to_timedelta64(), times, rates, hours)


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


def payments_of(grid: PaymentGrid, announced: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Entries of the grid whose rates became known at the given times, -1 where there is none."""
    step = np.timedelta64(round(grid.hours * 3600), "s")
    place = np.rint((announced - grid.announced[0]) / step).astype(np.int64)
    inside = (place >= 0) & (place < len(grid.rates))
    at = np.where(inside, place, 0)
    return np.where(inside & (np.abs(grid.announced[at] - announced) < np.timedelta64(60, "s")), at, -1)


def rate_predictors(grid: PaymentGrid) -> dict[str, Array]:
    """The last rate and its moving averages at each announcement, NaN where not all of them is known."""
    found = {"last": grid.rates}
    for name, hours in MOVING_AVERAGE_HOURS.items():
        found[name] = mean_behind(grid.rates, max(1, round(hours / grid.hours)))
    return found


def mean_behind(values: Array, count: int) -> Array:
    """Mean of the last ``count`` values, the present one included; NaN unless all are there.

    The mean of equal values is that value, to the bit: a difference of running sums would leave dust there,
    which looks like a predictor that moves.
    """
    return np.asarray(pd.Series(values).rolling(count).mean(), dtype=np.float64)


def mean_ahead(values: Array, count: int) -> Array:
    """Mean of the next ``count`` values, the present one not included; NaN unless all are there."""
    out = np.full(len(values), np.nan)
    if count < len(values):
        out[:-count] = mean_behind(values, count)[count:]
    return out


def ols_forecast(x: Array, y: Array, horizon: int, least: int, window: int | None = None) -> Array:
    """Least-squares forecasts of y from x, each fitted on what was known when it is made.

    ``y[j]`` is known at step ``j + horizon``, so the forecast at step i uses the pairs up to i - horizon: all
    of them, or the last ``window``. Where x did not vary the forecast is the mean of y: its standard
    deviation is at most :data:`STILL` of the largest x so far.

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
    largest = np.concatenate([[0.0], np.maximum.accumulate(np.where(both, np.abs(x), 0.0))])
    end = np.maximum(np.arange(len(x)) - horizon + 1, 0)
    total = sums[:, end]
    if window is not None:
        total = total - sums[:, np.maximum(end - window, 0)]
    n, su, sv, suu, suv = total
    enough = n >= max(least, 2)
    n = np.where(enough, n, np.nan)
    spread = suu - su * su / n
    slope = np.zeros(len(x))
    np.divide(suv - su * sv / n, spread, out=slope, where=spread > n * (STILL * largest[end]) ** 2)
    return np.asarray((sv / n + slope * (x - x[first] - su / n)) + y[first])
