"""The simulated chain: LP truth against the pipeline, and the node that tells of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from onchain_market import COIN_FIRST, ONCHAIN, SPAN, built, chain_digest, downloaded, market_of

from perp_pipeline import contracts
from perp_pipeline.months import Month
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.onchain.chain import BLOCKS_AN_HOUR, block_at, price_path
from perp_pipeline.simulation.onchain.node import Node
from perp_pipeline.simulation.onchain.parameters import POOLS, Noise, OnChain
from perp_pipeline.simulation.onchain.truth import PoolDayTruth, pool_days
from perp_pipeline.simulation.parameters import Planted


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return market_of()


def test_blocks_between_two_hours_are_a_bridge(market: SimulatedMarket) -> None:
    first = block_at(int(SPAN.first.start.timestamp()))
    path = np.log(price_path(market, "ETH", first, 20))
    hours = market.rows(np.arange(20 * 24) + market.start_hour)
    np.testing.assert_allclose(np.exp(path[::BLOCKS_AN_HOUR]), market.index[hours, 1], rtol=1e-12)
    daily = np.diff(path).std() * np.sqrt(7200)
    assert daily == pytest.approx(market.planted.eth.daily_vol, rel=0.02)


def test_same_seed_gives_the_same_chain_in_a_fresh_process() -> None:
    small = OnChain(days=3)
    code = "from tests.unit.onchain_market import *\nprint(chain_digest(market_of(5, OnChain(days=3))))"
    root = Path(__file__).parents[2]
    fresh = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == chain_digest(market_of(5, small))
    assert chain_digest(market_of(6, small)) != chain_digest(market_of(5, small))


@pytest.fixture(scope="module")
def raw(market: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    return downloaded(market, tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def tables(raw: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return built(raw)


@pytest.fixture(scope="module")
def truth(market: SimulatedMarket) -> tuple[PoolDayTruth, ...]:
    return pool_days(market.chain)


def test_pool_days_from_logs_are_what_the_pools_state_says(
    tables: dict[str, pd.DataFrame], truth: tuple[PoolDayTruth, ...]
) -> None:
    found = tables["core_amm_pool_day"].set_index(["pool", "day"])
    assert len(found) == len(truth) == 3 * ONCHAIN.days
    for day in truth:
        row = found.loc[(day.pool, pd.Timestamp(day.day))]
        assert row["n_swaps"] == day.n_swaps > 0
        assert row["price_end"] == pytest.approx(day.price_end, rel=1e-12)
        # each swap's fee, and the protocol's part of it, is rounded to a millionth of a dollar
        rounding = 2e-6 * (day.n_swaps + 10)
        assert row["fees_usd"] == pytest.approx(day.fees_usd, abs=rounding)
        assert row["protocol_fees_usd"] == pytest.approx(day.protocol_fees_usd, abs=rounding)
        assert row["pnl_usd"] == pytest.approx(day.pnl_usd, abs=rounding)
        assert row["convexity_flow_usd"] == pytest.approx(day.convexity_usd, abs=2 * rounding)


def test_net_flows_are_what_positions_own_but_for_rounding(
    tables: dict[str, pd.DataFrame], truth: tuple[PoolDayTruth, ...]
) -> None:
    flows = tables["core_amm_flows"].set_index(["pool", "day"])
    for day in truth:
        row = flows.loc[(day.pool, pd.Timestamp(day.day))]
        # what each step rounds up stays in the pool and is nobody's: a unit of each token at most
        for token, owned in (("swaps0", day.net0), ("swaps1", day.net1)):
            assert -20 <= int(row[token]) - owned <= 2 * day.n_swaps + 20


def test_protocol_takes_its_share_from_the_switch_on(
    market: SimulatedMarket, tables: dict[str, pd.DataFrame], truth: tuple[PoolDayTruth, ...]
) -> None:
    switches = tables["core_amm_fee_protocol"]
    assert switches[["old0", "old1", "new0", "new1"]].to_numpy().tolist() == [[0, 0, 4, 4]]
    switched = market.chain.first_day + pd.Timedelta(days=POOLS[0].share_from_day)
    own = [day for day in truth if day.pool == POOLS[0].address]
    assert all(day.protocol_fees_usd == 0 for day in own if day.day < switched)
    later = [day for day in own if day.day > switched]
    shares = [day.protocol_fees_usd / (day.protocol_fees_usd + day.fees_usd) for day in later]
    assert shares == pytest.approx([0.25] * len(later), abs=1e-6)
    assert "collect_protocol" in set(tables["core_amm_liquidity"]["event"])
    assert all(day.protocol_fees_usd == 0 for day in truth if day.pool != POOLS[0].address)


def test_balances_change_by_what_the_logs_moved_and_every_check_passes(
    raw: dict[str, pd.DataFrame], tables: dict[str, pd.DataFrame]
) -> None:
    flows = tables["core_amm_flows"]
    assert flows["gap0"].notna().sum() == len(flows) - 3  # the first day of each pool has none before it
    for name, frame in (raw | tables).items():
        for check in contracts.get(name).checks:
            if (
                check.name == "amounts_match_move"
            ):  # swaps do run across that pool's narrow position, and say so
                frame = frame[frame["pool"] != COIN_FIRST.address]
            assert check.passes(frame).all(), f"{name}: {check.name}"


def test_constants_come_from_the_node(raw: dict[str, pd.DataFrame]) -> None:
    days = raw["raw_amm_days"].drop_duplicates("pool").set_index("pool")
    for planted in ONCHAIN.pools:
        row = days.loc[planted.address]
        assert (row["protocol"], row["fee_pips"], row["tick_spacing"]) == (
            planted.protocol, planted.fee_pips, planted.tick_spacing,
        )  # fmt: skip
        assert (row["token0"], row["decimals0"]) == (planted.token0.symbol, planted.token0.decimals)
    assert days.loc[COIN_FIRST.address, "tracks0"] == "ETH"
    assert raw["raw_amm_days"]["served"].all()
    assert raw["raw_amm_days"]["day"].max().date() == date(2022, 6, 30)


def test_a_node_with_tight_limits_gives_the_same_logs(tmp_path: Path) -> None:
    market = market_of(5, OnChain(days=2))
    usual = downloaded(market, tmp_path / "usual")["raw_eth_logs"]
    tight = downloaded(market, tmp_path / "tight", max_span=2000, max_logs=40)["raw_eth_logs"]
    told = ["source_url", "download_sha256"]
    pd.testing.assert_frame_equal(usual.drop(columns=told), tight.drop(columns=told))
    assert tight["source_url"].nunique() > 4 * usual["source_url"].nunique()


def call(node: Node, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    answer = json.loads(node.answer(body).body)
    return answer.get("result", answer.get("error"))


def test_node_refuses_as_providers_do() -> None:
    market = market_of(5, OnChain(days=1))
    node = Node(lambda: market.chain, max_span=100, max_logs=5)
    head = int(call(node, "eth_blockNumber"), 16)
    assert call(node, "eth_getLogs", {"fromBlock": "0x1", "toBlock": hex(101)})["code"] == -32005
    first = block_at(int(SPAN.end.timestamp())) - 7200
    busy = {"fromBlock": hex(first), "toBlock": hex(first + 99)}
    assert "more than 5 results" in call(node, "eth_getLogs", busy)["message"]
    assert call(node, "eth_getLogs", {"fromBlock": "0x2", "toBlock": "0x1"})["code"] == -32000
    assert call(node, "eth_getLogs", {"fromBlock": "2", "toBlock": "0x1"})["code"] == -32602
    assert call(node, "eth_getBlockByNumber", hex(head + 1), False) is None
    assert call(node, "eth_sendTransaction", {})["code"] == -32601
    pair = POOLS[1].address
    assert call(node, "eth_call", {"to": pair, "data": "0xddca3f43"}, "latest")["code"] == 3
    assert json.loads(node.answer(b"{").body)["error"]["code"] == -32700
    assert json.loads(node.answer(b"[]").body)["error"]["code"] == -32600


def test_a_market_shorter_than_the_pools_life_has_them_all_along() -> None:
    market = SimulatedMarket(1, Month(2022, 2), Month(2022, 2), Planted(onchain=OnChain(check_blocks=3600)))
    assert (market.chain.first_day, market.chain.last_day) == (date(2022, 2, 1), date(2022, 2, 28))


def test_without_noise_convexity_is_what_the_formula_gives() -> None:
    """A pair that only arbitrageurs use costs V r**2 / 8 a day: V its value, r the return of the day.

    That is L sqrt(p) r**2 / 4 with V = 2 L sqrt(p).
    """
    quiet = replace(POOLS[1], noise=Noise(0.0, 1.0), liquidity=((0.0, 1e7), (0.0, 1.0)))
    market = market_of(11, OnChain(days=61, check_blocks=25, pools=(quiet,), tend_days=1000))
    days = pool_days(market.chain)
    prices = np.array([day.price_end for day in days])
    value = np.array([2.0 * state.held[0] * 1e-6 for state in market.chain.records[quiet.address].states])
    expected = float((value[:-1] * np.diff(np.log(prices)) ** 2).sum() / 8)
    assert sum(day.convexity_usd for day in days[1:]) == pytest.approx(expected, rel=0.02)
