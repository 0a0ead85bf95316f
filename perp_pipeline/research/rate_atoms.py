"""What published rates show of the map by themselves: the default that many share, the cap that they stop at.

Rates off the default scatter over all decimals that a venue prints. A value that stands out by how many
share it is a rule's: the interest component inside the clamp, or the cap at the edge. This needs no premium,
so that it is known of every venue from its first payment; the clamp is not seen this way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.research.daily import main_symbols
from perp_pipeline.research.periods import standard_periods
from perp_pipeline.research.series import bounds, utc
from perp_pipeline.research.statistics import Array, Estimate

MIN_PAYMENTS = 60
"""Payments of a period from which on anything is said."""

AT_DEFAULT = 30
"""Payments that must share a rate for it to be the default."""

AT_CAP = 3
"""Payments that must share the largest rate for it to be a cap."""

_NEIGHBOURS = 5

FROM_RATES = ("interest_in_rates", "cap_in_rates", "cap_at_least")
"""Quantities of :func:`atom_rows`: those that need no premium."""


def atom_rows(core_funding_payments: pd.DataFrame, extra: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
    """Rows of out_premium_precision from rates alone, fractions per 8 hours.

    ``interest_in_rates``: the rate shared by most payments, if thirty share it and they are more than those
    at the five digits on either side together. ``cap_in_rates``: the largest absolute rate, if it is not the
    default and three payments share it. Both are known to half of the last digit that the venue prints,
    which is the interval; n counts the payments that share the value, and the window is from the first to
    the last of them. ``cap_at_least``: the largest absolute rate of all n payments: no cap is below it.

    A venue and base are represented by the contract with the longest history.

    Args:
        core_funding_payments: payments of any venues.
        extra: periods wanted beside the standard ones.
    """
    periods = tuple(extra)
    for venue, base, symbol in main_symbols(core_funding_payments).itertuples(index=False):
        own = core_funding_payments[
            (core_funding_payments["venue"] == venue) & (core_funding_payments["symbol"] == symbol)
        ].sort_values("paid_at")
        times = own["paid_at"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        rate = own["rate"].to_numpy(dtype=np.float64)
        hours = own["interval_hours"].to_numpy(dtype=np.float64)
        for period in standard_periods(pd.Timestamp(times[0]), pd.Timestamp(times[-1]), periods):
            span = bounds(times, period)
            if span.stop - span.start < MIN_PAYMENTS:
                continue
            for name, found, where in atoms(rate[span], hours[span]):
                shared = times[span][where]
                yield {
                    "venue": venue,
                    "base": base,
                    "symbol": symbol,
                    "quantity": name,
                    "period": period,
                    "sampling_hours": float(np.median(hours[span])),
                    "window_start": utc(shared[0]),
                    "window_end": utc(shared[-1]),
                    **vars(found),
                }


def atoms(rate: Array, hours: Array) -> Iterator[tuple[str, Estimate, npt.NDArray[np.bool_]]]:
    """The quantities of :func:`atom_rows` of some payments, and the payments that each is about.

    Args:
        rate: fractions per payment.
        hours: hours between payments.
    """
    digit = printed_digit(rate)
    step = digit * 8.0 / float(hours.min())
    places = np.round(rate * (8.0 / hours) / step).astype(np.int64)
    values, counts = np.unique(places, return_counts=True)
    most = int(counts.argmax())
    default: int | None = None
    beside = int(counts[np.abs(values - values[most]) <= _NEIGHBOURS].sum()) - int(counts[most])
    if counts[most] >= AT_DEFAULT and counts[most] > beside:
        default = int(values[most])
        yield "interest_in_rates", *_shared(rate, hours, places == default, digit)
    largest = np.abs(places).max()
    at_edge = np.abs(places) == largest
    if at_edge.sum() >= AT_CAP and largest > 0 and (default is None or abs(default) != largest):
        yield "cap_in_rates", *_shared(np.abs(rate), hours, at_edge, digit)
    top = float(np.abs(rate * 8.0 / hours).max())
    nan = math.nan
    yield "cap_at_least", Estimate(top, nan, nan, nan, len(rate), 0), np.ones(len(rate), dtype=np.bool_)


def printed_digit(rate: Array) -> float:
    """One of the last decimal of which rates have any, from the fourth to the twelfth."""
    for decimals in range(4, 12):
        if np.abs(np.round(rate, decimals) - rate).max() < 1e-14:
            return float(10.0**-decimals)
    return 1e-12


def _shared(
    rate: Array, hours: Array, where: npt.NDArray[np.bool_], digit: float
) -> tuple[Estimate, npt.NDArray[np.bool_]]:
    """A value that payments share, which rounding leaves open by half a digit of the payment's rate."""
    per_8h = 8.0 / float(hours[where].min())
    value = float(np.mean(rate[where] * 8.0 / hours[where]))
    reach = digit * per_8h / 2.0
    error = digit * per_8h / math.sqrt(12.0)
    return Estimate(value, error, value - reach, value + reach, int(where.sum()), 0), where
