"""out_funding_averages and out_funding_monthly on small tables with known contents."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from funding_frames import ar1, daily, implied, payments

from perp_pipeline.contracts import results
from perp_pipeline.research.averages import at_default, out_funding_averages, out_funding_monthly
from perp_pipeline.research.periods import ESSAY_WINDOWS
from perp_pipeline.research.statistics import hac_mean, persistent_lags

RATES = ar1(1200, 0.95, 1, mean=0.12, sd=0.2)


@pytest.fixture(scope="module")
def averages() -> pd.DataFrame:
    return out_funding_averages(
        core_funding_daily=daily("binance", "BTCUSDT", "BTC", RATES),
        core_funding_payments=payments(
            "binance", "BTCUSDT", "BTC", np.where(np.arange(3600) % 4, 0.0001, 0.0002)
        ),
        core_cme_implied=implied(ar1(600, 0.9, 2, mean=0.05, sd=0.05)),
        periods=("2021-02", "2020-03..2020-04"),
    )


def row(frame: pd.DataFrame, **where: str) -> pd.Series:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_columns_are_those_of_the_contract(averages: pd.DataFrame) -> None:
    assert set(averages.columns) == {column.name for column in results.OUT_FUNDING_AVERAGES.columns}
    assert not averages.duplicated(list(results.OUT_FUNDING_AVERAGES.key)).any()
    for check in results.OUT_FUNDING_AVERAGES.checks:
        assert check.passes(averages).all(), check.name


def test_the_mean_is_over_the_days_of_the_period(averages: pd.DataFrame) -> None:
    whole = row(averages, venue="binance", period="all")
    expected = hac_mean(RATES, persistent_lags(RATES))
    assert whole["estimate"] == expected.estimate
    assert (whole["se"], whole["ci_low"], whole["ci_high"]) == (
        expected.se,
        expected.ci_low,
        expected.ci_high,
    )
    assert whole["n"] == 1200
    assert whole["window_start"] == pd.Timestamp("2019-09-10", tz="UTC")
    days = pd.date_range("2019-09-10", periods=1200)
    february = row(averages, venue="binance", period="2021-02")
    assert february["n"] == 28
    assert february["estimate"] == pytest.approx(RATES[(days.year == 2021) & (days.month == 2)].mean())
    assert row(averages, venue="binance", period="2020")["n"] == 366


def test_standard_periods_and_asked_ones_are_there(averages: pd.DataFrame) -> None:
    periods = set(averages.loc[averages["venue"] == "binance", "period"])
    assert {"all", "2019", "2020", "2021", "2022", "2021-02", "2020-03..2020-04"} <= periods
    assert {"2019-09..2022-06", "2018-08..2022-06", "2019-01..2024-05"} <= periods
    assert not {"2023", "2024-01..2024-05"} & periods
    assert periods - {"all", "2019", "2020", "2021", "2022", "2021-02", "2020-03..2020-04"} <= set(
        ESSAY_WINDOWS
    )


def test_cme_methods_are_rows_of_their_own(averages: pd.DataFrame) -> None:
    cme = averages[(averages["venue"] == "cme") & (averages["period"] == "all")]
    assert set(cme["method"]) == {"calendar", "calendar_x12"}
    assert set(cme["symbol"]) == set(cme["base"]) == {"BTC"}
    assert cme["share_default"].isna().all()
    x12, calendar = (row(cme, method=name) for name in ("calendar_x12", "calendar"))
    assert x12["estimate"] == pytest.approx(1.1 * calendar["estimate"])
    assert calendar["coverage"] == pytest.approx(5 / 7, abs=0.01)


def test_shares_and_skewness(averages: pd.DataFrame) -> None:
    whole = row(averages, venue="binance", period="all")
    assert whole["share_negative"] == pytest.approx((RATES < 0).mean())
    assert whole["share_default"] == 0.75
    assert whole["skew"] == pytest.approx(pd.Series(RATES).skew(), abs=0.01)


def test_the_default_scales_with_the_interval() -> None:
    rate = pd.Series([0.0001, 0.0000125, 0.00005, 0.0003, 0.0001, 0.00010001])
    hours = pd.Series([8, 1, 4, 24, 1, 8])
    assert at_default(rate, hours).tolist() == [True, True, True, True, False, False]


def test_incomplete_days_and_holes_are_left_out_not_filled() -> None:
    table = daily("binance", "BTCUSDT", "BTC", np.full(40, 0.1))
    table.loc[3, ["coverage", "rate_annual"]] = [2 / 3, 9.0]
    table = table.drop(index=range(10, 20))
    averages = out_funding_averages(
        core_funding_daily=table,
        core_funding_payments=payments("x", "Y", "BTC", np.array([])),
        core_cme_implied=implied(np.array([])),
    )
    whole = row(averages, period="all")
    assert whole["n"] == 29
    assert whole["estimate"] == pytest.approx(0.1)
    assert whole["coverage"] == pytest.approx(29 / 40)
    assert np.isnan(whole["skew"])
    assert np.isnan(whole["share_default"])


def test_a_row_does_not_depend_on_the_order_of_its_input() -> None:
    table = daily("binance", "BTCUSDT", "BTC", RATES[:200])
    empty = {
        "core_funding_payments": payments("x", "Y", "BTC", np.array([])),
        "core_cme_implied": implied(np.array([])),
    }
    one = out_funding_averages(core_funding_daily=table, **empty)
    other = out_funding_averages(core_funding_daily=table.sample(frac=1.0, random_state=1), **empty)
    pd.testing.assert_frame_equal(one, other)


def test_months() -> None:
    monthly = out_funding_monthly(
        core_funding_daily=daily("binance", "BTCUSDT", "BTC", RATES),
        core_funding_payments=payments("binance", "BTCUSDT", "BTC", np.full(90, 0.0001)),
        core_cme_implied=implied(np.full(30, 0.05)),
    )
    assert set(monthly.columns) == {column.name for column in results.OUT_FUNDING_MONTHLY.columns}
    funding = monthly[monthly["method"] == "funding"]
    assert len(funding) == 40
    assert funding["n"].sum() == 1200
    first = row(funding, month="2019-09")
    assert (first["n"], first["share_default"]) == (21, 1.0)
    assert set(monthly[monthly["venue"] == "cme"]["month"]) == {"2019-09", "2019-10"}
    for check in results.OUT_FUNDING_MONTHLY.checks:
        assert check.passes(monthly).all(), check.name
