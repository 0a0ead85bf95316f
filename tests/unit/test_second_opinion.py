"""Pool-days by the subgraph, and what is compared with the logs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from perp_pipeline import contracts
from perp_pipeline.amm.second_opinion import core_amm_second_opinion
from perp_pipeline.lake.tables import to_arrow, to_frame

POOL = "0x" + "ab" * 20
UNIT = 2**96  # one smallest unit of token1 per smallest unit of token0


def _swap(day: int, block: int, amount0: int, amount1: int, root: int = UNIT, **more: Any) -> dict[str, Any]:
    return {
        "chain": "ethereum",
        "pool": POOL,
        "block_number": block,
        "log_index": 0,
        "time": pd.Timestamp(2024, 1, day, 12, tz="UTC"),
        "tx_hash": "0x1",
        "amount0": str(amount0),
        "amount1": str(amount1),
        "sqrt_price_x96": str(root),
        "tick": 0,
        "decimals0": 6,
        "decimals1": 6,
        **more,
    }


def _opinion(subgraph: list[dict[str, Any]], logs: list[dict[str, Any]]) -> pd.DataFrame:
    columns = list(_swap(1, 1, 1, -1))
    built = core_amm_second_opinion(
        raw_subgraph_swaps=pd.DataFrame(subgraph, columns=columns),
        core_amm_swaps=pd.DataFrame(logs, columns=columns),
    )
    return to_frame(to_arrow(contracts.get("core_amm_second_opinion"), built))


def test_profit_is_flow_at_the_days_last_price() -> None:
    """100 in at a price of 1, then 50 back in of the other at a price of 4: worth 4 * 90 - 60 in the end."""
    swaps = [
        _swap(5, 1, 100_000_000, -100_000_000),
        _swap(5, 2, -10_000_000, 40_000_000, 2 * UNIT),
    ]
    (day,) = _opinion(swaps, []).to_dict("records")
    assert (day["n_swaps"], day["net0"], day["net1"], day["price_end"]) == (2, 90.0, -60.0, 4.0)
    assert day["volume1"] == 140.0
    assert day["profit_bp"] == pytest.approx(1e4 * (4 * 90 - 60) / 140)
    assert pd.isna(day["n_swaps_logs"])


def test_differences_are_counted_by_day() -> None:
    good = [_swap(5, block, block, -block) for block in (1, 2, 3)]
    logs = [good[0], good[1] | {"amount0": "9"}, _swap(5, 4, 4, -4)]
    (day,) = _opinion(good, logs).to_dict("records")
    counts = {name: day[name] for name in ("n_swaps_logs", "missing", "extra", "differing")}
    assert counts == {"n_swaps_logs": 3, "missing": 1, "extra": 1, "differing": 1}


def test_a_day_that_the_lake_has_no_logs_of_is_not_compared() -> None:
    swaps = [_swap(5, 1, 1, -1), _swap(6, 2, 1, -1)]
    fifth, sixth = _opinion(swaps, swaps[:1]).to_dict("records")
    assert (fifth["missing"], fifth["extra"]) == (0, 0)
    assert pd.isna(sixth["extra"])


def test_other_pools_logs_do_not_matter() -> None:
    other = _swap(5, 1, 1, -1, pool="0x" + "cd" * 20)
    (day,) = _opinion([_swap(5, 1, 1, -1)], [other]).to_dict("records")
    assert pd.isna(day["missing"])


def test_nothing_in_nothing_out() -> None:
    assert _opinion([], [_swap(5, 1, 1, -1)]).empty
