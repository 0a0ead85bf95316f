"""CME's front and second bitcoin future in the simulated market, as the public copy prints them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.months import Month
from perp_pipeline.simulation.market import SimulatedMarket

Array = npt.NDArray[np.float64]

_SETTLES_AT = pd.Timedelta(hours=15)
"""Daily settlement, Chicago time."""


@dataclass(frozen=True)
class Session:
    """One trading session and its two nearest contracts.

    Attributes:
        printed_on: the date the public copy files it under: a holiday, where the copy carries it there.
        days: calendar days to expiry of the front and the second contract.
    """

    day: date
    printed_on: date
    days: tuple[int, int]


@dataclass(frozen=True)
class CurveRows:
    """Settled prices of the front (f1) and second (f2) contract, one row per session.

    Attributes:
        spot: world price of bitcoin at the settlement, USD.
        basis: annual log basis of the session.
    """

    sessions: tuple[Session, ...]
    spot: Array
    basis: Array
    f1: Array
    f2: Array


def curve_rows(market: SimulatedMarket) -> CurveRows:
    """The sessions of the simulated months with their prices, F = S exp(b * days / 365) on the tick."""
    found = sessions(market.first_month, market.last_month)
    settled = pd.DatetimeIndex([session.day for session in found]) + _SETTLES_AT
    hours = settled.tz_localize("America/Chicago").tz_convert("UTC").as_unit("s").asi8 // 3600
    rows = market.rows(np.asarray(hours, dtype=np.int64))
    spot, basis = market.index[rows, market.column("BTC")], market.curve_basis()[rows]
    tick = market.planted.curve.tick
    years = np.array([session.days for session in found]) / 365.0
    prices = np.round(spot[:, None] * np.exp(basis[:, None] * years) / tick) * tick
    return CurveRows(found, spot, basis, prices[:, 0], prices[:, 1])


def sessions(first: Month, last: Month) -> tuple[Session, ...]:
    """Trading sessions of the months, ascending.

    On holidays without a settlement the public copy prints the next session's prices under the holiday's
    date, and then nothing under that session's own date.
    """
    closed, carried = closed_days(first, last), carried_days(first, last)
    days = [day.date() for day in pd.bdate_range(first.start.date(), last.end.date(), inclusive="left")]
    trading = [day for day in days if day not in closed and day not in carried]
    out = []
    for day in trading:
        eve = day - timedelta(days=1)
        while eve.weekday() >= 5:
            eve -= timedelta(days=1)
        printed = eve if eve in carried and Month(eve.year, eve.month) >= first else day
        out.append(Session(day, printed, days_to_expiry(day)))
    return tuple(out)


def days_to_expiry(day: date) -> tuple[int, int]:
    """Calendar days to the two nearest expiries after ``day``.

    A contract that expires on ``day`` stops trading before the settlement: it is not one of them.
    """
    months = [Month(day.year, day.month) + k for k in range(4)]
    ahead = [expiry for expiry in map(last_trading_day, months) if expiry > day]
    return (ahead[0] - day).days, (ahead[1] - day).days


@cache
def last_trading_day(month: Month) -> date:
    """Last Friday of the month, or the day before it that is a business day in London and New York."""
    day = (month.end - timedelta(days=1)).date()
    while day.weekday() != 4:
        day -= timedelta(days=1)
    closed = closed_days(month, month)
    while day in closed or day.weekday() >= 5:
        day -= timedelta(days=1)
    return day


def closed_days(first: Month, last: Month) -> frozenset[date]:
    """Days without any session: New Year, Good Friday, Christmas, each as observed."""
    from pandas.tseries.holiday import GoodFriday, Holiday, nearest_workday, sunday_to_monday

    rules = (
        Holiday("New Year", month=1, day=1, observance=sunday_to_monday),
        GoodFriday,
        Holiday("Christmas", month=12, day=25, observance=nearest_workday),
    )
    return _days(rules, first, last)


def carried_days(first: Month, last: Month) -> frozenset[date]:
    """US holidays that trade without a settlement of their own."""
    from pandas.tseries.holiday import (
        Holiday,
        USLaborDay,
        USMartinLutherKingJr,
        USMemorialDay,
        USPresidentsDay,
        USThanksgivingDay,
        nearest_workday,
    )

    rules = (
        USMartinLutherKingJr,
        USPresidentsDay,
        USMemorialDay,
        Holiday("Juneteenth", month=6, day=19, start_date="2022-01-01", observance=nearest_workday),
        Holiday("Independence Day", month=7, day=4, observance=nearest_workday),
        USLaborDay,
        USThanksgivingDay,
    )
    return _days(rules, first, last)


def _days(rules: Iterable[Any], first: Month, last: Month) -> frozenset[date]:
    # A month on either side: an eve or a next session may lie across the end of the span.
    start, end = ((first - 1).start.replace(tzinfo=None), (last + 1).end.replace(tzinfo=None))
    return frozenset(day.date() for rule in rules for day in rule.dates(start, end))
