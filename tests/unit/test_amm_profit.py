"""Profit per volume: ratio, bootstrap, periods, numeraires."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from perp_pipeline import contracts
from perp_pipeline.lake.tables import to_frame
from perp_pipeline.research.amm_profit import (
    block_days,
    bootstrap_weights,
    few_blocks,
    profit_per_volume,
    ratio_bp,
    share,
)


def _days(n: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    generator = np.random.default_rng(seed)
    day = pd.date_range("2021-11-01", periods=n, freq="D")
    volume = generator.uniform(1e6, 3e6, n)
    pnl = volume * generator.normal(2e-4, 10e-4, n)
    days = pd.DataFrame(
        {
            "chain": "ethereum",
            "pool": "0xa",
            "day": day,
            "token0": "USDC",
            "token1": "WETH",
            "fee_bp": 5.0,
            "volume_usd": volume,
            "usd0_end": 1.0,
            "usd1_end": 2000.0 + np.arange(n),
            "fees_usd": volume * 5e-4,
            "convexity_formula_usd": volume * 3e-4,
            "variance_day": 4e-4,
            "return_day": 0.01,
            "pnl_usd": pnl,
        }
    )
    marks = pd.concat(
        [
            days[["chain", "pool", "day"]].assign(mark=mark, pnl_usd=pnl * scale, pnl_exchange_usd=exchange)
            for mark, scale, exchange in (("0", 2.0, np.nan), ("1d", 1.0, pnl + 1.0))
        ]
    )
    return days, marks


def test_the_table() -> None:
    days, marks = _days(100)
    found = profit_per_volume(days, marks)
    row = found[(found["period"] == "2021") & (found["mark"] == "1d") & (found["numeraire"] == "USD")].iloc[0]
    own = days[days["day"].dt.year == 2021]
    assert row["n_days"] == row["n"] == 61
    assert row["estimate"] == pytest.approx(1e4 * own["pnl_usd"].sum() / own["volume_usd"].sum())
    assert row["fee_bp"] == pytest.approx(5.0)
    assert row["convexity_flow_bp"] == pytest.approx(5.0 - row["estimate"])
    assert row["convexity_formula_bp"] == pytest.approx(3.0)
    assert row["convexity_gap_bp"] == pytest.approx(2.0 - row["estimate"])
    # fees are 5 bp every day and the formula 3: the gap is as uncertain as the profit
    assert row["convexity_gap_se"] == pytest.approx(row["se"])
    assert row["convexity_gap_ci_low"] == pytest.approx(2.0 - row["ci_high"])
    assert row["fee_se"] == pytest.approx(0.0, abs=1e-12)
    # a return of 1 % against a variance of four such squares: three quarters of the formula less
    assert row["convexity_trend_bp"] == pytest.approx(-2.25)
    assert row["win_share_ci_low"] < row["win_share"] < row["win_share_ci_high"]
    assert row["win_share"] == (own["pnl_usd"] > 0).mean()
    assert row["ci_low"] < row["estimate"] < row["ci_high"]
    assert {"all", "2021", "2022", "2021-11", "2021-12", "2022-01", "2022-02"} <= set(found["period"])
    assert set(found["numeraire"]) == {"USD", "WETH"}
    names = {column.name for column in contracts.get("out_amm_profit_per_volume").columns}
    assert names == set(found.columns)
    assert all(check.passes(found).all() for check in contracts.get("out_amm_profit_per_volume").checks)


def test_the_same_input_gives_the_same_error() -> None:
    days, marks = _days(50)
    pd.testing.assert_frame_equal(profit_per_volume(days, marks), profit_per_volume(days, marks))


FIGURES = (
    "",
    "fee_",
    "convexity_flow_",
    "convexity_formula_",
    "convexity_gap_",
    "convexity_trend_",
    "win_share_",
)


@pytest.mark.parametrize("n", range(2, 8))
def test_few_days_have_an_error_too(n: int) -> None:
    days, marks = _days(n)
    found = profit_per_volume(days, marks)
    names = [f"{name}{end}" for name in FIGURES for end in ("se", "ci_low", "ci_high")]
    assert found[names].notna().all(axis=None)
    at_exchange = found.loc[found["mark"] == "1d", ["se_exchange", "ci_low_exchange", "ci_high_exchange"]]
    assert at_exchange.notna().all(axis=None)
    assert (found["se"] > 0).all()
    assert (found["win_share_se"] > 0).all()
    assert (found["win_share_ci_low"] < found["win_share_ci_high"]).all()
    assert set(found["block_days"]) == {1}
    contract = contracts.get("out_amm_profit_per_volume")
    assert all(check.passes(found).all() for check in contract.checks)


def test_a_single_day_has_no_error() -> None:
    found = profit_per_volume(*_days(1))
    assert found[["se", "ci_low", "ci_high", "fee_se", "win_share_se"]].isna().all(axis=None)
    assert found["estimate"].notna().all()


def test_few_days_of_one_size_are_judged_by_students_t() -> None:
    pnl = np.array([1.0, 2.0, 6.0]) / 1e4
    estimate, se, low, high = ratio_bp(pnl, np.ones(3), None)
    assert estimate == pytest.approx(3.0)
    assert se == pytest.approx((1e4 * pnl).std(ddof=1) / np.sqrt(3))
    # one degree of freedom: 12.7; six days have the two of three pairs
    assert (high - estimate) / se == pytest.approx((estimate - low) / se) == pytest.approx(12.706, rel=1e-3)
    estimate, se, low, high = ratio_bp(np.tile(pnl, 2), np.ones(6), None)
    assert (high - estimate) / se == pytest.approx(4.303, rel=1e-3)


@pytest.mark.parametrize("n", range(2, 8))
def test_intervals_of_few_days_cover(n: int) -> None:
    """Days of unequal volume, fat tails, and a tenth of each day's profit carried on to the next."""
    generator = np.random.default_rng(n)
    covered = 0
    for _ in range(400):
        volume = generator.lognormal(0, 0.5, n)
        shocks = generator.standard_t(5, n + 1)
        profit = volume * (2.0 + 3.0 * (shocks[1:] + 0.1 * shocks[:-1])) / 1e4
        _, _, low, high = ratio_bp(profit, volume, None)
        covered += low <= 2.0 <= high
    assert covered >= 0.92 * 400


