"""Payments -> windows of a common grid, pro rata by the hours they accrued in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perp_pipeline.funding.annualise import annualised
from perp_pipeline.sources.complete import times_of

_HOUR = 3_600_000_000


def spread(payments: pd.DataFrame, window_hours: int) -> pd.DataFrame:
    """Spread each payment evenly over its accrual and add up by window of the UTC grid.

    Args:
        payments: venue, symbol, base, accrual_start, accrual_end (UTC) and rate (fraction per payment);
        accruals of a
            symbol do not overlap.
        window_hours: length of the windows, which are counted from 00:00 UTC: a divisor of 24.

    Returns:
        venue, symbol, base, window_start (UTC), rate (fraction of notional over the window), rate_annual
        (fraction a year, over the covered hours), n_payments and coverage (share of the window's hours),
        one row per window that a payment touches, sorted. The sum of ``rate`` over all windows is that over
        all payments.
    """
    window = window_hours * _HOUR
    start, end = times_of(payments["accrual_start"]), times_of(payments["accrual_end"])
    first = start // window
    touched = (end - 1) // window - first + 1
    payment = np.repeat(np.arange(len(payments)), touched)
    # 0, 1, ... within each payment: the running count less the count at which the payment began.
    place = np.arange(len(payment)) - np.repeat(np.cumsum(touched) - touched, touched)
    index = first[payment] + place
    overlap = np.minimum(end[payment], (index + 1) * window) - np.maximum(start[payment], index * window)
    share = overlap / (end - start)[payment]
    series = payments.groupby(["venue", "symbol"], sort=True, observed=True).ngroup().to_numpy()[payment]
    pieces = pd.DataFrame(
        {
            "series": series,
            "index": index,
            "rate": payments["rate"].to_numpy()[payment] * share,
            "overlap": overlap,
            "payment": payment,
        }
    )
    grouped = pieces.groupby(["series", "index"], sort=True)
    sums = grouped.agg(
        rate=("rate", "sum"),
        overlap=("overlap", "sum"),
        n_payments=("payment", "size"),
        example=("payment", "first"),
    ).reset_index()
    names = payments[["venue", "symbol", "base"]].iloc[sums["example"].to_numpy()].reset_index(drop=True)
    starts = (sums["index"].to_numpy() * window).astype("datetime64[us]")
    return names.assign(
        window_start=pd.Series(starts).dt.tz_localize("UTC"),
        rate=sums["rate"],
        rate_annual=annualised(sums["rate"], sums["overlap"] / _HOUR),
        n_payments=sums["n_payments"].astype("int32"),
        coverage=sums["overlap"] / window,
    )


def core_funding_8h(*, core_funding_payments: pd.DataFrame) -> pd.DataFrame:
    """Funding on windows that end at 00, 08 and 16 UTC; see the contract of core_funding_8h."""
    windows = spread(core_funding_payments, 8)
    windows["window_end"] = windows.pop("window_start") + pd.Timedelta(hours=8)
    return windows.rename(columns={"rate": "rate_8h"})


def core_funding_daily(*, core_funding_payments: pd.DataFrame) -> pd.DataFrame:
    """Funding by UTC day of accrual; see the contract of core_funding_daily."""
    days = spread(core_funding_payments, 24)
    days["day"] = days.pop("window_start").dt.tz_localize(None)
    return days.rename(columns={"rate": "rate_day"})
