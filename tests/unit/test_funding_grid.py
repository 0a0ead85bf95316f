"""The laws of the grid: nothing is lost, nothing is filled, nothing is counted twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perp_pipeline.funding.annualise import annualised
from perp_pipeline.funding.grid import core_funding_8h, core_funding_daily, spread

START = pd.Timestamp("2020-01-30", tz="UTC")


def accruals(
    rows: list[tuple[float, float, float]], symbol: str = "XBTUSD", venue: str = "bitmex"
) -> pd.DataFrame:
    """Payments from (hours after START at which they are paid, interval in hours, rate)."""
    paid = START + pd.to_timedelta([round(row[0] * 60) for row in rows], unit="min")
    stamps = pd.Series(paid).astype("datetime64[us, UTC]")
    hours = pd.to_timedelta(pd.Series([row[1] for row in rows]), unit="h").astype("timedelta64[us]")
    return pd.DataFrame(
        {
            "venue": venue,
            "symbol": symbol,
            "base": "BTC",
            "paid_at": stamps,
            "accrual_start": stamps - hours,
            "accrual_end": stamps,
            "rate": [row[2] for row in rows],
        }
    )


@st.composite
def histories(draw: st.DrawFn) -> pd.DataFrame:
    """Payments of one or two symbols with changing intervals, holes and any offset of minutes."""
    frames = []
    for symbol in draw(st.sampled_from([("A",), ("A", "B")])):
        at = draw(st.integers(0, 600)) / 60
        rows = []
        for _ in range(draw(st.integers(1, 40))):
            hours = draw(st.sampled_from([1, 2, 4, 8, 24]))
            at += hours + (draw(st.integers(1, 60)) if draw(st.booleans()) and draw(st.booleans()) else 0)
            rows.append((at, float(hours), draw(st.floats(-0.03, 0.03))))
        frames.append(accruals(rows, symbol))
    return pd.concat(frames, ignore_index=True)


@given(histories(), st.sampled_from([1, 8, 24]))
@settings(max_examples=60, deadline=None)
def test_sums_are_conserved(payments: pd.DataFrame, hours: int) -> None:
    windows = spread(payments, hours)
    for symbol, rates in payments.groupby("symbol")["rate"]:
        total = windows.loc[windows["symbol"] == symbol, "rate"].sum()
        assert total == pytest.approx(rates.sum(), abs=1e-12)
    paid = (payments["accrual_end"] - payments["accrual_start"]).dt.total_seconds().sum() / 3600
    assert windows["coverage"].sum() * hours == pytest.approx(paid)


@given(histories())
@settings(max_examples=60, deadline=None)
def test_windows_are_unique_touched_and_never_over_covered(payments: pd.DataFrame) -> None:
    windows = spread(payments, 8)
    assert not windows.duplicated(["venue", "symbol", "window_start"]).any()
    assert (windows["n_payments"] >= 1).all()
    assert windows["coverage"].between(0, 1, inclusive="right").all()
    assert (windows["window_start"].dt.hour % 8 == 0).all()


@given(histories())
@settings(max_examples=40, deadline=None)
def test_days_are_sums_of_windows(payments: pd.DataFrame) -> None:
    windows = spread(payments, 8)
    windows["day"] = windows["window_start"].dt.floor("D")
    days = spread(payments, 24)
    sums = windows.groupby(["symbol", "day"])["rate"].sum().reset_index()
    assert days["rate"].to_numpy() == pytest.approx(sums["rate"].to_numpy(), abs=1e-12)


@given(histories())
@settings(max_examples=40, deadline=None)
def test_agrees_with_hour_by_hour_bookkeeping(payments: pd.DataFrame) -> None:
    """An independent route: walk each payment in steps of a minute."""
    minute = 60_000_000
    expected: dict[tuple[str, int], float] = {}
    for row in payments.itertuples():
        start, end = (int(t.value // 1000) for t in (row.accrual_start, row.accrual_end))
        for at in range(start, end, minute):
            key = (row.symbol, at // (8 * 60 * minute))
            expected[key] = expected.get(key, 0.0) + row.rate * minute / (end - start)
    windows = spread(payments, 8)
    assert len(windows) == len(expected)
    for row in windows.itertuples():
        key = (row.symbol, int(row.window_start.value // 1000) // (8 * 60 * minute))
        assert row.rate == pytest.approx(expected[key], abs=1e-12)


def test_a_bitmex_payment_is_split_between_two_windows() -> None:
    windows = core_funding_8h(core_funding_payments=accruals([(4.0, 8.0, 0.0008)]))
    assert windows["window_end"].dt.strftime("%d %H:%M").tolist() == ["30 00:00", "30 08:00"]
    assert windows["rate_8h"].tolist() == [0.0004, 0.0004]
    assert windows["coverage"].tolist() == [0.5, 0.5]
    # The rate a year is over the covered hours: the hours without a payment do not dilute it.
    assert windows["rate_annual"].tolist() == pytest.approx([0.0008 * 1095] * 2)


def test_a_payment_at_midnight_accrued_on_the_day_before() -> None:
    days = core_funding_daily(core_funding_payments=accruals([(24.0, 8.0, 0.0003)]))
    assert days["day"].tolist() == [pd.Timestamp("2020-01-30")]
    assert days["n_payments"].tolist() == [1]
    assert days["coverage"].tolist() == [pytest.approx(1 / 3)]
    # BitMEX pays at 04:00 for 20:00 to 04:00: half of it belongs to the day before.
    both = core_funding_daily(core_funding_payments=accruals([(28.0, 8.0, 0.0004)]))
    assert both["rate_day"].tolist() == [0.0002, 0.0002]


def test_daily_payments_cover_three_windows_each() -> None:
    payments = accruals([(12.0, 24.0, 0.003), (36.0, 24.0, 0.006)])
    windows = core_funding_8h(core_funding_payments=payments)
    assert windows["rate_8h"].tolist() == pytest.approx([0.0005, 0.001, 0.001, 0.0015, 0.002, 0.002, 0.001])
    assert windows["n_payments"].tolist() == [1, 1, 1, 2, 1, 1, 1]


def test_hourly_payments_add_up() -> None:
    payments = accruals([(float(hour), 1.0, 0.00001 * hour) for hour in range(1, 9)])
    windows = core_funding_8h(core_funding_payments=payments)
    assert len(windows) == 1
    assert windows["n_payments"].iloc[0] == 8
    assert windows["rate_8h"].iloc[0] == pytest.approx(0.00036)


def test_annualised() -> None:
    assert annualised(0.0001, 8.0) == pytest.approx(0.1095)
    assert annualised(np.array([0.0001, 0.0003]), np.array([8.0, 24.0])) == pytest.approx([0.1095, 0.1095])
