"""The recovered map, the precision of premiums and the audit of rates, against planted truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from premium_frames import bars, hourly_premium, no_hyperliquid, opens_of, paid, rates, simulated, weighted

from perp_pipeline import contracts
from perp_pipeline.funding.payments import core_funding_payments
from perp_pipeline.funding.premium import core_premium
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.quality.suites import audit
from perp_pipeline.research.funding_audit import out_funding_audit, quantile, same
from perp_pipeline.research.premium_map import fit_map
from perp_pipeline.research.premium_precision import out_premium_precision
from perp_pipeline.research.premium_windows import Windows, every, premium_windows
from perp_pipeline.research.rate_atoms import FROM_RATES
from perp_pipeline.research.shares import hac_share
from perp_pipeline.theory.funding_map import BINANCE, FundingMap

RULE = FundingMap("binance", interest=0.0002, clamp=0.0004, cap=0.0012)


def lake(rule: FundingMap, windows: int = 1100, seed: int = 5) -> dict[str, pd.DataFrame]:
    """The three inputs, of a venue that pays by ``rule`` exactly."""
    closes = hourly_premium(windows, seed)
    payments, raw = paid(rates(rule, weighted(closes))), bars(closes)
    premium = core_premium(
        core_funding_payments=payments, raw_binance_premium=raw, raw_hyperliquid_funding=no_hyperliquid()
    )
    return {"core_premium": premium, "core_funding_payments": payments, "raw_binance_premium": raw}


def windows_of(tables: dict[str, pd.DataFrame]) -> Windows:
    (windows,) = premium_windows(**tables)
    return windows


def estimates(frame: pd.DataFrame, name: str, **where: str) -> pd.Series:
    kept = frame
    for column, value in where.items():
        kept = kept[kept[column] == value]
    return kept.set_index(name)["estimate"]


def test_the_planted_map_comes_back() -> None:
    found = fit_map(windows_of(lake(RULE)), 0.0001)
    for name in ("interest", "clamp", "cap", "interest_nls", "clamp_nls"):
        planted = getattr(RULE, name.removesuffix("_nls"))
        assert found[name].estimate == pytest.approx(planted, abs=2e-8), name
    assert found["slope"].estimate == pytest.approx(1.0, abs=1e-3)


def test_errors_of_the_premium_bias_the_regression_of_the_rate_and_not_the_other() -> None:
    """Samples miss the venue's average by noise: the clamp is still found, least squares puts it off."""
    inside, naive = 0, []
    for seed in range(20):
        tables = lake(BINANCE, seed=100 + seed)
        noise = np.random.default_rng(seed).normal(0.0, 0.0001, len(tables["core_premium"]))
        tables["core_premium"]["premium_mean"] += noise
        found = fit_map(windows_of(tables), BINANCE.interest)
        inside += found["clamp"].ci_low <= BINANCE.clamp <= found["clamp"].ci_high
        naive.append(found["clamp_nls"].estimate - BINANCE.clamp)
    assert inside >= 17
    assert abs(np.mean(naive)) > 1e-5


def test_no_flat_zone_a_clamp_of_zero_and_no_cap_where_none_is_reached() -> None:
    bare = fit_map(windows_of(lake(FundingMap("binance", clamp=0.0))), 0.0001)
    assert bare["clamp"].estimate == pytest.approx(0.0, abs=1e-8)
    assert bare["slope"].estimate == pytest.approx(1.0, abs=1e-3)
    assert "interest" not in bare
    assert "cap" not in fit_map(windows_of(lake(FundingMap("binance"))), 0.0001)
    assert fit_map(windows_of(lake(FundingMap("binance", clamp=0.5))), 0.0001) == {}


def test_a_slope_of_one_asks_for_the_venues_own_weights() -> None:
    """A premium that reverts inside the window, sampled every minute by the venue, seen in hourly bars.

    The line from open to close leaves the slope at one; one close an hour dates the window late and does not.
    """
    rng = np.random.default_rng(4)
    windows, fast = 4000, 0.99
    level = np.repeat(rng.normal(0.0, 0.0008, windows), 480)
    shocks = rng.normal(0.0, 0.0004 * np.sqrt(1 - fast**2), windows * 480)
    path = np.empty_like(shocks)
    path[0] = shocks[0]
    for t in range(1, len(path)):
        path[t] = fast * path[t - 1] + shocks[t]
    path = np.linspace(0, 1, 480)[::-1][None, :] * level.reshape(-1, 480) + path.reshape(-1, 480)
    minutes = np.arange(1.0, 481)
    rate = rates(BINANCE, path @ minutes / minutes.sum())
    hours = path.reshape(windows, 8, 60)
    raw = bars(hours[:, :, -1], opens=hours[:, :, 0])
    table = core_premium(
        core_funding_payments=paid(rate), raw_binance_premium=raw, raw_hyperliquid_funding=no_hyperliquid()
    )
    tables = {"core_premium": table, "core_funding_payments": paid(rate), "raw_binance_premium": raw}
    line = windows_of(tables)
    close = replace(line, mean=every(line.closes, 1))
    by_line, by_close = (fit_map(found, BINANCE.interest)["slope"] for found in (line, close))
    assert by_line.ci_low < 1.0 < by_line.ci_high
    assert by_close.ci_high < 1.0
    assert abs(by_line.estimate - 1.0) < 0.2 * abs(by_close.estimate - 1.0)


