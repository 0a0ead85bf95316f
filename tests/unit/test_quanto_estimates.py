"""Quanto estimates: identities, bad prices kept out and counted, alignment of funding, planted covariance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from research_frames import daily, failed_checks, grid_8h, payments, returns_8h

from perp_pipeline.contracts.positions import OUT_QUANTO, QUANTO_JUDGED
from perp_pipeline.research.quanto import out_quanto
from perp_pipeline.research.quanto_prices import clean_prices
from perp_pipeline.research.statistics import hac_mean


def market(windows: int, seed: int, rho: float = 0.8, funding: float = 5e-4) -> dict[str, pd.DataFrame]:
    """ETH and BTC 8-hour returns with sd 3 % and 2 % and correlation rho; ETHUSD funding around a mean."""
    rng = np.random.default_rng(seed)
    b = rng.normal(size=windows)
    e = rho * b + (1 - rho**2) ** 0.5 * rng.normal(size=windows)
    prices = {
        "ETH": 200 * np.cumprod(np.concatenate([[1.0], 1 + 0.001 + 0.03 * e])),
        "BTC": 9000 * np.cumprod(np.concatenate([[1.0], 1 + 0.0005 + 0.02 * b])),
    }
    paid = payments(
        funding + 1e-4 * rng.normal(size=windows),
        venue="bitmex",
        symbol="ETHUSD",
        base="ETH",
        contract_type="quanto",
        margin_asset="BTC",
    )
    return {
        "core_funding_payments": paid,
        "core_funding_8h": grid_8h(paid),
        "core_funding_daily": daily(paid),
        "core_returns_8h": pd.concat([returns_8h(base, close) for base, close in prices.items()]),
    }


def values(table: pd.DataFrame, frequency: str = "8h", period: str = "all") -> pd.Series:
    rows = table[(table["frequency"] == frequency) & (table["period"] == period)]
    return rows.set_index("quantity")["estimate"]


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return market(3 * 500, 1)


@pytest.fixture(scope="module")
def table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return out_quanto(**tables).frame


def test_estimates_by_hand(tables: dict[str, pd.DataFrame], table: pd.DataFrame) -> None:
    wide = tables["core_returns_8h"].pivot(index="window_end", columns="base", values="close")
    r = wide.pct_change().dropna()
    e, b = r["ETH"], r["BTC"]
    found = values(table)
    cov = float(np.cov(e, b, bias=True)[0, 1])
    assert found["asset_return"] == pytest.approx(1095 * e.mean())
    assert found["perp_return"] == pytest.approx(1095 * (e * (1 + b)).mean())
    assert found["covariance"] == pytest.approx(1095 * cov)
    assert found["product_of_means"] == pytest.approx(1095 * e.mean() * b.mean())
    assert found["vol_base"] == pytest.approx(1095**0.5 * e.std(ddof=0))
    assert found["vol_margin"] == pytest.approx(1095**0.5 * b.std(ddof=0))
    assert found["corr"] == pytest.approx(np.corrcoef(e, b)[0, 1])
    assert found["corr"] * found["vol_base"] * found["vol_margin"] == pytest.approx(found["covariance"])
    assert found["asset_return_log"] == pytest.approx(1095 * np.log1p(e).mean())
    assert found["perp_return_log"] == pytest.approx(1095 * np.log1p(e * (1 + b)).mean())
    assert found["funding"] == pytest.approx(tables["core_funding_8h"]["rate_annual"].mean())
    assert found["net_funding"] == pytest.approx(found["funding"] - found["covariance"])


@pytest.mark.parametrize("frequency", ["8h", "daily"])
def test_difference_is_covariance_plus_product_of_means(table: pd.DataFrame, frequency: str) -> None:
    for period in ("all", "2020"):
        found = values(table, frequency, period)
        assert found["difference"] == pytest.approx(found["perp_return"] - found["asset_return"])
        assert found["difference"] == pytest.approx(found["covariance"] + found["product_of_means"])


def test_the_table_keeps_its_contract(table: pd.DataFrame) -> None:
    assert failed_checks(OUT_QUANTO, table) == {}
    assert set(table["n_kept_out"]) == {0}


def test_a_change_of_the_price_source_is_no_return(
    tables: dict[str, pd.DataFrame], table: pd.DataFrame
) -> None:
    """Later closes are of a venue that prints 1 % more; each return is one venue's own."""
    moved = tables["core_returns_8h"].reset_index(drop=True)
    later = moved["window_end"] > moved["window_end"].quantile(0.6)
    moved.loc[later, "close"] *= 1.01
    built = out_quanto(**tables | {"core_returns_8h": moved}).frame
    pd.testing.assert_frame_equal(built, table)


