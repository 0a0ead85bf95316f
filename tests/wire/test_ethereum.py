"""Real pools through JSON-RPC on the replay server: exact rows, resumption, faults."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from chain_wire import DAY, USDC_WETH, USDC_WETH_30, WBTC_WETH, client, pool_day, rows, sets

from perp_pipeline import contracts
from perp_pipeline.amm import build
from perp_pipeline.sources.errors import NotInStore, TransientError


def test_a_real_day_decodes_to_what_plain_integers_give(replay: Any, tmp_path: Path) -> None:
    http = client(tmp_path, replay.url)
    logs, days = sets(USDC_WETH, window=DAY)
    raw, asked = rows(logs, http, "2024-01"), rows(days, http, "2024-01")
    assert asked["served"].tolist() == [True, True]
    assert asked["n_rows"].sum() == len(raw) == 6234
    assert asked["first_block"].tolist() == [18937382] * 2  # the block before is of the day before
    assert raw["time"].dt.floor("D").unique().tolist() == [pd.Timestamp("2024-01-05", tz="UTC")]
    swaps = build.core_amm_swaps(raw_eth_logs=raw, raw_amm_days=asked)
    liquidity = build.core_amm_liquidity(raw_eth_logs=raw, raw_amm_days=asked)
    assert len(swaps) + len(liquidity) == len(raw)
    own = raw[raw["topic0"].str.startswith("0xc42079f9")]
    words = [[int(data[2 + 64 * n : 66 + 64 * n], 16) for n in range(5)] for data in own["data"]]
    signed = [[w - 2**256 if w >= 2**255 else w for w in row] for row in words]
    assert swaps["amount0"].tolist() == [str(row[0]) for row in signed]
    assert swaps["amount1"].tolist() == [str(row[1]) for row in signed]
    assert swaps["sqrt_price_x96"].tolist() == [str(row[2]) for row in signed]
    assert swaps["tick"].tolist() == [row[4] for row in signed]
    # the pool-day by a second route: exact integers, one price, two multiplications
    net0, net1 = sum(row[0] for row in signed), sum(row[1] for row in signed)
    usd = 1 / (Fraction(signed[-1][2]) ** 2 / 2**192 / 10**12)
    day = pool_day(swaps, asked)
    assert day["pnl_usd"] == pytest.approx(
        float(Fraction(net0, 10**6) + Fraction(net1, 10**18) * usd), abs=1e-3
    )
    fees = Fraction(5, 10**4) * (
        Fraction(sum(max(row[0], 0) for row in signed), 10**6)
        + Fraction(sum(max(row[1], 0) for row in signed), 10**18) * usd
    )
    assert day["fees_usd"] == pytest.approx(float(fees), rel=1e-12)
    assert all(
        check.passes(swaps).all()
        for check in contracts.get("core_amm_swaps").checks
        if check.severity == "error"
    )


def test_all_swaps_to_the_last_block_that_the_node_holds(replay: Any, tmp_path: Path) -> None:
    http = client(tmp_path, replay.url)
    logs, days = sets(WBTC_WETH)
    asked = rows(days, http, "2023-04").query("kind == 'swaps'").set_index("day")
    assert asked["served"].sum() == 6
    edge = asked.loc[pd.Timestamp("2023-04-07")]
    assert (edge["served"], edge["n_rows"], edge["last_block"]) == (False, 100, 17_000_000)
    assert "in blocks 0-17000000 only" in edge["reason"]
    assert len(rows(logs, http, "2023-04")) == asked["n_rows"].sum() == 1755


def test_a_second_run_asks_only_for_what_can_have_changed(replay: Any, tmp_path: Path) -> None:
    logs, _ = sets(USDC_WETH, window=DAY)
    first = rows(logs, client(tmp_path, replay.url), "2024-01")
    replay.reset()
    again = client(tmp_path, replay.url)
    pd.testing.assert_frame_equal(rows(sets(USDC_WETH, window=DAY)[0], again, "2024-01"), first)
    assert again.counters.requests == 3  # chain, head, and whether that moves
    offline = client(tmp_path, replay.url, offline=True)
    pd.testing.assert_frame_equal(rows(sets(USDC_WETH, window=DAY)[0], offline, "2024-01"), first)
    with pytest.raises(NotInStore):
        rows(sets(USDC_WETH_30, window=DAY)[0], offline, "2024-01")


def test_what_is_asked_for_a_month_does_not_depend_on_the_span(replay: Any, tmp_path: Path) -> None:
    window = (date(2021, 5, 30), date(2021, 6, 2))
    both = rows(sets(WBTC_WETH, window=window)[0], client(tmp_path, replay.url), "2021-05", "2021-06")
    june = rows(sets(WBTC_WETH, window=window)[0], client(tmp_path, offline=True), "2021-06")
    pd.testing.assert_frame_equal(
        june, both[both["time"] >= pd.Timestamp("2021-06-01", tz="UTC")].reset_index(drop=True)
    )


@pytest.mark.parametrize(
    "fault",
    [
        "reset",
        "truncate",
        "short_json",
        "html_200",
        "status_429",
        "status_503",
        "duplicate_rows",
        "nan_values",
    ],
)
def test_passing_faults_leave_no_trace(replay: Any, tmp_path: Path, fault: str) -> None:
    clean = rows(sets(USDC_WETH_30, window=DAY)[0], client(tmp_path / "clean", replay.url), "2024-01")
    replay.faults([{"match": "eth-rpc", "body": "eth_getLogs", "kind": fault, "first": 2, "retry_after": 0}])
    http = client(tmp_path / "faulty", replay.url)
    pd.testing.assert_frame_equal(rows(sets(USDC_WETH_30, window=DAY)[0], http, "2024-01"), clean)
    assert http.counters.retries >= 2


@pytest.mark.parametrize(
    "fault", ["drop_rows", "reorder_rows", "wrong_symbol", "duplicate_rows", "future_rows"]
)
def test_lasting_faults_are_errors_and_nothing_is_kept(replay: Any, tmp_path: Path, fault: str) -> None:
    replay.faults([{"match": "eth-rpc", "body": "eth_getLogs", "kind": fault}])
    http = client(tmp_path, replay.url, attempts=2, body_attempts=2)
    with pytest.raises(TransientError, match="raw_eth_logs swaps 2024-01-05"):
        rows(sets(USDC_WETH, window=DAY)[0], http, "2024-01")
    replay.faults([])
    assert len(rows(sets(USDC_WETH, window=DAY)[0], http, "2024-01")) == 6234