def test_an_exact_venue_is_audited_exactly() -> None:
    found = out_funding_audit(**lake(BINANCE))
    contract = contracts.get("out_funding_audit")
    assert all(check.passed for check in audit(contract, to_arrow(contract, found)))
    told = estimates(found, "statistic", period="all")
    shares = found[found["statistic"].str.startswith("share_")]
    assert shares[["ci_low", "ci_high"]].stack().between(0.0, 1.0).all()
    for name in ("share_exact", "share_exact_off_default", "share_default_agrees"):
        assert told[name] == 1.0
    assert told["max_absolute_error"] < 1095 * 0.51e-8
    assert told["share_exact_off_default_8h"] < 0.01
    assert told["mean_absolute_error_8h"] > told["mean_absolute_error_flat"] > told["mean_absolute_error"]
    assert told["mean_absolute_error_close"] > told["mean_absolute_error"]
    assert set(found["period"]) >= {"all", "2023", "2024"}
    asked = out_funding_audit(**lake(BINANCE), periods=("2023-07..2023-09",))
    row = asked[(asked["period"] == "2023-07..2023-09") & (asked["statistic"] == "share_exact")].iloc[0]
    assert row["n"] == 92 * 3


def test_a_venue_that_cheats_is_found_out() -> None:
    tables = lake(BINANCE)
    cheated = tables["core_funding_payments"]["rate"].copy()
    cheated.iloc[::4] = (cheated.iloc[::4] + 0.0001).round(8)
    tables["core_funding_payments"] = tables["core_funding_payments"].assign(rate=cheated)
    told = estimates(out_funding_audit(**tables), "statistic", period="all")
    assert told["share_exact"] == pytest.approx(0.75)
    assert told["mean_error"] == pytest.approx(-0.0001 * 1095 / 4, rel=1e-4)
    assert told["mean_absolute_error"] == pytest.approx(0.0001 * 1095 / 4, rel=1e-4)
    assert told["p95_absolute_error"] == pytest.approx(0.0001 * 1095, rel=1e-4)


def test_errors_against_loops_over_the_definitions() -> None:
    """The second route: each number again, window by window."""
    tables = lake(BINANCE, windows=300)
    rate, closes = (
        tables["core_funding_payments"]["rate"].to_numpy(),
        tables["raw_binance_premium"]["close"].to_numpy().reshape(-1, 8),
    )
    exact, sizes, squares = 0, [], []
    opens = opens_of(closes)
    for first, window, published in zip(opens, closes, rate, strict=True):
        last = weighted(window[None, -1:], first[None, :1], samples=5760)[0]
        made = last + min(max(0.0001 - last, -0.0005), 0.0005)
        made = min(max(made, -0.003), 0.003)
        exact += abs(made - published) < 0.5001e-8
        sizes.append(abs(made - published) * 3 * 365)
        if abs(published - 0.0001) > 1e-8 and abs(published) < 0.003 - 1e-8:
            implied = published + (0.0005 if published > 0.0001 else -0.0005)
            squares.append((last - implied) ** 2)
    told = estimates(out_funding_audit(**tables), "statistic", period="all")
    assert told["share_exact_8h"] == pytest.approx(exact / len(rate))
    assert told["mean_absolute_error_8h"] == pytest.approx(sum(sizes) / len(sizes))
    assert told["max_absolute_error_8h"] == pytest.approx(max(sizes))
    precise = estimates(out_premium_precision(**tables), "quantity", period="all")
    assert precise["error_8h"] == pytest.approx((sum(squares) / len(squares)) ** 0.5)
    assert precise["error_1h"] < 1e-8
    inside = sum(abs(value) <= 0.002 for value in closes.ravel()) / closes.size
    assert precise["share_inside_fee"] == pytest.approx(inside)
    assert precise["premium_sd"] == pytest.approx(closes.std())


