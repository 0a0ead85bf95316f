"""US reference rates in the simulated market: a planted path of the policy rate, the same for every seed."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.processes import stream

Array = npt.NDArray[np.float64]

SERIES = ("DTB3", "DFF")


def policy_rate(days: pd.DatetimeIndex) -> Array:
    """Planted federal funds rate, a fraction a year: 1.5 % with a swing of one point over eight years."""
    years = (days - pd.Timestamp("2018-01-01")) / pd.Timedelta(days=365.25)
    return np.asarray(0.015 + 0.010 * np.sin(2.0 * np.pi * np.asarray(years) / 8.0), dtype=np.float64)


def reference_series(market: SimulatedMarket, series: str) -> pd.Series:
    """A FRED series in percent, indexed by day; NaN on holidays. Starts a year before the market.

    DFF has every calendar day; DTB3 (a bank-discount yield) has business days, 5 bp above the policy rate
    with 2 bp of noise.

    Raises:
        KeyError: the series is not simulated.
    """
    if series not in SERIES:
        raise KeyError(f"{series} is not simulated")
    first, last = date(market.first_month.year - 1, 1, 1), market.span.end.date()
    if series == "DFF":
        days = pd.date_range(first, last, inclusive="left")
        return pd.Series(np.round(100.0 * policy_rate(days), 2), index=days, name=series)
    from pandas.tseries.holiday import USFederalHolidayCalendar

    days = pd.bdate_range(first, last, inclusive="left")
    noise = stream(market.seed, "DTB3").standard_normal(len(days))
    values = pd.Series(
        np.round(100.0 * (policy_rate(days) + 0.0005 + 0.0002 * noise), 2), index=days, name=series
    )
    return values.mask(values.index.isin(USFederalHolidayCalendar().holidays(first, last)))
