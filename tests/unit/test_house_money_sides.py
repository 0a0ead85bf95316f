"""Funding after gains and losses, and who pays: buckets and shares by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from research_frames import ar1, daily, failed_checks, from_midnights, payments

from perp_pipeline.contracts.positions import OUT_HOUSE_MONEY, OUT_SIDES
from perp_pipeline.research.house_money import daily_state, out_house_money
from perp_pipeline.research.shares import hac_share
from perp_pipeline.research.sides import out_sides


def market(days: int, seed: int, effect: float = 0.5) -> dict[str, pd.DataFrame]:
    """Daily funding of 10 % a year, plus ``effect`` times the return of the 30 days before, plus noise."""
    rng = np.random.default_rng(seed)
    before = 400
    prices = 100 * np.cumprod(1 + rng.normal(0, 0.03, days + before + 1))
    at = np.arange(before, before + days)
    annual = 0.10 + effect * (prices[at] / prices[at - 30] - 1) + ar1(days, 0.5, rng, 0.02)
    first = pd.Timestamp("2020-01-01") - pd.Timedelta(before, "D")
    return {
        "core_funding_daily": daily(payments(np.repeat(annual / 1095, 3))),
        "core_returns_8h": from_midnights("BTC", prices, str(first.date())),
    }


def pick(table: pd.DataFrame, kind: str, bucket: str, period: str = "all") -> pd.Series:
    rows = table[(table["bucket_kind"] == kind) & (table["bucket"] == bucket) & (table["period"] == period)]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return out_house_money(**market(600, 1))


def test_state_of_a_day_is_known_when_it_begins() -> None:
    days = pd.date_range("2019-01-01", periods=600)
    prices = pd.Series(np.concatenate([np.linspace(100, 200, 400), np.linspace(199, 100, 200)]), days)
    state = daily_state(pd.Series(0.1, days[500:]), prices).set_index("day")
    day = days[550]
    assert state.loc[day, "past_return_30d"] == pytest.approx(prices[day] / prices[days[520]] - 1)
    assert state.loc[day, "drawdown_365d"] == pytest.approx(1 - prices[day] / 200)


def test_rising_funding_over_the_deciles_is_found(table: pd.DataFrame) -> None:
    means = [pick(table, "past_return_30d", f"d{place:02d}")["estimate"] for place in range(1, 11)]
    assert means == sorted(means)
    gap = pick(table, "past_return_30d", "d10_minus_d01")
    assert gap["estimate"] == pytest.approx(means[-1] - means[0])
    assert gap["ci_low"] > 0
    assert sum(pick(table, "past_return_30d", f"d{place:02d}")["n"] for place in range(1, 11)) == 600


def test_the_tables_keep_their_contracts(table: pd.DataFrame) -> None:
    assert failed_checks(OUT_HOUSE_MONEY, table) == {}


def test_drawdown_buckets_are_all_days(table: pd.DataFrame) -> None:
    rows = table[(table["bucket_kind"] == "drawdown_365d") & (table["period"] == "all")]
    assert rows["n"].sum() == 600
    mean = pick(table, "all", "mean")["estimate"]
    assert (rows["estimate"] * rows["n"]).sum() / 600 == pytest.approx(mean)


def test_shares_of_days() -> None:
    tables = market(100, 2)
    rates = np.repeat([0.6, 0.1095, -0.1, 0.2], 25)
    tables["core_funding_daily"] = tables["core_funding_daily"].assign(rate_annual=rates)
    table = out_house_money(**tables)
    assert pick(table, "share_above_50pct", "all")["estimate"] == pytest.approx(0.25)
    assert pick(table, "share_above_default", "all")["estimate"] == pytest.approx(0.5)
    assert pick(table, "share_negative", "all")["estimate"] == pytest.approx(0.25)


def test_default_payments_are_exact_and_pro_rata() -> None:
    """0.0001 per 8 hours, 0.0000125 an hour; what merely rounds to it is not the default."""
    eight = payments(np.tile([0.0001, 0.00010001, -0.0002, 0.0001], 50))
    hourly = payments(np.tile([0.0000125, 0.0001, 0.00001], 50), venue="hyperliquid", symbol="BTC", hours=1)
    table = out_sides(core_funding_payments=pd.concat([eight, hourly]))
    found = table[table["period"] == "all"].set_index(["venue", "quantity"])["estimate"]
    assert found["binance", "share_default"] == pytest.approx(0.5)
    assert found["binance", "share_above_default"] == pytest.approx(0.25)
    assert found["binance", "share_below_default"] == pytest.approx(0.25)
    assert found["binance", "share_negative"] == pytest.approx(0.25)
    assert found["hyperliquid", "share_default"] == pytest.approx(1 / 3)
    assert found["hyperliquid", "share_negative"] == 0
    assert failed_checks(OUT_SIDES, table) == {}


def test_shares_of_a_year_hold_the_payments_that_accrued_in_it() -> None:
    paid = payments(np.repeat([0.0001, 0.0002], [366 * 3, 365 * 3]), "2020-01-01T08:00")
    table = out_sides(core_funding_payments=paid).set_index(["quantity", "period"])["estimate"]
    assert table["share_default", "2020"] == 1.0
    assert table["share_default", "2021"] == 0.0


def test_premiums_and_open_interest_where_the_lake_has_them() -> None:
    paid = payments(np.full(200, 0.0001))
    rng = np.random.default_rng(0)
    premium = paid[["venue", "symbol"]].assign(
        window_end=paid["paid_at"], premium_mean=rng.normal(0, 5e-4, 200), premium_last=0.0
    )
    gmx = pd.DataFrame(
        {
            "day": pd.date_range("2022-01-01", periods=100),
            "chain": "arbitrum",
            "long_usd": np.repeat([30.0, 10.0], 50),
            "short_usd": np.repeat([10.0, 30.0], 50),
        }
    )
    table = out_sides(core_funding_payments=paid, core_premium=premium, raw_gmx_open_interest=gmx)
    found = table[table["period"] == "all"].set_index(["venue", "quantity"])["estimate"]
    assert found["binance", "premium_sd"] == pytest.approx(premium["premium_mean"].std(ddof=0))
    assert found["gmx_arbitrum", "share_long"] == pytest.approx(0.5)
    assert found["gmx_arbitrum", "lp_share_long"] == pytest.approx(0.5)
    assert found["gmx_arbitrum", "share_days_long"] == pytest.approx(0.5)
    assert failed_checks(OUT_SIDES, table) == {}


@pytest.mark.slow
def test_planted_mean_and_share_are_recovered() -> None:
    """Funding of 10 % with no effect of returns: mean and equal deciles are held in 90 of 100 seeds."""
    held = {"mean": 0, "gap": 0}
    for seed in range(100):
        table = out_house_money(**market(600, seed, effect=0.0))
        mean, gap = pick(table, "all", "mean"), pick(table, "past_return_30d", "d10_minus_d01")
        held["mean"] += mean["ci_low"] <= 0.10 <= mean["ci_high"]
        held["gap"] += gap["ci_low"] <= 0.0 <= gap["ci_high"]
    assert min(held.values()) >= 90, held


def test_shares_of_longs_are_told_at_other_lags() -> None:
    """As far as a third of the days allows; single years go without."""
    days = pd.date_range("2022-01-01", periods=400)
    longs = 30.0 * np.exp(0.3 * ar1(400, 0.95, np.random.default_rng(4)))
    gmx = pd.DataFrame({"day": days, "chain": "arbitrum", "long_usd": longs, "short_usd": 25.0})
    paid = payments(np.full(90, 1e-4), "2022-01-01T08:00")
    table = out_sides(core_funding_payments=paid, raw_gmx_open_interest=gmx)
    told = table[table["quantity"].str.contains("_lags")].set_index("quantity")
    assert not told["period"].str.isdigit().any()
    told = told[told["period"] == "all"]
    names = ("share_long", "lp_share_long")
    assert set(told.index) == {f"{name}_lags{lags}" for name in names for lags in (30, 60, 120)}
    share = longs / (longs + 25.0)
    for lags in (30, 60, 120):
        found = told.loc[f"share_long_lags{lags}"]
        assert found["hac_lags"] == lags
        assert found["ci_low"] == pytest.approx(hac_share(share, lags).ci_low, rel=1e-12)
    assert failed_checks(OUT_SIDES, table) == {}