def test_precision_table() -> None:
    found = out_premium_precision(**lake(BINANCE))
    contract = contracts.get("out_premium_precision")
    assert all(check.passed for check in audit(contract, to_arrow(contract, found)))
    told = estimates(found, "quantity", period="all", venue="binance", base="BTC")
    assert told["error_1h"] < told["error_2h"] < told["error_4h"] < told["error_8h"]
    assert told["share_explained_0h_left"] > 1 - 1e-6
    left = [told[f"share_explained_{hours}h_left"] for hours in range(8)]
    assert left == sorted(left, reverse=True)
    assert told["share_explained_instant_4h_left"] < told["share_explained_0h_left"]
    weights = [told[f"weight_{place}_of_8"] for place in range(1, 9)]
    np.testing.assert_allclose(weights, np.arange(1, 16, 2) / 64, atol=0.01)
    assert 1.0 < told["n_effective"] < 64**2 / 680 + 0.5
    assert told["error_exponent"] > 0.0 and told["error_1min_extrapolated"] < told["error_2h"]
    assert (found.loc[found["quantity"].str.startswith("share_"), "ci_high"] <= 1.0).all()
    assert told["se_mean"] > told["se_mean_independent"]


def test_half_life_of_excursions() -> None:
    tables = lake(BINANCE)
    raw = tables["raw_binance_premium"]
    decay = np.full(len(raw), 1e-4)
    for start in range(50, len(raw) - 40, 100):
        decay[start : start + 40] += 0.01 * 0.5 ** (np.arange(40) / 2.0)
    tables["raw_binance_premium"] = raw.assign(open=decay, close=decay)
    told = estimates(out_premium_precision(**tables), "quantity", period="all")
    assert told["half_life_outside_hours"] == pytest.approx(2.0, abs=1e-3)


def test_a_change_of_the_published_map_splits_the_fit_and_not_the_audit() -> None:
    hours = 24 * 60
    ends = pd.date_range("2023-06-01 01:00", periods=hours, freq="1h", tz="UTC", unit="us")
    premium = np.round(np.random.default_rng(1).normal(0.0, 0.0006, hours), 8)
    naive = ends.tz_localize(None)
    clamp = np.select(
        [naive < pd.Timestamp("2023-06-16 20:30"), naive < pd.Timestamp("2023-07-15 02:30")], [0.0003, 0.0],
        0.0003,
    )  # fmt: skip
    eighth = (premium + np.clip(0.0001 - premium, -clamp, clamp)) / 8.0
    payments = paid(np.round(eighth, 10), "hyperliquid", "BTC", 1)
    printed = pd.DataFrame({"symbol": "BTC", "timestamp": ends, "premium": premium})
    raw = bars(hourly_premium(2, 1)).iloc[:0]
    table = core_premium(
        core_funding_payments=payments, raw_binance_premium=raw, raw_hyperliquid_funding=printed
    )
    tables = {"core_premium": table, "core_funding_payments": payments, "raw_binance_premium": raw}
    told = estimates(out_funding_audit(**tables), "statistic", period="all")
    assert told["share_exact"] == 1.0
    precise = out_premium_precision(**tables, periods=("2023-07..2023-07",))
    told = estimates(precise, "quantity", period="all")
    eras = {"2023-01-01": 0.0003, "2023-06-16": 0.0, "2023-07-15": 0.0003}
    for since, planted in eras.items():
        assert told[f"clamp_since_{since}"] == pytest.approx(planted, abs=1e-8), since
    assert "clamp" not in told.index and "interest_since_2023-06-16" not in told.index
    rows = precise[precise["period"] == "all"].set_index("quantity")
    assert rows.loc["clamp_since_2023-06-16", "window_start"] >= pd.Timestamp("2023-06-16 20:30", tz="UTC")
    assert rows.loc["clamp_since_2023-06-16", "window_end"] <= pd.Timestamp("2023-07-15 02:30", tz="UTC")
    assert "se_mean" not in set(precise["quantity"])


def test_equal_to_the_printed_digits() -> None:
    digit = np.full(3, 1e-8)
    published = np.array([0.0001, 0.00012345, -0.0002])
    assert same(published + np.array([4.9e-9, -4.9e-9, 0.0]), published, digit).all()
    assert not same(published + 5.2e-9, published, digit).any()
    eight = windows_of(lake(BINANCE, windows=100))
    assert (eight.digit == 1e-8).all()