def test_bad_prices_do_not_enter_and_are_counted(
    tables: dict[str, pd.DataFrame], table: pd.DataFrame
) -> None:
    """Two zeros and a run of five equal prices: seven windows or so less, nothing else moves much."""
    spoilt = tables["core_returns_8h"].reset_index(drop=True)
    eth = spoilt.index[spoilt["base"] == "ETH"]
    spoilt.loc[eth[[100, 400]], "close"] = 0.0
    spoilt.loc[eth[700:705], "close"] = spoilt.loc[eth[700], "close"]
    built = out_quanto(**tables | {"core_returns_8h": spoilt})
    everything = built.frame[built.frame["period"] == "all"].set_index(["frequency", "quantity"])
    row = everything.loc[("8h", "asset_return")]
    assert row["n_kept_out"] == 6
    # A price kept out takes two returns with it; the frozen run of four takes five.
    assert row["n"] == 1500 - 2 - 2 - 5
    assert values(built.frame)["vol_base"] == pytest.approx(values(table)["vol_base"], rel=0.01)
    assert set(built.dropped["reason"]) == {"zero or negative price", "the price stands still"}
    assert "ETH 2020-02-03T08:00:00Z" in set(built.dropped["key"])
    assert len(built.dropped) == 6
    assert failed_checks(OUT_QUANTO, built.frame) == {}


def test_two_equal_prices_are_no_frozen_run() -> None:
    days = pd.date_range("2020-01-01", periods=6)
    prices = clean_prices(pd.Series([1.0, 2.0, 2.0, 3.0, np.nan, np.nan], days), "t", "n")
    assert prices.dropped.empty and prices.close.notna().sum() == 4


def test_a_missing_window_is_not_bridged(tables: dict[str, pd.DataFrame], table: pd.DataFrame) -> None:
    rows = tables["core_returns_8h"]
    gap = rows[~((rows["base"] == "BTC") & (rows["window_end"] == "2020-03-01T08:00Z"))]
    found = out_quanto(**tables | {"core_returns_8h": gap}).frame
    n = found.set_index(["frequency", "quantity", "period"])["n"]
    assert n["8h", "asset_return", "all"] == 1500 - 2
    assert n["daily", "asset_return", "all"] == 500


def test_daily_funding_belongs_to_the_return_of_its_day(tables: dict[str, pd.DataFrame]) -> None:
    part = dict(tables)
    one = part["core_funding_daily"].copy()
    one["rate_annual"] = np.where(one["day"] < "2021-01-01", 1.0, 2.0)
    part["core_funding_daily"] = one
    found = out_quanto(**part).frame
    assert values(found, "daily", "2020")["funding"] == pytest.approx(1.0)
    assert values(found, "daily", "2021")["funding"] == pytest.approx(2.0)


def test_the_venues_own_prices_are_a_second_opinion(
    tables: dict[str, pd.DataFrame], table: pd.DataFrame
) -> None:
    bars = []
    for base, symbol in {"ETH": "ETHUSD", "BTC": "XBTUSD"}.items():
        rows = tables["core_returns_8h"][tables["core_returns_8h"]["base"] == base]
        midnight = rows[rows["window_end"].dt.hour == 0]
        bars.append(
            pd.DataFrame(
                {
                    "symbol": symbol,
                    "bin_size": "1d",
                    "timestamp": midnight["window_end"],
                    "close": midnight["close"] * 1.01,
                }
            )
        )
    found = out_quanto(**tables, raw_bitmex_bucketed=pd.concat(bars)).frame
    traded, spot = values(found, "daily_perp"), values(table, "daily")
    pd.testing.assert_series_equal(traded, spot, check_names=False)


