"""Fair rates and the excess of funding over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from delivery_frames import market, reference
from research_frames import NO_IMPLIED, ar1

from perp_pipeline.contracts.fair_funding import OUT_FAIR_FUNDING
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.research.fair_funding import fair_rates, out_fair_funding, pools_mean
from perp_pipeline.research.statistics import independent_mean
from perp_pipeline.theory.carry import fair_funding


def build(**changes: Any) -> pd.DataFrame:
    futures, funding, daily = market()
    tables = {
        "core_funding_daily": daily,
        "core_funding_8h": funding,
        "core_reference_rates": reference(daily, DTB3=0.04, DFF=0.036, compound_usdc_supply=0.03),
        "core_cme_implied": NO_IMPLIED,
        "core_delivery_futures": futures,
    }
    return out_fair_funding(**(tables | changes))


def pick(table: pd.DataFrame, method: str, period: str = "all") -> pd.Series:
    rows = table[(table["method"] == method) & (table["period"] == period)]
    assert len(rows) == 1, method
    return rows.iloc[0]


def series(values: dict[str, float]) -> pd.Series:
    return pd.Series(values.values(), index=pd.to_datetime(list(values)))


def test_fair_rates_and_excesses_of_constant_rates() -> None:
    table = build()
    assert pick(table, "fair_dtb3")["estimate"] == pytest.approx(0.04)
    assert pick(table, "fair_dff")["estimate"] == pytest.approx(0.0365)
    assert pick(table, "fair_delivery")["estimate"] == pytest.approx(0.10)
    _, _, daily = market()
    weekdays = daily["day"].dt.day_of_week < 5
    funded = pick(table, "excess_over_usdc_lending")
    assert funded["estimate"] == pytest.approx(daily.loc[weekdays, "rate_annual"].mean() - 0.03)
    # Dollar rates hold over weekends: every day counts, from the first observation on.
    first = daily["day"][weekdays].iloc[0]
    expected = daily.loc[daily["day"] >= first, "rate_annual"].mean() - 0.04
    over = pick(table, "excess_over_dtb3")
    assert over["estimate"] == pytest.approx(expected)
    assert over["n"] == (daily["day"] >= first).sum()
    assert (over["venue"], over["symbol"]) == ("binance", "BTCUSDT")
    assert pick(table, "fair_dtb3")["venue"] == "all"


def test_the_table_keeps_its_contract() -> None:
    table = build()
    arrow = to_arrow(OUT_FAIR_FUNDING, table)
    assert not table.duplicated(list(OUT_FAIR_FUNDING.key)).any()
    for check in OUT_FAIR_FUNDING.checks:
        assert check.passes(arrow.to_pandas()).all(), check.name


def test_mechanisms_of_one_path() -> None:
    table = build()
    assert pick(table, "long_cost_delivery")["estimate"] == pytest.approx(0.10, abs=0.01)
    assert pick(table, "long_cost_perp")["estimate"] == pytest.approx(0.12, abs=0.01)
    assert pick(table, "long_cost_gehr")["estimate"] == pytest.approx(0.04)
    assert pick(table, "lock_in")["estimate"] == pytest.approx(0.10)
    assert np.isnan(pick(table, "lock_in")["se"])  # two deliveries tell nothing of the spread between them
    less = pick(table, "long_cost_perp_less_delivery")
    parts = pick(table, "long_cost_perp")["estimate"] - pick(table, "long_cost_delivery")["estimate"]
    assert less["estimate"] == pytest.approx(parts)


def test_lending_is_the_essays_formula() -> None:
    days = {"2024-01-01": 0.06, "2024-01-02": 0.05}
    rates = pd.concat(
        [
            pd.DataFrame(
                {
                    "series": "aave_v3_usdc_supply",
                    "day": pd.to_datetime(list(days)),
                    "rate_annual": days.values(),
                }
            ),
            pd.DataFrame(
                {
                    "series": ["aave_v3_weth_supply"],
                    "day": pd.to_datetime(["2024-01-01"]),
                    "rate_annual": [0.02],
                }
            ),
        ]
    )
    futures, _, _ = market()
    found = fair_rates("ETH", rates, NO_IMPLIED, futures.iloc[:0])
    assert found["lending"].to_dict() == {pd.Timestamp("2024-01-01"): pytest.approx(fair_funding(0.06, 0.02))}
    assert len(found["usdc_lending"]) == 2
    assert set(found) == {"usdc_lending", "lending"}
    assert "lending" not in fair_rates("BTC", rates, NO_IMPLIED, futures.iloc[:0])


def test_protocols_count_once_whatever_their_versions() -> None:
    known = {
        "compound_usdc_supply": series({"2021-01-01": 0.02, "2021-01-02": 0.02}),
        "aave_v1_usdc_supply": series({"2021-01-01": 0.10, "2021-01-02": 0.10}),
        "aave_v2_usdc_supply": series({"2021-01-02": 0.04, "2021-01-03": 0.06}),
    }
    found = pools_mean(known, "usdc_supply")
    assert found is not None
    assert found.tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert pools_mean({}, "usdc_supply") is None


def test_nothing_looks_ahead() -> None:
    """Whatever comes after a period changes nothing in the period's rows."""
    futures, funding, daily = market()
    cut = pd.Timestamp("2023-04-01")
    later = build(
        core_funding_daily=daily.assign(rate_annual=daily["rate_annual"].mask(daily["day"] >= cut, 9.0)),
        core_funding_8h=funding.assign(
            rate_8h=funding["rate_8h"].mask(funding["window_end"] > cut.tz_localize("UTC"), 0.01)
        ),
        core_delivery_futures=futures.assign(
            close=futures["close"].mask(futures["bar_end"] > cut.tz_localize("UTC"), 1.0),
            rate_annual=futures["rate_annual"].mask(futures["bar_end"] > cut.tz_localize("UTC"), 5.0),
        ),
        periods=("2023-01..2023-03",),
    )
    now = build(periods=("2023-01..2023-03",))
    quarter = [table[table["period"] == "2023-01..2023-03"].reset_index(drop=True) for table in (now, later)]
    assert len(quarter[0]) > 15
    pd.testing.assert_frame_equal(*quarter)
    assert not now[now["period"] == "all"].equals(later[later["period"] == "all"])


