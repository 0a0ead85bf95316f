"""Premiums as forecasters: the last one at an announcement, and the running window's own.

On venues that do not announce ahead, the rate of the running window is made while it runs, so that what is
known of it grows with every hour. ``premium_window_3h_left`` is the average premium of the window so far,
by the venue's weights on the samples so far (the rate that Binance displays), through the venue's map, three
hours before the payment; ``premium_instant_3h_left`` is the last sample through the map. The rates
that they are held against are those known at the window's start: nothing is announced inside it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.forecasts import (
    MIN_DAYS,
    MOVING_AVERAGE_HOURS,
    Contest,
    PaymentGrid,
    mean_ahead,
    ols_forecast,
    payments_of,
    rate_predictors,
)
from perp_pipeline.research.premium_windows import HOURS_LEFT, Windows
from perp_pipeline.research.statistics import Array


def last_premium(premium: pd.DataFrame, at: npt.NDArray[np.datetime64], hours: float) -> Array:
    """The last premium known at each time, if it is no older than one payment interval.

    Args:
        premium: core_premium of one symbol.
        at: naive UTC.
        hours: the payment interval.
    """
    rows = premium.sort_values("window_end")
    ends = rows["window_end"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    values = rows["premium_last"].to_numpy(dtype=np.float64)
    place = np.searchsorted(ends, at, side="right") - 1
    known = place >= 0
    place = np.maximum(place, 0)
    fresh = known & (at - ends[place] < np.timedelta64(round(hours * 3600), "s"))
    return np.where(fresh, values[place], np.nan)


def hours_left(grid: PaymentGrid, windows: Windows | None) -> Iterator[Contest]:
    """Forecasts of the running window's payment some hours before it; entry i is of ``grid.rates[i]``.

    Against no change (the rate before), and the last rate and its moving averages against the premium
    (``ma9_vs_premium_window_3h_left``). Empty without samples inside windows, without a map, and for
    venues that announce ahead.
    """
    if windows is None or not windows.sampled or (grid.paid != grid.announced).any():
        return
    if not windows.rules():
        return
    place = payments_of(grid, windows.ends)
    before = _shifted(grid.rates)
    least = round(MIN_DAYS * grid.per_day)
    rivals = rate_predictors(grid)
    made = {"direct": {name: _shifted(x) for name, x in rivals.items()}}
    ahead = mean_ahead(grid.rates, 1)
    made["expanding"] = {name: _shifted(ols_forecast(x, ahead, 1, least)) for name, x in rivals.items()}
    for left in HOURS_LEFT:
        known = windows.so_far(left)
        if known is None:
            continue
        for kind, premium in zip(("window", "instant"), known, strict=True):
            name = f"premium_{kind}_{left}h_left"
            mapped = np.full(len(grid.rates), np.nan)
            rate = windows.paid_for(premium) * 8760.0 / windows.hours
            mapped[place[place >= 0]] = rate[place >= 0]
            fitted = ols_forecast(mapped, grid.rates, 1, least)
            for scheme, forecast in (("direct", mapped), ("expanding", fitted)):
                yield Contest("next", name, scheme, forecast, grid.rates, before, 1)
                for rival in ("last", *MOVING_AVERAGE_HOURS):
                    other = made[scheme][rival]
                    yield Contest("next", f"{rival}_vs_{name}", scheme, other, grid.rates, forecast, 1)


def _shifted(values: Array) -> Array:
    """What the payment before had."""
    return np.concatenate([[np.nan], values[:-1]])