def test_prices_at_payments_share_the_hours_of_the_funding() -> None:
    """A contract that pays at 04, 12 and 20 hours: returns, covariance and funding on that grid."""
    rng = np.random.default_rng(6)
    n = 600
    tables = market(n, 1)
    frames = []
    for symbol, base, kind in (("ETHUSD", "ETH", "quanto"), ("XBTUSD", "BTC", "inverse")):
        paid = payments(
            5e-4 + 1e-4 * rng.normal(size=n),
            "2020-01-01T12:00",
            venue="bitmex",
            symbol=symbol,
            base=base,
            contract_type=kind,
            margin_asset="BTC",
            lead_hours=8,
        )
        frames.append(paid.assign(perp_price=100 * np.cumprod(1 + 0.02 * rng.normal(size=n))))
    tables["core_funding_payments"] = pd.concat(frames)
    rows = (
        out_quanto(**tables).frame.query("frequency == '8h_paid' and period == 'all'").set_index("quantity")
    )
    e, b = (frame["perp_price"].pct_change().dropna().to_numpy() for frame in frames)
    assert rows.loc["perp_return", "estimate"] == pytest.approx(1095 * (e * (1 + b)).mean())
    assert rows.loc["funding", "estimate"] == pytest.approx(frames[0]["rate_annual"].iloc[1:].mean())
    assert rows.loc["funding", "n"] == n - 1


def test_linear_less_inverse_funding(tables: dict[str, pd.DataFrame]) -> None:
    rng = np.random.default_rng(5)
    inverse = payments(1e-4 * rng.normal(size=900), venue="bitmex", symbol="XBTUSD", contract_type="inverse")
    linear = payments(inverse["rate"].to_numpy() + 6e-5, venue="bitmex", symbol="XBTUSDT")
    both = pd.concat([tables["core_funding_payments"], inverse, linear])
    extended = tables | {
        "core_funding_payments": both,
        "core_funding_8h": grid_8h(both),
        "core_funding_daily": daily(both),
    }
    rows = out_quanto(**extended).frame.query("quantity == 'linear_minus_inverse' and period == 'all'")
    assert set(rows["symbol"]) == {"XBTUSDT"}
    assert rows["estimate"].tolist() == pytest.approx([6e-5 * 1095] * 2)


@pytest.mark.slow
def test_planted_covariance_and_net_funding_are_recovered() -> None:
    """Covariance 1095 x 0.8 x 3 % x 2 %, funding 5e-4 a payment: intervals hold both in 90 of 100 seeds."""
    truth = {"covariance": 1095 * 0.8 * 0.03 * 0.02, "funding": 1095 * 5e-4, "corr": 0.8}
    truth["net_funding"] = truth["funding"] - truth["covariance"]
    held = dict.fromkeys(truth, 0)
    for seed in range(100):
        rows = out_quanto(**market(1500, seed)).frame.query("frequency == '8h' and period == 'all'")
        rows = rows.set_index("quantity")
        for name, value in truth.items():
            held[name] += rows.loc[name, "ci_low"] <= value <= rows.loc[name, "ci_high"]
    assert min(held.values()) >= 90, held


def test_what_claims_judge_is_told_at_other_lags(
    tables: dict[str, pd.DataFrame], table: pd.DataFrame
) -> None:
    """On 8-hour spot prices alone, at 30, 60 and 120 days of windows; 250 days are over a third of them."""
    told = table[table["quantity"].str.contains("_lags")]
    assert set(told["frequency"]) == {"8h"}
    whole = told[told["period"] == "all"].set_index("quantity")
    assert set(whole.index) == {f"{name}_lags{lags}" for name in QUANTO_JUDGED for lags in (90, 180, 360)}
    heads = table[(table["frequency"] == "8h") & (table["period"] == "all")].set_index("quantity")
    for name, row in whole.iterrows():
        head, _, lags = str(name).partition("_lags")
        assert row["hac_lags"] == int(lags)
        assert row["estimate"] == heads.loc[head, "estimate"]
    funding = tables["core_funding_8h"]["rate_annual"].to_numpy()
    by_hand = hac_mean(funding, 360)
    assert whole.loc["funding_lags360", "se"] == pytest.approx(by_hand.se, rel=1e-9)
    assert whole.loc["funding_lags360", "ci_high"] == pytest.approx(by_hand.ci_high, rel=1e-9)
