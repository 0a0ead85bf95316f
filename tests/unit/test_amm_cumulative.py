"""Sums over days and their errors: the law of profit per volume, day by day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from perp_pipeline import contracts
from perp_pipeline.lake.tables import to_frame
from perp_pipeline.research.amm_cumulative import SUMS, out_amm_cumulative
from perp_pipeline.research.amm_profit import (
    bootstrap_sums,
    bootstrap_weights,
    profit_per_volume,
    ratio_bp,
)

CONTRACT = contracts.get("out_amm_cumulative")


def _days(n: int, seed: int = 0, first: str = "2021-11-01") -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    volume = generator.uniform(1e6, 3e6, n)
    flow = volume * generator.normal(3e-4, 10e-4, n)
    return pd.DataFrame(
        {
            "chain": "ethereum",
            "pool": "0xa",
            "day": pd.date_range(first, periods=n, freq="D"),
            "token0": "USDC",
            "token1": "WETH",
            "fee_bp": 5.0,
            "volume_usd": volume,
            "usd0_end": 1.0,
            "usd1_end": 2000.0,
            "fees_usd": volume * 5e-4,
            "convexity_flow_usd": flow,
            "convexity_formula_usd": volume * 3e-4,
            "variance_day": 4e-4,
            "return_day": 0.01,
            "pnl_usd": volume * 5e-4 - flow,
        }
    )


def _of(found: pd.DataFrame, quantity: str) -> pd.DataFrame:
    return found[found["quantity"] == quantity].sort_values("day").reset_index(drop=True)


@pytest.mark.parametrize("n", [8, 9, 26, 27, 28, 100])
def test_sums_of_the_replicates_are_those_of_their_weights(n: int) -> None:
    values = np.random.default_rng(n).normal(size=(2, n))
    sums = bootstrap_sums(list(values))
    np.testing.assert_allclose(sums[0], bootstrap_weights(n) @ values[0], atol=1e-9)
    np.testing.assert_allclose(sums[1], bootstrap_weights(n) @ values[1], atol=1e-9)


def test_the_last_day_agrees_with_profit_per_volume() -> None:
    days = _days(100)
    net = _of(out_amm_cumulative(core_amm_pool_day=days), "net").iloc[-1]
    # where volume does not vary, dollars and basis points of volume are the same question
    even = days.assign(volume_usd=1.0)
    marks = even[["chain", "pool", "day", "pnl_usd"]].assign(mark="1d", pnl_exchange_usd=np.nan)
    profit = profit_per_volume(even, marks)
    row = profit[(profit["period"] == "all") & (profit["numeraire"] == "USD")].iloc[0]
    for name in ("estimate", "se", "ci_low", "ci_high"):
        assert net[name] == pytest.approx(row[name] * 100 / 1e4)
    assert (net["n"], net["block_days"]) == (row["n"], row["block_days"])
    assert (net["window_start"], net["window_end"]) == (row["window_start"], row["window_end"])


def test_each_day_is_judged_by_the_days_so_far() -> None:
    days = _days(60)
    found = out_amm_cumulative(core_amm_pool_day=days)
    net, flow = _of(found, "net"), _of(found, "convexity_flow")
    np.testing.assert_allclose(net["estimate"], days["pnl_usd"].cumsum())
    first = days["pnl_usd"].to_numpy()[:30]
    _, se, low, high = ratio_bp(first, np.ones(30), bootstrap_weights(30))
    at = net.iloc[29]
    np.testing.assert_allclose([at["se"], at["ci_low"], at["ci_high"]], np.array([se, low, high]) * 30 / 1e4)
    # nothing that comes later changes what was said before
    later = days.assign(pnl_usd=days["pnl_usd"].where(days.index < 30, 1e9))
    np.testing.assert_array_equal(
        _of(out_amm_cumulative(core_amm_pool_day=later), "net").head(30)["ci_high"], net.head(30)["ci_high"]
    )
    # a few days are judged by Student's t, the first one not at all
    assert net["ci_low"].isna().tolist() == [True] + [False] * 59
    second = days["pnl_usd"].to_numpy()[:2]
    assert net["se"].iloc[1] == pytest.approx(np.ptp(second))
    assert net["ci_low"].tail(53).notna().all()
    fees = _of(found, "fees")
    np.testing.assert_allclose(fees["estimate"] - flow["estimate"], net["estimate"])


def test_the_error_of_a_sum_grows_with_the_root_of_its_days() -> None:
    n = 400
    days = _days(n).assign(pnl_usd=np.random.default_rng(3).normal(0, 1000, n))
    net = _of(out_amm_cumulative(core_amm_pool_day=days), "net").set_index("n")["se"]
    assert net[100] == pytest.approx(1000 * np.sqrt(100), rel=0.3)
    assert net[400] == pytest.approx(1000 * np.sqrt(400), rel=0.3)


def test_intervals_hold_the_expected_sum_as_often_as_they_say() -> None:
    held = []
    for seed in range(150):
        pnl = 10.0 + np.random.default_rng(seed).normal(0, 100, 60)
        net = _of(out_amm_cumulative(core_amm_pool_day=_days(60).assign(pnl_usd=pnl)), "net")
        row = net.iloc[-1]
        held.append(row["ci_low"] <= 600 <= row["ci_high"])
    assert 0.89 <= np.mean(held) <= 0.99


def test_sums_go_on_after_a_hole_and_leave_short_runs_out() -> None:
    lone = _days(3, first="2021-01-01")
    days = pd.concat([_days(10), _days(20, seed=1, first="2022-06-01"), lone], ignore_index=True)
    net = _of(out_amm_cumulative(core_amm_pool_day=days), "net")
    assert list(net["run"]) == [1] * 10 + [2] * 20
    assert list(net["n"]) == list(range(1, 31))
    assert net["estimate"].iloc[-1] == pytest.approx(days["pnl_usd"].iloc[:30].sum())
    assert net["window_start"].iloc[0] == pd.Timestamp("2021-11-01", tz="UTC")
    # the sum carries its error over the hole
    assert net["se"].iloc[10] > 0.5 * net["se"].iloc[9]


def test_the_table_keeps_its_contract_and_is_the_same_again() -> None:
    days = pd.concat([_days(12), _days(12, seed=4).assign(pool="0xb")], ignore_index=True)
    found = out_amm_cumulative(core_amm_pool_day=days)
    assert {column.name for column in CONTRACT.columns} == set(found.columns)
    assert set(found["quantity"]) == set(SUMS)
    assert not found.duplicated(list(CONTRACT.key)).any()
    assert all(check.passes(found).all() for check in CONTRACT.checks)
    shuffled = days.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(found, out_amm_cumulative(core_amm_pool_day=shuffled))


def test_no_pools_give_an_empty_table() -> None:
    none = to_frame(contracts.get("core_amm_pool_day").schema.empty_table())
    for frame in (none, pd.DataFrame(), _days(7)):
        found = out_amm_cumulative(core_amm_pool_day=frame)
        assert found.empty
        assert list(found.columns) == [column.name for column in CONTRACT.columns]
