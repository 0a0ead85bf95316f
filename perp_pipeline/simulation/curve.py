"""CME's front and second bitcoin future in the simulated market, as the public copy prints them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.futures.calendar import contract_months, expires_at, settles_at, us_holidays
from perp_pipeline.months import Month
from perp_pipeline.simulation.market import SimulatedMarket

Array = npt.NDArray[np.float64]

_CLOSED = {(12, 24), (12, 25), (12, 26), (12, 31), (1, 1), (1, 2)}
"""Month and day of Christmas and New Year, as observed."""


@dataclass(frozen=True)
class CurveRows:
    """Settled prices of the front (f1) and second (f2) contract, one row per session, ascending.

    Attributes:
        trade_date: the session's own date (naive).
        printed_on: the date the public copy files it under: a holiday, where the copy carries it there.
        days: days from the settlement to the expiry of the two contracts, shape (sessions, 2).
        spot: world price of bitcoin at the settlement, USD.
        basis: annual log basis of the session.
    """

    trade_date: pd.DatetimeIndex
    printed_on: pd.DatetimeIndex
    days: Array
    spot: Array
    basis: Array
    f1: Array
    f2: Array

    @property
    def filed_right(self) -> npt.NDArray[np.bool_]:
        """Sessions that the copy files under their own date."""
        return np.asarray(self.trade_date == self.printed_on, dtype=np.bool_)


def curve_rows(market: SimulatedMarket) -> CurveRows:
    """The sessions of the simulated months with their prices, F = S exp(b * days / 365) on the tick.

    The front contract is the nearest one whose last trading day is still to come: on that day itself it stops
    trading before the settlement.
    """
    trading, printed = sessions(market.first_month, market.last_month)
    settled = settles_at(trading.to_series()).dt.tz_localize(None).to_numpy()
    expiries = contract_months(trading[0], trading[-1])["expiry"]
    front = np.searchsorted(expiries.to_numpy(), trading.to_numpy(), side="right")
    ends = expires_at(expiries).dt.tz_localize(None).to_numpy()
    days = (np.column_stack([ends[front], ends[front + 1]]) - settled[:, None]) / np.timedelta64(1, "D")
    rows = market.rows(settled.astype("datetime64[h]").astype(np.int64))
    spot, basis = market.index[rows, market.column("BTC")], market.curve_basis()[rows]
    tick = market.planted.curve.tick
    prices = np.round(spot[:, None] * np.exp(basis[:, None] * days / 365.0) / tick) * tick
    return CurveRows(trading, printed, days, spot, basis, prices[:, 0], prices[:, 1])


def sessions(first: Month, last: Month) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Trading sessions of the months, and the dates that the public copy files them under.

    On US holidays without a settlement the copy prints the next session's prices under the holiday's date,
    and nothing under that session's own date. On Good Friday, at Christmas and at New Year it prints nothing.
    """
    weekdays = pd.bdate_range(first.start.date(), last.end.date(), inclusive="left", unit="us")
    holidays = {day for year in range(first.year, last.year + 1) for day in us_holidays(year)}
    trading = weekdays[[day.date() not in holidays for day in weekdays]]
    printed = trading.to_series().reset_index(drop=True)
    for holiday in weekdays.difference(trading):
        following = int(np.searchsorted(trading, holiday))
        if following < len(trading) and not _without_session(holiday.date()):
            printed[following] = holiday
    return trading, pd.DatetimeIndex(printed)


def _without_session(holiday: date) -> bool:
    good_friday = holiday.month in (3, 4) and holiday.weekday() == 4
    return good_friday or (holiday.month, holiday.day) in _CLOSED
