"""Claims about liquidity providers: which days and pools they are judged by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.research.amm_profit import out_amm_profit_per_volume
from perp_pipeline.research.claims import amm, evaluate, find_claim
from perp_pipeline.research.claims.model import MissingData, Verdict, verdict_of
from perp_pipeline.research.claims.pools import days_held


def _days(pool: str, first: str, n: int, bp: float, token0: str = "USDC") -> pd.DataFrame:
    """Pool-days of equal volume whose profit is ``bp`` of it, give or take one."""
    wiggle = np.where(np.arange(n) % 2, 1.0, -1.0)
    return pd.DataFrame(
        {
            "chain": "ethereum",
            "pool": pool,
            "day": pd.date_range(first, periods=n, freq="D"),
            "token0": token0,
            "token1": "WETH",
            "fee_bp": 5.0,
            "volume_usd": 1e6,
            "usd0_end": 1.0,
            "usd1_end": 2000.0,
            "fees_usd": 500.0,
            "convexity_flow_usd": 500.0 - 100 * (bp + wiggle),
            "convexity_formula_usd": 500.0,
            "variance_day": 1e-3,
            "return_day": 0.03,
            "pnl_usd": 100 * (bp + wiggle),
        }
    )


def _tables(*parts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    days = pd.concat(parts, ignore_index=True)
    marks = days[["chain", "pool", "day", "pnl_usd"]].assign(mark="1d", pnl_exchange_usd=np.nan)
    profit = out_amm_profit_per_volume(core_amm_pool_day=days, core_amm_marks=marks)
    return {"core_amm_pool_day": days, "out_amm_profit_per_volume": profit}


def test_a_few_days_of_a_pool_are_no_verdict_on_its_year() -> None:
    held = _tables(_days(amm.ETH_USDC_5BP, "2024-01-01", 7, 30.0))
    (part,) = amm.two_years(held, "2023-01..2024-05").parts
    assert verdict_of(part) is Verdict.NO_DATA
    own = held["out_amm_profit_per_volume"].set_index(["mark", "period"]).loc[("1d", "2024")]
    assert np.isfinite(own["ci_low"]).all(), "the table has their error"


def test_the_essays_second_sample_ends_on_5_may() -> None:
    held = _tables(
        _days(amm.ETH_USDC_5BP, "2024-01-01", 126, 0.7), _days(amm.ETH_USDC_5BP, "2024-05-06", 20, -90)
    )
    answer = amm.two_years(held, "2023-01..2024-05")
    (part,) = answer.parts
    assert part.n == 126
    assert part.estimate == pytest.approx(0.7)
    assert part.window_end == pd.Timestamp("2024-05-05", tz="UTC")
    assert part.ci_low <= part.estimate <= part.ci_high
    assert answer.missing[0].published == 1
    assert answer.missing[0].text.endswith("in 2023")
    with pytest.raises(MissingData):
        amm.two_years({}, "2023-01..2024-05")


def test_every_pool_is_judged_and_its_years_are_told() -> None:
    held = _tables(
        _days(amm.ETH_USDC_5BP, "2023-12-22", 30, -5.0),
        _days(amm.WBTC_WETH_30BP, "2022-01-01", 30, 3.0, "WBTC"),
    )
    answer = amm.near_zero(held, "all")
    assert [part.label for part in answer.parts] == [
        "USDC-WETH 5 bp on Ethereum",
        "WBTC-WETH 5 bp on Ethereum",
    ]
    assert [part.estimate for part in answer.parts] == pytest.approx([-5.0, 3.0])
    assert "USDC-WETH 5 bp on Ethereum: 2023 -5.0 (" in answer.note
    assert ", 2024 -5.0 (" in answer.note


def test_a_late_beginning_of_v3_is_said() -> None:
    late = _days(amm.ETH_USDC_5BP, "2024-01-05", 30, -5.0)
    early = _days(amm.WBTC_WETH_30BP, "2021-05-04", 30, -5.0, "WBTC")
    pair = _days(amm.ETH_USDC_V2, "2021-12-01", 62, 20.0)
    answer = amm.second_version_profits(_tables(late, early, pair), "all")
    labels = [part.label for part in answer.parts]
    assert labels == ["v2, 2021", "v2, 2022", "v3 ETH-USDC 5 bp", "v3 WBTC-WETH 30 bp"]
    assert answer.note.count("Of v3") == 1
    assert "Of v3 ETH-USDC 5 bp the lake has 30 days: 2024-01-05 to 2024-02-03, not all from" in answer.note
    assert [lack.text[-4:] for lack in answer.missing] == ["2020", "2023"]


def test_wins_and_losses_of_both_pools() -> None:
    held = _tables(
        _days(amm.ETH_USDC_5BP, "2024-01-05", 40, 0.0), _days(amm.WBTC_WETH_30BP, "2021-05-04", 40, 0.5)
    )
    parts = amm.wins_and_losses(held, "all").parts
    assert [part.estimate for part in parts] == pytest.approx([0.5, 0.0, 0.5, -100.0])
    with pytest.raises(MissingData):
        amm.wins_and_losses(_tables(_days(amm.ETH_USDC_5BP, "2024-01-05", 40, 10.0)), "all")


def test_profit_over_a_year_is_the_result_table_s() -> None:
    held = _tables(_days(amm.ETH_USDC_5BP, "2022-12-01", 200, 0.7))
    part = evaluate(find_claim(46), held).parts[0]
    table = held["out_amm_profit_per_volume"]
    row = table[(table["period"] == "2023") & (table["mark"] == "1d") & (table["numeraire"] == "USD")].iloc[0]
    assert part.label == "2023"
    assert [part.estimate, part.se, part.ci_low, part.ci_high] == pytest.approx(
        [row["estimate"], row["se"], row["ci_low"], row["ci_high"]]
    )


@pytest.mark.parametrize(
    ("window", "labels", "verdict"),
    [
        ("2023", ["2023"], "weak"),
        ("2023-06..2024-12", ["2024 to 5 May"], "weak"),
        ("2024-03", ["profit over volume in 2024-03"], "no data"),
        ("2025", ["profit over volume in 2025"], "no data"),
        ("2021", [], "no data"),
        ("all", ["2023", "2024 to 5 May"], "fails"),
    ],
)
def test_another_window_of_claim_46_is_computed_over_that_window(
    window: str, labels: list[str], verdict: str
) -> None:
    held = _tables(
        _days(amm.ETH_USDC_5BP, "2023-01-01", 365, -0.48),
        _days(amm.ETH_USDC_5BP, "2024-01-01", 366, -0.4 if window == "all" else 0.71),
        _days(amm.ETH_USDC_5BP, "2025-01-01", 60, 5.0),
    )
    found = evaluate(find_claim(46), held, window)
    assert [part.label for part in found.parts] == labels
    assert found.verdict == verdict
    withheld = window in ("2024-03", "2025")
    assert ("What was published about 2023-01..2024-05 is shown" in found.reason) == withheld
    for part in found.parts:
        assert window == "all" or str(part.window_start) >= window[:4]


def test_years_of_v2_are_those_of_the_window() -> None:
    held = _tables(
        _days(amm.ETH_USDC_V2, "2020-05-06", 700, 20.0), _days(amm.ETH_USDC_5BP, "2021-05-06", 400, -5)
    )
    answer = amm.second_version_profits(held, "2020-11..2021-06")
    assert [(part.label, part.n) for part in answer.parts] == [
        ("v2, 2020", 61),
        ("v2, 2021", 181),
        ("v3 ETH-USDC 5 bp", 56),
    ]
    assert [lack.published for lack in answer.missing] == [1]
    assert [part.label for part in amm.second_version_profits(held, "all").parts][:3] == [
        "v2, 2020",
        "v2, 2021",
        "v2, 2022",
    ]


def test_holes_between_the_days_of_a_pool_are_told() -> None:
    parted = (_days(amm.ETH_USDC_5BP, "2024-01-05", 1, -5.0), _days(amm.ETH_USDC_5BP, "2025-04-01", 30, -5.0))
    reason = evaluate(find_claim(47), _tables(*parted)).reason
    assert "lake has 31 days: 2024-01-05 and 2025-04-01 to 2025-04-30." in reason
    assert "the lake has" not in evaluate(find_claim(47), _tables(parted[1])).reason
    days = pd.Series(pd.date_range("2021-01-01", periods=6, freq="MS"))
    assert days_held(days) == "6 days in 6 stretches of 2021-01-01 to 2021-06-01"
