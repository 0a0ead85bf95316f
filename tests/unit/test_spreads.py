"""out_venue_spreads on small tables with known contents."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from funding_frames import ar1, daily, implied

from perp_pipeline.contracts import results
from perp_pipeline.research.spreads import out_venue_spreads, out_venue_spreads_monthly
from perp_pipeline.research.statistics import hac_mean, persistent_lags

COMMON = ar1(1000, 0.97, 1, mean=0.1, sd=0.2)
BINANCE = COMMON + 0.1 + ar1(1000, 0.5, 2, sd=0.05)
BITMEX = COMMON + ar1(1000, 0.5, 3, sd=0.05)


@pytest.fixture(scope="module")
def spreads() -> pd.DataFrame:
    funding = pd.concat(
        [
            daily("binance", "BTCUSDT", "BTC", BINANCE),
            daily("bitmex", "XBTUSD", "BTC", np.concatenate([np.zeros(50), BITMEX]), first="2019-07-22"),
            daily("bitmex", "XBTUSDT", "BTC", BITMEX[300:] + 0.06, first="2020-07-06"),
            daily("binance", "ETHUSDT", "ETH", BINANCE),
        ],
        ignore_index=True,
    )
    return out_venue_spreads(
        core_funding_daily=funding,
        core_cme_implied=implied(np.full(500, 0.04)),
        periods=("2021-02",),
    )


def test_contract(spreads: pd.DataFrame) -> None:
    contract = results.OUT_VENUE_SPREADS
    assert set(spreads.columns) == {column.name for column in contract.columns}
    assert not spreads.duplicated(list(contract.key)).any()
    for check in contract.checks:
        assert check.passes(spreads).all(), check.name


def test_difference_over_common_days(spreads: pd.DataFrame) -> None:
    pair = spreads[
        (spreads["symbol_a"] == "BTCUSDT") & (spreads["symbol_b"] == "XBTUSD") & (spreads["period"] == "all")
    ].iloc[0]
    expected = hac_mean(BINANCE - BITMEX, persistent_lags(BINANCE - BITMEX))
    assert pair["n"] == 1000
    assert pair["estimate"] == pytest.approx(expected.estimate)
    assert pair["se"] == pytest.approx(expected.se)
    assert pair["correlation"] == pytest.approx(np.corrcoef(BINANCE, BITMEX)[0, 1])
    assert pair["gap_p95"] == pytest.approx(np.quantile(np.abs(BINANCE - BITMEX), 0.95))
    assert pair["ci_low"] < 0.1 < pair["ci_high"]


def test_headline_is_one_row_by_the_short_key(spreads: pd.DataFrame) -> None:
    headline = spreads[spreads["headline"]]
    assert not headline.duplicated(["venue_a", "venue_b", "base", "period"]).any()
    whole = headline[headline["period"] == "all"]
    assert set(zip(whole["venue_a"], whole["venue_b"], strict=True)) == {
        ("binance", "bitmex"),
        ("binance", "cme"),
        ("bitmex", "cme"),
    }
    assert set(whole.loc[whole["venue_b"] == "cme", "method_b"]) == {"calendar_x12"}
    assert set(whole.loc[whole["venue_b"] == "bitmex", "symbol_b"]) == {"XBTUSD"}


def test_both_cme_methods_and_pairs_within_a_venue(spreads: pd.DataFrame) -> None:
    whole = spreads[spreads["period"] == "all"]
    cme = whole[(whole["symbol_a"] == "BTCUSDT") & (whole["venue_b"] == "cme")]
    assert set(cme["method_b"]) == {"calendar", "calendar_x12"}
    assert (cme["n"] == 500).all()
    assert cme["correlation"].isna().all()
    margin = whole[(whole["symbol_a"] == "XBTUSD") & (whole["symbol_b"] == "XBTUSDT")].iloc[0]
    assert margin["estimate"] == pytest.approx(-0.06)
    assert not ((spreads["venue_a"] == "cme") & (spreads["venue_b"] == "cme")).any()


def test_no_pair_is_an_empty_table() -> None:
    alone = out_venue_spreads(
        core_funding_daily=daily("binance", "BTCUSDT", "BTC", BINANCE), core_cme_implied=implied(np.array([]))
    )
    assert alone.empty
    assert set(alone.columns) == {column.name for column in results.OUT_VENUE_SPREADS.columns}


def test_months_of_headline_pairs_are_the_spreads_of_those_months() -> None:
    funding = pd.concat(
        [
            daily("binance", "BTCUSDT", "BTC", BINANCE),
            daily("bitmex", "XBTUSD", "BTC", BITMEX),
            daily("bitmex", "XBTUSDT", "BTC", BITMEX[300:] + 0.06, first="2020-07-06"),
        ],
        ignore_index=True,
    )
    futures = implied(np.full(500, 0.04))
    found = out_venue_spreads_monthly(core_funding_daily=funding, core_cme_implied=futures)
    contract = results.OUT_VENUE_SPREADS_MONTHLY
    assert set(found.columns) == {column.name for column in contract.columns}
    assert not found.duplicated(list(contract.key)).any()
    assert all(check.passes(found).all() for check in contract.checks)
    assert "XBTUSDT" not in set(found["symbol_b"])
    whole = out_venue_spreads(
        core_funding_daily=funding, core_cme_implied=futures, periods=("2020-02", "2021-02")
    )
    for month in ("2020-02", "2021-02"):
        for _, row in found[found["month"] == month].iterrows():
            same = whole[
                whole["headline"] & (whole["period"] == month) & (whole["venue_b"] == row["venue_b"])
            ]
            same = same[same["venue_a"] == row["venue_a"]].iloc[0]
            for name in ("estimate", "se", "ci_low", "ci_high", "n", "window_start", "hac_lags"):
                assert row[name] == same[name], name
