"""Lead and lag: exact definitions on announced time, deciles, and planted leads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from research_frames import ar1, failed_checks, payments, spot_1h

from perp_pipeline.contracts.research import OUT_LEAD_LAG
from perp_pipeline.research.buckets import bucket_mean, decile_means, deciles
from perp_pipeline.research.lead_lag import (
    ROBUST,
    event_frame,
    hourly_prices,
    out_lead_lag,
)
from perp_pipeline.research.statistics import hac_mean


def pick(table: pd.DataFrame, kind: str, lag: int = 0) -> pd.Series:
    rows = table[(table["kind"] == kind) & (table["lag"] == lag) & (table["period"] == "all")]
    assert len(rows) == 1
    return rows.iloc[0]


def market(days: int, seed: int, lead_hours: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Funding announced every 8 hours that follows the return of the last three days, and noise."""
    rng = np.random.default_rng(seed)
    hours = 24 * (days + 20)
    prices = 100 * np.cumprod(1 + rng.normal(0, 0.006, hours))
    spot = spot_1h("BTC", prices, "2020-01-01")
    announce = np.arange(24 * 10, 24 * (10 + days), 8)  # hours after the first bar's start
    close_at = prices[announce - 1]
    rate = 1e-3 * (close_at / prices[announce - 73] - 1) + ar1(len(announce), 0.5, rng, 2e-5)
    first = pd.Timestamp("2020-01-01") + pd.Timedelta(int(announce[0]) + lead_hours, "h")
    return payments(rate, str(first), lead_hours=lead_hours), spot


def test_the_three_returns_are_those_of_the_definition() -> None:
    prices = np.arange(100.0, 400.0)
    spot = spot_1h("ETH", prices)
    paid = payments(np.array([1e-4]), "2020-01-06T08:00", lead_hours=8, base="ETH", symbol="ETHUSD")
    row = event_frame(paid, hourly_prices(spot, "ETH")).iloc[0]
    # Announced at 2020-01-06 00:00: the bar that ends then is number 119 from 2020-01-01 00:00.
    now, later = prices[119], prices[127]
    assert row["past3d"] == pytest.approx(now / prices[119 - 72] - 1)
    assert row["contemporaneous"] == pytest.approx(later / now - 1)
    assert row["future3d"] == pytest.approx(prices[127 + 72] / later - 1)


def test_an_earlier_venue_fills_the_time_before_binance_only() -> None:
    late = spot_1h("BTC", np.array([10.0, 11.0]), "2020-01-01T05:00")
    early = spot_1h("BTC", np.arange(1.0, 9.0), "2020-01-01T00:00", venue="bitstamp")
    found = hourly_prices(pd.concat([late, early]), "BTC")
    assert found.loc["2020-01-01T05:00"] == 5.0
    assert found.loc["2020-01-01T06:00"] == 10.0
    assert found.index.is_unique and found.index.max() == pd.Timestamp("2020-01-01T07:00")


@pytest.mark.parametrize("lead_hours", [0.0, 8.0])
def test_the_planted_past_is_found_whenever_the_rate_is_paid(lead_hours: float) -> None:
    paid, spot = market(300, 1, lead_hours)
    table = out_lead_lag(core_funding_payments=paid, core_spot_1h=spot)
    assert pick(table, "past3d")["ci_low"] > 0.85
    for kind in ("contemporaneous", "future3d"):
        assert pick(table, kind)["ci_low"] <= 0.0 <= pick(table, kind)["ci_high"]
    assert pick(table, "past3d_minus_future3d")["ci_low"] > 0.5
    assert pick(table, "xcorr_daily", -1)["estimate"] > 0.4
    assert abs(pick(table, "xcorr_daily", 2)["estimate"]) < 0.15
    assert pick(table, "decile", 10)["estimate"] > pick(table, "decile", 1)["estimate"]
    assert failed_checks(OUT_LEAD_LAG, table) == {}


def test_correlations_ignore_prices_after_the_windows() -> None:
    paid, spot = market(200, 2)
    late = spot.copy()
    last = paid["announced_at"].max() + pd.Timedelta(8, "h") + pd.Timedelta(3, "D")
    late.loc[late["bar_start"] >= last, "close"] *= 3
    one, two = (
        out_lead_lag(core_funding_payments=paid, core_spot_1h=table).query("kind != 'xcorr_daily'")
        for table in (spot, late)
    )
    pd.testing.assert_frame_equal(one, two)


def test_equal_rates_share_a_decile() -> None:
    values = np.array([1.0] * 50 + list(range(2, 52)))
    found = deciles(values)
    assert set(found[:50]) == {3.0}
    assert found[-1] == 10 and found[50] == 6
    assert deciles(np.arange(100.0)).tolist() == np.repeat(np.arange(1.0, 11.0), 10).tolist()


def test_a_bucket_of_everything_is_the_mean() -> None:
    """With the mean's error; its interval is no shorter, as it does not take the rows for alike."""
    values = ar1(200, 0.5, np.random.default_rng(0))
    found, mean = bucket_mean(values, np.ones(200, dtype=bool)).estimate(20), hac_mean(values, 20)
    assert (found.estimate, found.se, found.n, found.hac_lags) == (mean.estimate, mean.se, 200, 20)
    assert found.ci_low <= mean.ci_low < mean.ci_high <= found.ci_high


def test_bases_without_prices_are_left_out() -> None:
    paid, spot = market(100, 3)
    other = paid.assign(base="XRP", symbol="XRPUSD")
    table = out_lead_lag(core_funding_payments=pd.concat([paid, other]), core_spot_1h=spot)
    assert set(table["symbol"]) == {"BTCUSDT"}


@pytest.mark.slow
def test_no_relation_is_found_where_there_is_none() -> None:
    """Persistent funding beside independent returns: the interval of past3d holds zero in 90 of 100 seeds."""
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        spot = spot_1h("BTC", 100 * np.cumprod(1 + rng.normal(0, 0.006, 24 * 320)))
        paid = payments(1e-4 * ar1(900, 0.95, rng), "2020-01-08")
        row = pick(out_lead_lag(core_funding_payments=paid, core_spot_1h=spot), "past3d")
        held += row["ci_low"] <= 0.0 <= row["ci_high"]
    assert held >= 90, held


def test_the_ends_of_a_decile_table_by_hand() -> None:
    """Highest decile less lowest."""
    rng = np.random.default_rng(4)
    rate = rng.normal(size=400)
    after = 0.3 * rate + rng.normal(size=400)
    means = decile_means(after, rate)
    ends = means[10] - means[1]
    order = np.argsort(rate)
    low, high = order[:40], order[-40:]
    assert ends.value == pytest.approx(after[high].mean() - after[low].mean())
    assert ends.n == 80


def test_other_lags_are_days_in_rates_and_of_daily_correlations_in_days() -> None:
    paid, spot = market(300, 6)
    table = out_lead_lag(core_funding_payments=paid, core_spot_1h=spot)
    told = table[table["kind"].str.contains("_lags") & (table["period"] == "all")]
    assert {(row.kind, row.lag) for row in told.itertuples() if row.kind.startswith("xcorr_daily")} == {
        (f"xcorr_daily_lags{lags}", lag) for lags in (30, 60) for lag in (-1, 1)
    }
    assert set(told.loc[told["lag"] == 0, "kind"]) == {
        f"{kind}_lags{lags}" for kind in ROBUST if kind != "xcorr_daily" for lags in (90, 180)
    }
    assert (told["hac_lags"] == told["kind"].str.rpartition("_lags")[2].astype(int)).all()
    assert failed_checks(OUT_LEAD_LAG, table.assign(kind="past4d")) != {}