def test_days_that_all_won_do_not_make_winning_certain() -> None:
    found = share(np.ones(30, dtype=bool), bootstrap_weights(30))
    assert found[0] == found[3] == 1.0
    # thirty days are seven and a half blocks: 0.025 ** (1 / 7.5)
    assert found[2] == pytest.approx(0.025 ** (4 / 30))
    assert found[1] > 0.03
    assert share(np.zeros(3, dtype=bool), None)[2:] == (0.0, pytest.approx(1 - 0.025 ** (1 / 3)))


def test_the_bootstrap_error_is_that_of_independent_days() -> None:
    generator = np.random.default_rng(5)
    n = 400
    volume = np.full(n, 1.0)
    pnl = generator.normal(0, 1e-3, n)
    _, se, low, high = ratio_bp(pnl, volume, bootstrap_weights(n))
    assert se == pytest.approx(10 / np.sqrt(n), rel=0.2)
    assert high - low == pytest.approx(2 * 1.96 * se, rel=0.1)


def test_the_bootstrap_keeps_runs_of_days_together() -> None:
    n = 512
    runs = np.repeat(np.random.default_rng(6).normal(0, 1e-3, n // 8), 8)
    _, se, _, _ = ratio_bp(runs, np.ones(n), bootstrap_weights(n))
    alone = 1e4 * runs.std() / np.sqrt(n)
    assert se > 1.8 * alone


def test_few_blocks_widen_the_interval() -> None:
    # four blocks: t with three degrees of freedom, and their spread about the mean is three quarters
    error, ends = few_blocks(8)
    assert error == pytest.approx(math.sqrt(4 / 3))
    assert ends == pytest.approx(math.sqrt(4 / 3) * 3.1824 / 1.96, rel=1e-4)
    assert few_blocks(10_000)[1] == pytest.approx(1.0, abs=0.01)
    assert share(np.array([True] * 7 + [False]), bootstrap_weights(8))[3] == 1.0


@pytest.mark.parametrize(("n", "length"), [(1, 1), (8, 2), (27, 3), (28, 4), (1000, 10)])
def test_block_length(n: int, length: int) -> None:
    assert block_days(n) == length


def test_weights_draw_as_many_days_as_there_are() -> None:
    weights = bootstrap_weights(20)
    assert (weights.sum(axis=1) == 20).all()
    assert weights.mean() == pytest.approx(1.0)


def test_a_lake_without_pools_builds_empty_tables() -> None:
    from perp_pipeline.amm.steps import AMM

    for step in AMM:
        frames = {item.table: _empty(item.table) for item in step.inputs}
        built = step.build(**frames)
        frame = built if isinstance(built, pd.DataFrame) else built.frame
        assert step.output.may_be_empty
        assert list(frame.columns) == [column.name for column in step.output.columns]
        assert frame.empty


def _empty(table: str) -> pd.DataFrame:
    if not table.startswith(("raw_eth", "raw_amm", "core_amm")):
        return pd.DataFrame()
    return to_frame(contracts.get(table).schema.empty_table())
