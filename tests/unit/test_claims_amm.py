"""Claims about liquidity providers: which days and pools they are judged by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.research.amm_profit import out_amm_profit_per_volume
from perp_pipeline.research.claims import amm
from perp_pipeline.research.claims.model import MissingData


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
    assert "2023" in answer.missing[0]
    with pytest.raises(MissingData):
        amm.two_years({}, "2023-01..2024-05")


def test_every_pool_is_judged_and_its_years_are_told() -> None:
    held = _tables(
        _days(amm.ETH_USDC_5BP, "2023-12-22", 30, -5.0),
        _days(amm.WBTC_WETH_30BP, "2022-01-01", 30, 3.0, "WBTC"),
    )
    answer = amm.near_zero(held, "all")
    assert [part.label for part in answer.parts] == ["USDC-WETH 5 bp 0x88e6", "WBTC-WETH 5 bp 0xcbcd"]
    assert [part.estimate for part in answer.parts] == pytest.approx([-5.0, 3.0])
    assert "USDC-WETH 5 bp 0x88e6 2023 -5.0 (" in answer.note
    assert ", 2024 -5.0 (" in answer.note


def test_a_late_beginning_of_v3_is_said() -> None:
    late = _days(amm.ETH_USDC_5BP, "2024-01-05", 30, -5.0)
    early = _days(amm.WBTC_WETH_30BP, "2021-05-04", 30, -5.0, "WBTC")
    pair = _days(amm.ETH_USDC_V2, "2021-12-01", 62, 20.0)
    answer = amm.second_version_profits(_tables(late, early, pair), "all")
    labels = [part.label for part in answer.parts]
    assert labels == ["v2, 2021", "v2, 2022", "v3 ETH-USDC 5 bp", "v3 WBTC-WETH 30 bp"]
    assert answer.note.count("Of v3") == 1
    assert "Of v3 ETH-USDC 5 bp the lake has 30 days from 2024-01-05 on" in answer.note


def test_wins_and_losses_of_both_pools() -> None:
    held = _tables(
        _days(amm.ETH_USDC_5BP, "2024-01-05", 40, 0.0), _days(amm.WBTC_WETH_30BP, "2021-05-04", 40, 0.5)
    )
    parts = amm.wins_and_losses(held, "all").parts
    assert [part.estimate for part in parts] == pytest.approx([0.5, 0.0, 0.5, -100.0])
    with pytest.raises(MissingData):
        amm.wins_and_losses(_tables(_days(amm.ETH_USDC_5BP, "2024-01-05", 40, 10.0)), "all")