def test_quantile_error_against_the_textbook_value() -> None:
    """Independent normal values: the median's standard error is 1.2533 / sqrt(n)."""
    windows = windows_of(lake(BINANCE, windows=900))
    errors = [quantile(windows, np.random.default_rng(s).normal(size=900), 0.5).se for s in range(30)]
    assert np.mean(errors) == pytest.approx(1.2533 / 30.0, rel=0.15)


def test_no_premium_no_rows_but_those_of_rates_alone() -> None:
    tables = lake(BINANCE, windows=100)
    for name in ("core_premium", "raw_binance_premium"):
        tables[name] = to_frame(contracts.get(name).schema.empty_table())
    assert set(out_premium_precision(**tables)["quantity"]) <= set(FROM_RATES)
    assert out_funding_audit(**tables).empty


@pytest.mark.slow
def test_the_simulated_market_gives_its_planted_map(tmp_path: Path) -> None:
    raw = simulated(tmp_path, "2023-06", "2024-12", seed=11)
    from perp_pipeline.simulation.parameters import Planted

    empty = {
        name: to_frame(contracts.get(name).schema.empty_table())
        for name in ("raw_bitmex_funding", "raw_bitmex_bucketed", "raw_pinned_funding")
    }
    payments = core_funding_payments(raw_binance_funding=raw["raw_binance_funding"], **empty).frame
    premium = core_premium(
        core_funding_payments=payments,
        raw_binance_premium=raw["raw_binance_premium"],
        raw_hyperliquid_funding=no_hyperliquid(),
    )
    tables = {
        "core_premium": premium,
        "core_funding_payments": payments,
        "raw_binance_premium": raw["raw_binance_premium"],
    }
    precise, audited = out_premium_precision(**tables), out_funding_audit(**tables)
    for symbol, base in (("BTCUSDT", "BTC"), ("ETHUSDT", "ETH")):
        planted = Planted().perp("binance", symbol).rate_map
        told = estimates(precise, "quantity", period="all", base=base)
        assert told["interest"] == pytest.approx(planted.interest, abs=1e-8)
        assert told["clamp"] == pytest.approx(planted.clamp, abs=1e-8)
        if "cap" in told:
            assert told["cap"] == pytest.approx(planted.cap, abs=1e-8)
        # The published map of the real venue has a wider cap: only capped rates differ.
        rate = payments[payments["symbol"] == symbol]["rate"]
        capped = float((rate.abs() >= planted.cap - 1e-9).mean())
        share = estimates(audited, "statistic", period="all", symbol=symbol)["share_exact"]
        assert share == pytest.approx(1.0 - capped, abs=2e-3)


def test_what_claims_judge_is_told_at_other_lags() -> None:
    """30, 60 and 120 days of windows of 8 hours; 250 days are more than a third of the sample."""
    tables = lake(RULE)
    precision, checked = out_premium_precision(**tables), out_funding_audit(**tables)
    judged = ("clamp", "interest", "slope", "weight_4_of_8", "share_inside_fee", "se_mean")
    for frame, key, names in (
        (precision, "quantity", judged),
        (checked, "statistic", ("p95_absolute_error", "share_exact")),
    ):
        for period, lags in (("all", {90, 180, 360}), ("2023", set())):
            rows = frame[frame["period"] == period].set_index(key)
            told = {name for name in rows.index if "_lags" in name}
            # The slope stands on the windows off the flat zone alone.
            allowed = {name: int(rows.loc[name, "n"]) // 3 if name == "slope" else 366 for name in names}
            assert told == {f"{name}_lags{k}" for name in names for k in lags if k <= allowed[name]}
            for name in told:
                own, head = rows.loc[name], rows.loc[name.partition("_lags")[0]]
                assert own["hac_lags"] == int(name.partition("_lags")[2])
                assert own["estimate"] == pytest.approx(head["estimate"], rel=1e-12)
                assert own["n"] == head["n"]


def test_a_bandwidth_is_that_of_the_error() -> None:
    """Shares at 180 lags are hac_share at 180 lags, and the premium's weight is least squares with them."""
    tables = lake(RULE)
    windows = windows_of(tables)
    precision = out_premium_precision(**tables)
    row = precision[(precision["period"] == "all") & (precision["quantity"] == "share_inside_fee_lags180")]
    inside = (np.abs(windows.closes) <= 0.002).mean(axis=1)
    assert row["se"].item() == pytest.approx(hac_share(inside, 180).se, rel=1e-12)
    assert row["ci_low"].item() == pytest.approx(hac_share(inside, 180).ci_low, rel=1e-12)
