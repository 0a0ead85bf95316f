"""When CME bitcoin futures settle and expire."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from perp_pipeline.futures.calendar import (
    contract_code,
    contract_months,
    expires_at,
    last_trading_day,
    next_sessions,
    sessions_between,
    settles_at,
)


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [
        (2018, 1, 26),
        (2018, 3, 29),  # Good Friday is the 30th
        (2019, 11, 29),  # the day after Thanksgiving trades
        (2020, 12, 24),  # Christmas is a Friday
        (2021, 12, 31),  # New Year's Day falls on a Saturday: the Friday is a business day
        (2022, 4, 29),
        (2024, 3, 28),  # Good Friday is the 29th
        (2025, 12, 26),  # Boxing Day: closed in London, open in the US
        (2026, 12, 24),
        (2027, 3, 25),
    ],
)
def test_last_trading_day(year: int, month: int, day: int) -> None:
    assert last_trading_day(year, month) == date(year, month, day)


def test_last_trading_days_are_where_the_front_month_settles_off_its_tick(shared: Path) -> None:
    """A contract's last price is a reference rate in cents; on other days prices are multiples of 5 USD."""
    front = pd.read_csv(shared / "wire" / "yahoo_cme" / "BTC_F_daily.csv", parse_dates=["Date"])
    price = front["Adj Close"]
    off_tick = front.loc[((price / 5 - (price / 5).round()).abs() > 1e-3), "Date"]
    off_tick = off_tick[off_tick < "2026-01-01"]
    expected = {pd.Timestamp(last_trading_day(d.year, d.month)) for d in front["Date"]}
    assert len(off_tick) > 80
    assert set(off_tick) <= expected
    held = set(front.loc[front["Date"] < "2026-01-01", "Date"])
    # A reference rate may be a multiple of 5 by chance, or the vendor may lack the price of the last day.
    assert len((expected & held) - set(off_tick)) <= 5


def test_expiry_is_four_in_the_afternoon_in_london_in_winter_and_summer() -> None:
    moments = expires_at(pd.Series(pd.to_datetime(["2024-01-26", "2024-07-26"])))
    assert list(moments.dt.hour) == [16, 15]


def test_settlement_minds_chicago_clock_changes() -> None:
    # In the second week of March the US has changed its clocks and the UK has not.
    dates = pd.Series(pd.to_datetime(["2024-03-08", "2024-03-11", "2024-11-01", "2024-11-04", "2024-12-24"]))
    assert list(settles_at(dates).dt.hour) == [21, 20, 20, 21, 18]


def test_sessions_skip_holidays_and_weekends() -> None:
    first = pd.Series(pd.to_datetime(["2019-11-26", "2019-11-27", "2019-11-29"]))
    last = pd.Series(pd.to_datetime(["2019-11-29"] * 3))
    assert list(sessions_between(first, last)) == [2, 1, 0]
    assert list(next_sessions(first)) == list(pd.to_datetime(["2019-11-27", "2019-11-29", "2019-12-02"]))


def test_contract_months_run_on_beyond_the_range() -> None:
    months = contract_months(pd.Timestamp("2024-11-15"), pd.Timestamp("2024-12-31"))
    assert list(months["code"]) == ["X24", "Z24", "F25", "G25", "H25", "J25"]
    assert contract_code("BTC", 2024, 12) == "BTCZ24"
