"""Regressions of funding on returns: windows, alignment, agreement with statsmodels, planted truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from research_frames import (
    NO_CURVE,
    NO_IMPLIED,
    ar1,
    daily,
    failed_checks,
    from_midnights,
    payments,
)

from perp_pipeline.contracts.research import OUT_REGRESSIONS
from perp_pipeline.research.daily import funding_by_day_of, main_symbols
from perp_pipeline.research.least_squares import ols_hac
from perp_pipeline.research.regressions import daily_frame, out_regressions, settle_frame
from perp_pipeline.research.standardised import standardised
from perp_pipeline.research.statistics import critical_p, hac_lags


def market(days: int, seed: int, same: float = 0.5, prior: float = 0.3, phi: float = 0.5) -> dict:
    """Funding of ``days`` days that answers to returns as planted, a year of prices before it."""
    rng = np.random.default_rng(seed)
    before = 120
    prices = 100 * np.cumprod(1 + rng.normal(0.001, 0.03, days + before + 1))
    first = pd.Timestamp("2020-01-01") - pd.Timedelta(before, "D")
    change = prices[1:] / prices[:-1] - 1
    at = np.arange(before, before + days)
    month = prices[at] / prices[at - 30] - 1
    annual = 0.1 + same * change[at] + prior * month + ar1(days, phi, rng, 0.05)
    paid = payments(np.repeat(annual / 1095, 3))
    return {
        "core_funding_daily": daily(paid),
        "core_funding_payments": paid,
        "core_returns_8h": from_midnights("BTC", prices, str(first.date())),
        "core_cme_implied": NO_IMPLIED,
        "core_cme_curve": NO_CURVE,
    }


def term(table: pd.DataFrame, spec: str, name: str, period: str = "all") -> pd.Series:
    rows = table[(table["spec"] == spec) & (table["term"] == name) & (table["period"] == period)]
    assert len(rows) == 1, (spec, name, len(rows))
    return rows.iloc[0]


@pytest.fixture(scope="module")
def tables() -> dict:
    return market(500, 1)


@pytest.fixture(scope="module")
def fitted(tables: dict) -> pd.DataFrame:
    return out_regressions(**tables, simulations=20)


def test_the_two_return_windows_do_not_overlap() -> None:
    days = pd.date_range("2020-01-01", periods=50)
    prices = pd.Series(np.arange(100.0, 150.0), days)
    frame = daily_frame(pd.Series(0.1, days[40:45]), prices, (1, 30)).set_index("day")
    day = days[42]
    assert frame.loc[day, "same_day"] == pytest.approx(143 / 142 - 1)
    assert frame.loc[day, "prior_1"] == pytest.approx(142 / 141 - 1)
    assert frame.loc[day, "prior_30"] == pytest.approx(142 / 112 - 1)
    assert list(frame.index) == list(days[40:45])
    assert np.isnan(frame["lagged_funding"].iloc[0])


def test_a_missing_price_leaves_out_every_return_that_needs_it() -> None:
    days = pd.date_range("2020-01-01", periods=50)
    prices = pd.Series(np.arange(100.0, 150.0), days)
    prices.iloc[42] = np.nan
    frame = daily_frame(pd.Series(0.1, days[38:46]), prices, (3,)).set_index("day")
    assert frame["same_day"].isna().tolist() == [day in (days[41], days[42]) for day in frame.index]
    assert frame["prior_3"].isna().tolist() == [day in (days[42], days[45]) for day in frame.index]


def test_midnight_belongs_to_the_day_that_begins_when_paid_and_to_the_one_that_ends_when_announced() -> None:
    paid = payments(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), "2020-01-01T08:00")
    by_payment = funding_by_day_of(paid, "paid_at")
    announced = funding_by_day_of(paid, "announced_at")
    assert by_payment.loc["2020-01-02"] == pytest.approx((3 + 4 + 5) / 3 * 1095)
    assert announced.loc["2020-01-01"] == pytest.approx((1 + 2 + 3) / 3 * 1095)
    assert np.isnan(by_payment.loc["2020-01-01"])  # only 16 of its 24 hours are there


def test_a_rate_fixed_a_payment_ahead_is_announced_the_day_before() -> None:
    paid = payments(np.arange(1.0, 7.0), "2020-01-01T04:00", lead_hours=8)
    announced = funding_by_day_of(paid, "announced_at")
    # Announced at 04:00, 12:00 and 20:00 of 1 January: paid at 12:00, 20:00 and 04:00 of the 2nd.
    assert announced.loc["2020-01-01"] == pytest.approx((2 + 3 + 4) / 3 * 1095)


def test_rows_are_the_regression_by_hand(tables: dict, fitted: pd.DataFrame) -> None:
    import statsmodels.api as sm

    funding = tables["core_funding_daily"].set_index("day")["rate_annual"]
    rows = tables["core_returns_8h"]
    midnight = rows[rows["window_end"].dt.hour == 0]
    price = pd.Series(midnight["close"].to_numpy(), midnight["window_end"].dt.tz_localize(None))
    same = (price.shift(-1) / price - 1).reindex(funding.index)
    month = (price / price.shift(30) - 1).reindex(funding.index)
    n = len(funding)
    design = sm.add_constant(np.column_stack([same, month]))
    kwargs = {"maxlags": hac_lags(n), "use_correction": False}
    theirs = sm.OLS(funding.to_numpy(), design).fit(cov_type="HAC", cov_kwds=kwargs)
    for place, name in enumerate(["const", "same_day", "prior"]):
        row = term(fitted, "h30_accrual", name)
        assert row["estimate"] == pytest.approx(theirs.params[place], rel=1e-9)
        assert row["se"] == pytest.approx(theirs.bse[place], rel=1e-9)
        assert row["t"] == pytest.approx(theirs.tvalues[place], rel=1e-9)
    assert (row["n"], row["hac_lags"]) == (n, hac_lags(n))
    assert row["r2"] == pytest.approx(theirs.rsquared)


def test_standardised_rows_are_the_regression_of_standardised_series(
    tables: dict, fitted: pd.DataFrame
) -> None:
    import statsmodels.api as sm

    funding = tables["core_funding_daily"].set_index("day")["rate_annual"]
    rows = tables["core_returns_8h"]
    midnight = rows[rows["window_end"].dt.hour == 0]
    price = pd.Series(midnight["close"].to_numpy(), midnight["window_end"].dt.tz_localize(None))
    series = [
        funding,
        (price.shift(-1) / price - 1).reindex(funding.index),
        (price / price.shift(30) - 1).reindex(funding.index),
        funding.shift(1),
    ]
    table = np.column_stack(series)[1:]
    z = (table - table.mean(axis=0)) / table.std(axis=0)
    theirs = sm.OLS(z[:, 0], sm.add_constant(z[:, 1:])).fit()
    fit = ols_hac(table[:, 0], dict(zip(("a", "b", "c"), table[:, 1:].T, strict=True)))[0]
    own = standardised([fit], table)[0]
    for place, name in enumerate(["same_day", "prior", "lagged_funding"], start=1):
        row = term(fitted, "h30_accrual_lagged_std", name)
        assert row["estimate"] == pytest.approx(theirs.params[place], rel=1e-8)
        assert row["se"] == pytest.approx(own.cov[place, place] ** 0.5, rel=1e-8)
    gap = np.array([0.0, -1.0, 1.0, 0.0])
    wald = (gap @ own.params) ** 2 / (gap @ own.cov @ gap)
    contrast = term(fitted, "h30_accrual_lagged_std", "prior_minus_same")
    assert contrast["t"] ** 2 == pytest.approx(wald, rel=1e-8)
    assert contrast["p"] == pytest.approx(critical_p(contrast["t"], contrast["critical"]))
    reach = contrast["critical"] * contrast["se"]
    assert contrast["ci_high"] == pytest.approx(contrast["estimate"] + reach)
    assert (contrast["p"] < 0.05) == (contrast["ci_low"] > 0 or contrast["ci_high"] < 0)


def test_the_table_keeps_its_contract(fitted: pd.DataFrame) -> None:
    assert failed_checks(OUT_REGRESSIONS, fitted) == {}


def test_every_specification_is_there(fitted: pd.DataFrame) -> None:
    specs = set(fitted["spec"])
    for horizon in (1, 3, 7, 30, 90):
        for suffix in ("", "_std", "_lagged", "_lagged_std"):
            assert {f"h{horizon}_{day}{suffix}" for day in ("accrual", "calendar", "announced")} <= specs
    assert {"h30_accrual_lags60", "h30_accrual_std_lags120"} <= specs
    assert {"h30_accrual_std_null-fitted", "h30_accrual_std_null-sameday"} <= specs
    assert set(fitted["period"]) >= {"all", "2020", "2021", "2019-09..2022-06"}


def test_an_asked_period_is_answered(tables: dict) -> None:
    asked = out_regressions(**tables, simulations=10, periods=("2020-03..2020-09",))
    row = term(asked, "h30_accrual", "prior", "2020-03..2020-09")
    assert str(row["window_start"].date()) == "2020-03-01"
    assert str(row["window_end"].date()) == "2020-09-30"


def test_uncovered_days_do_not_enter(tables: dict, fitted: pd.DataFrame) -> None:
    part = dict(tables)
    uncovered = part["core_funding_daily"].copy()
    uncovered.loc[10:19, ["coverage", "rate_annual"]] = [2 / 3, 99.0]
    part["core_funding_daily"] = uncovered
    row = term(out_regressions(**part, simulations=10), "h30_accrual", "prior")
    assert row["n"] == term(fitted, "h30_accrual", "prior")["n"] - 10
    assert row["estimate"] == pytest.approx(0.3, abs=0.1)


def test_settlements_are_compared_with_settlements() -> None:
    dates = pd.bdate_range("2020-01-01", periods=40)
    spot = pd.Series(np.arange(100.0, 140.0), dates)
    frame = settle_frame(pd.Series(0.05, dates), spot, (7,)).set_index("day")
    monday = dates[dates.day_of_week == 0][3]
    at = dates.get_loc(monday)
    assert frame.loc[monday, "same_day"] == pytest.approx(spot.iloc[at] / spot.iloc[at - 1] - 1)
    # A window of 7 days that ends on Friday begins on the Friday before.
    assert frame.loc[monday, "prior_7"] == pytest.approx(spot.iloc[at - 1] / spot.iloc[at - 6] - 1)
    assert np.isnan(frame["prior_7"].iloc[3])


def test_the_cme_placebo_is_named_by_its_method(tables: dict) -> None:
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2020-01-01", periods=300)
    spot = 100 * np.cumprod(1 + rng.normal(0, 0.03, 300))
    curve = pd.DataFrame({"product": "BTC", "trade_date": dates, "rank": 1, "spot_at_settle": spot})
    implied = pd.DataFrame(
        {"product": "BTC", "trade_date": dates, "method": "cm30", "rate_annual": rng.normal(size=300)}
    )
    found = out_regressions(**tables | {"core_cme_curve": curve, "core_cme_implied": implied}, simulations=10)
    cme = found[found["venue"] == "cme"]
    assert set(cme["symbol"]) == {"BTC"}
    assert "h30_settle-cm30_lagged_std" in set(cme["spec"])
    assert failed_checks(OUT_REGRESSIONS, found) == {}


def test_the_longest_contract_stands_for_its_venue() -> None:
    table = pd.concat(
        [
            payments(np.zeros(5), symbol="B"),
            payments(np.zeros(5), symbol="A"),
            payments(np.zeros(3), symbol="0"),
        ]
    )
    assert main_symbols(table)["symbol"].tolist() == ["A"]