def test_a_planted_excess_is_recovered() -> None:
    """95 % intervals of a persistent excess cover it as often as the bandwidth's measured cover says."""
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        days = pd.date_range("2020-01-01", periods=900).astype("datetime64[us]")
        funding = pd.DataFrame(
            {
                "venue": "binance",
                "symbol": "BTCUSDT",
                "base": "BTC",
                "day": days,
                "rate_annual": 0.10 + ar1(len(days), 0.8, rng, 0.05),
                "coverage": 1.0,
            }
        )
        futures, grid, _ = market()
        table = out_fair_funding(
            core_funding_daily=funding,
            core_funding_8h=grid,
            core_reference_rates=pd.DataFrame({"series": "DTB3", "day": days, "rate_annual": 0.02}),
            core_cme_implied=NO_IMPLIED,
            core_delivery_futures=futures.iloc[:0],
        )
        row = pick(table, "excess_over_dtb3")
        hits += row["ci_low"] <= 0.08 <= row["ci_high"]
    assert hits >= 90


def test_independent_means_are_students() -> None:
    values = [1.0, 2.0, 4.0, 3.0, 5.0]
    found = independent_mean(values)
    assert found.estimate == 3.0
    assert found.se == pytest.approx(np.std(values, ddof=1) / 5**0.5)
    assert found.ci_high - 3.0 == pytest.approx(2.7764451 * found.se)
    assert np.isnan(independent_mean(values[:4]).se)
    with pytest.raises(ValueError, match="no finite"):
        independent_mean([np.nan])
