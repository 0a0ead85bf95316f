"""Rows of result tables against numbers that generate_tables.py gets without the library."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from generate_estimators import persistent
from generate_tables import BEFORE, DAYS, LAGS, events, funding_and_prices

from perp_pipeline.research.averages import out_funding_averages
from perp_pipeline.research.buckets import decile_means
from perp_pipeline.research.house_money import out_house_money
from perp_pipeline.research.lead_lag import out_lead_lag
from perp_pipeline.research.least_squares import ols_hac
from perp_pipeline.research.persistence_null import standardised_effects
from perp_pipeline.research.spreads import out_venue_spreads
from perp_pipeline.research.statistics import bartlett_covariance, fixed_b_critical, hac_mean

GOLDEN = json.loads(Path(__file__).with_name("tables.json").read_text())
NO_IMPLIED = pd.DataFrame(
    {
        "product": pd.Series(dtype="str"),
        "trade_date": pd.Series(dtype="datetime64[us]"),
        "method": pd.Series(dtype="str"),
        "rate_annual": pd.Series(dtype="float64"),
    }
)


def daily(rates: np.ndarray, venue: str = "binance", symbol: str = "BTCUSDT") -> pd.DataFrame:
    days = pd.date_range("2030-01-01", periods=len(rates), unit="us")
    names = {"venue": venue, "symbol": symbol, "base": "BTC"}
    return pd.DataFrame({"day": days, "rate_annual": rates, "coverage": 1.0}).assign(**names)


def test_deciles_and_their_difference() -> None:
    funding, price, past = funding_and_prices()
    ends = pd.date_range("2030-01-01", periods=len(price), tz="UTC") - pd.Timedelta(BEFORE, "D")
    # Two more closes a day, so that the days chain to one another.
    every = ends[0] + pd.to_timedelta(8 * np.arange(3 * len(price) - 2), unit="h")
    close = np.repeat(price, 3)[: len(every)]
    returns = pd.DataFrame({"base": "BTC", "window_end": every.as_unit("us"), "close": close})
    returns["ret_8h"] = returns["close"].pct_change()
    table = out_house_money(core_funding_daily=daily(funding), core_returns_8h=returns)
    rows = table[(table["bucket_kind"] == "past_return_7d") & (table["period"] == "all")].set_index("bucket")
    golden = GOLDEN["buckets"]
    means = decile_means(funding, past)
    estimates = {"d01": means[1], "d10": means[10], "d10_minus_d01": means[10] - means[1]}
    for name, mean in estimates.items():
        assert rows.loc[name, "estimate"] == pytest.approx(golden[name], rel=1e-9)
        own = mean.estimate(int(rows.loc[name, "hac_lags"]))
        assert rows.loc[name, "se"] == pytest.approx(own.se, rel=1e-9)
        found = mean.estimate(LAGS)
        assert found.se == pytest.approx(golden[f"{name}_se"], rel=1e-6)
        # The block bootstrap is another estimate of the same error: near, not equal.
        assert found.se == pytest.approx(golden[f"{name}_se_bootstrap"], rel=0.25)


def test_long_run_covariance_is_that_of_arch() -> None:
    x = np.column_stack([persistent(500, 0.9, 24), persistent(500, 0.5, 25)])
    found = bartlett_covariance(x - x.mean(axis=0), LAGS)
    np.testing.assert_allclose(found, GOLDEN["long_run"], rtol=1e-9)


def test_correlations_with_returns_their_difference_and_deciles_of_the_rate() -> None:
    rate, hourly = events()
    start = pd.date_range("2030-01-01", periods=len(hourly), freq="h", tz="UTC", unit="us")
    spot = pd.DataFrame({"venue": "binance", "base": "BTC", "bar_start": start, "close": hourly})
    at = pd.Series(start[239] + pd.to_timedelta(1 + 8 * np.arange(len(rate)), unit="h")).dt.as_unit("us")
    paid = pd.DataFrame({"announced_at": at, "paid_at": at, "rate": rate, "rate_annual": rate * 1095})
    names = {"venue": "binance", "symbol": "BTCUSDT", "base": "BTC", "interval_hours": 8.0}
    table = out_lead_lag(core_funding_payments=paid.assign(**names), core_spot_1h=spot)
    rows = table[table["period"] == "all"].set_index(["kind", "lag"])
    golden = GOLDEN["lead_lag"]
    for kind in ("past3d", "past3d_minus_future3d"):
        assert rows.loc[(kind, 0), "estimate"] == pytest.approx(golden[kind], rel=1e-9)
    for kind, lag, name in (
        ("past3d_minus_future3d", 0, "past3d_minus_future3d"),
        ("decile_future3d", 10, "decile_future3d_10"),
    ):
        assert rows.loc[(kind, lag), "hac_lags"] == 90
        assert rows.loc[(kind, lag), "se"] == pytest.approx(golden[f"{name}_se_90_lags"], rel=1e-6)
    for decile in (1, 10):
        found = rows.loc[("decile_future3d", decile), "estimate"]
        assert found == pytest.approx(golden[f"decile_future3d_{decile}"], rel=1e-9)


def test_spread_of_two_venues_and_skewness() -> None:
    a = 0.1 + persistent(500, 0.9, 28)
    b = 0.05 + 0.5 * a + persistent(500, 0.8, 29)
    both = pd.concat([daily(a), daily(b, "bitmex", "XBTUSD")])
    golden = GOLDEN["spread"]
    table = out_venue_spreads(core_funding_daily=both, core_cme_implied=NO_IMPLIED)
    row = table[table["period"] == "all"].iloc[0]
    for column in ("correlation", "gap_p95", "gap_mean"):
        assert row[column] == pytest.approx(golden[column], rel=1e-9)
    assert row["estimate"] == pytest.approx(golden["mean"], rel=1e-9)
    assert hac_mean(a - b, LAGS).se == pytest.approx(golden["se_44_lags"], rel=1e-9)
    assert row["se"] == pytest.approx(hac_mean(a - b, int(row["hac_lags"])).se, rel=1e-9)
    stamps = pd.Series(pd.date_range("2030-01-01", periods=2, tz="UTC", unit="us"))
    paid = pd.DataFrame({"accrual_start": stamps, "rate": 0.0, "interval_hours": 8.0})
    averages = out_funding_averages(
        core_funding_daily=both,
        core_funding_payments=paid.assign(venue="binance", symbol="BTCUSDT"),
        core_cme_implied=NO_IMPLIED,
    )
    mean = averages[(averages["venue"] == "binance") & (averages["period"] == "all")].iloc[0]
    assert mean["skew"] == pytest.approx(golden["skew_a"], rel=1e-9)
    assert mean["share_negative"] == golden["share_negative_a"]


def test_effects_under_the_null_are_those_of_statsmodels_and_their_t_those_of_refitting() -> None:
    funding, same, prior = persistent(400, 0.95, 30), persistent(400, 0.0, 31), persistent(400, 0.9, 32)
    effects, t = standardised_effects(funding[None], same, prior, 40)
    assert effects[0] == pytest.approx(GOLDEN["null_effects"]["effects"], rel=1e-9)
    fit = ols_hac(funding, {"same": same / same.std(), "prior": prior / prior.std()}, 40)[0]
    critical = [fit.critical(weights) for weights in ([0, 1, 0], [0, 0, 1], [0, -1, 1])]
    assert t[0] * critical == pytest.approx(GOLDEN["null_effects"]["t"], rel=1e-6)


@pytest.mark.parametrize("b", sorted(GOLDEN["critical_values"], key=float))
def test_critical_values_are_those_of_simulated_noise(b: str) -> None:
    n = 10_000
    assert fixed_b_critical(round(float(b) * n) - 1, n) == pytest.approx(
        GOLDEN["critical_values"][b], rel=0.03
    )


def test_the_cases_are_as_long_as_the_builders_ask() -> None:
    assert min(DAYS, len(events()[0])) >= 90
