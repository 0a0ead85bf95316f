"""Implied rates: what they must recover, and on which dates they must be silent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline.futures.implied import core_cme_implied, implied_rates
from perp_pipeline.futures.reference_rates import bond_equivalent, core_reference_rates

DAYS = st.floats(min_value=1.5, max_value=38)
GAPS = st.sampled_from([28.0, 35.0])


def rates_of(rate: float, days: float, gap: float) -> dict[str, float]:
    spot = np.array([20_000.0])
    days_1, days_2 = np.array([days]), np.array([days + gap])
    prices = (spot * np.exp(rate * days_1 / 365), spot * np.exp(rate * days_2 / 365))
    return {name: float(value[0]) for name, value in implied_rates(*prices, spot, days_1, days_2).items()}


@given(rate=st.floats(min_value=-0.5, max_value=0.8), days=DAYS, gap=GAPS)
def test_a_flat_curve_gives_its_rate(rate: float, days: float, gap: float) -> None:
    """F = S exp(r t): cm30 is r itself; simple rates differ from it by compounding over their own span."""
    found = rates_of(rate, days, gap)
    assert found["cm30"] == pytest.approx(rate, abs=1e-9)
    for method, span in (("front_basis", days), ("second_basis", days + gap), ("calendar", gap)):
        assert found[method] == pytest.approx((np.exp(rate * span / 365) - 1) * 365 / span, abs=1e-9)
    assert found["calendar_x12"] == pytest.approx(found["calendar"] * gap * 12 / 365, abs=1e-9)


@given(days=DAYS, gap=GAPS)
def test_no_basis_no_rate(days: float, gap: float) -> None:
    assert all(value == pytest.approx(0, abs=1e-12) for value in rates_of(0.0, days, gap).values())


def curve(**changes: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "product": "BTC",
            "trade_date": pd.to_datetime(["2024-01-02"] * 2),
            "rank": [1, 2],
            "settle": [100.0, 101.0],
            "spot_at_settle": [99.0, 99.0],
            "days_to_expiry": [24.0, 52.0],
        }
    )
    return frame.assign(**changes)


def test_each_method_has_a_row() -> None:
    rates = core_cme_implied(core_cme_curve=curve()).set_index("method")["rate_annual"]
    assert rates["calendar_x12"] == pytest.approx(0.12)
    assert rates["calendar"] == pytest.approx(0.01 * 365 / 28)
    assert rates["front_basis"] == pytest.approx((100 / 99 - 1) * 365 / 24)
    assert set(rates.index) == {"calendar_x12", "calendar", "front_basis", "second_basis", "cm30"}


def test_without_spot_the_calendar_methods_remain() -> None:
    rates = core_cme_implied(core_cme_curve=curve(spot_at_settle=np.nan))
    assert set(rates["method"]) == {"calendar_x12", "calendar"}


def test_a_basis_within_a_day_of_expiry_is_left_out() -> None:
    rates = core_cme_implied(core_cme_curve=curve(days_to_expiry=[0.8, 35.8]))
    assert "front_basis" not in set(rates["method"])


def test_a_date_with_one_contract_has_no_calendar_rate() -> None:
    rates = core_cme_implied(core_cme_curve=curve().iloc[:1])
    assert set(rates["method"]) == {"front_basis"}


@given(st.floats(min_value=-0.01, max_value=0.2))
def test_bond_equivalent_earns_the_discount_price(discount: float) -> None:
    price = 1 - discount * 91 / 360
    assert price * (1 + bond_equivalent(np.array([discount]))[0] * 91 / 365) == pytest.approx(1)


def test_reference_rates_leave_missing_days_out_and_convert_bills_alone() -> None:
    raw = pd.DataFrame(
        {
            "series": ["DFF", "DTB3", "DTB3"],
            "day": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-02"]),
            "percent": [5.33, np.nan, 5.22],
        }
    )
    rates = core_reference_rates(raw_fred=raw)
    assert list(rates["series"]) == ["DFF", "DTB3"]
    assert rates["rate_annual"].tolist() == pytest.approx([0.0533, 365 * 0.0522 / (360 - 91 * 0.0522)])
