"""Which pool is it: the registry, and what contracts say of themselves."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from chain_wire import (
    GENESIS,
    NOW,
    RPC,
    TOKENS,
    USDC_WETH,
    FakeNode,
    client,
    function_of,
    node,
    rows,
    sets,
    usdc_weth,
    word,
)

from perp_pipeline.amm import build
from perp_pipeline.months import Span
from perp_pipeline.sources.amm import amm_datasets
from perp_pipeline.sources.errors import NotServed, PermanentError
from perp_pipeline.sources.evm_pool_facts import complete
from perp_pipeline.sources.pools import Pool, load_registry, read_registry

POOL = Pool("ethereum", "0x" + "cc" * 20, "uniswap_v3")


def test_facts_of_an_undeclared_pool_come_from_itsusdc_weth(tmp_path: Path) -> None:
    fake = FakeNode(call=usdc_weth)
    found = complete(client(tmp_path, transport=fake.transport), node(), POOL)
    assert (found.token0, found.token1, found.decimals0, found.decimals1) == ("USDC", "WETH", 6, 18)
    assert (found.protocol, found.fee_pips, found.tick_spacing) == ("uniswap_v3", 500, 10)
    asked = len(fake.asked)
    assert complete(client(tmp_path, transport=fake.transport), node(), POOL) == found
    assert len(fake.asked) == asked  # a contract's constants are asked for once


def test_a_pair_is_known_by_its_reserves(tmp_path: Path) -> None:
    transport = _reverting({"getReserves()": "0x" + "00" * 96}).transport
    found = complete(client(tmp_path, transport=transport), node(), POOL)
    assert (found.protocol, found.fee_pips, found.tick_spacing) == ("uniswap_v2", 3000, 0)


def _reverting(answers: dict[str, str]) -> FakeNode:
    """A contract that has its tokens, and answers as given; all else reverts."""

    class Node(FakeNode):
        def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
            if call["method"] == "eth_call" and (name := function_of(call["params"][0]["data"])) not in KNOWN:
                if name in answers:
                    return {"result": answers[name]}
                return {"error": {"code": 3, "message": "execution reverted"}}
            return super()._answer(call)

    return Node(call=usdc_weth)


KNOWN = ("token0()", "token1()", "decimals()", "symbol()")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({}, "execution reverted"),
        ({"getReserves()": "0x"}, "neither a v3 pool nor a v2 pair"),
        ({"fee()": "0x", "tickSpacing()": "0x"}, "for the fee: no Uniswap pool"),
        ({"fee()": word(2**64), "tickSpacing()": word(10)}, "for the fee: no Uniswap pool"),
    ],
)
def test_what_is_no_pool_is_refused(tmp_path: Path, answers: dict[str, str], message: str) -> None:
    transport = _reverting(answers).transport
    with pytest.raises(PermanentError, match=message):
        complete(client(tmp_path, transport=transport), node(), POOL)


def test_an_address_without_a_contract_is_refused(tmp_path: Path) -> None:
    transport = FakeNode(call=lambda to, data, tag: "0x").transport
    with pytest.raises(NotServed, match="no pool contract at this address"):
        complete(client(tmp_path, transport=transport), node(), POOL)


def test_balances_close_the_books(tmp_path: Path) -> None:
    """A pool that takes in 5 and pays out 3 a day, on a node that keeps the state of old blocks."""

    def call(to: str, data: str, tag: str) -> str:
        if (name := function_of(data)) in TOKENS:
            return word(TOKENS[name])
        days = 0 if tag == "latest" else (int(tag, 16) - GENESIS + 1) // 7200
        return word(100 + 5 * days if to == "0x" + "aa" * 20 else 100 - 3 * days)

    http = client(tmp_path, transport=FakeNode(call=call).transport)
    logs, days = sets(USDC_WETH)
    asked = rows(days, http, "2024-01")
    assert asked.query("kind == 'swaps'")["balance0"].tolist() == ["105", "110", "115"]
    raw = rows(logs, http, "2024-01")
    flows = build.core_amm_flows(
        core_amm_swaps=build.core_amm_swaps(raw_eth_logs=raw, raw_amm_days=asked),
        core_amm_liquidity=build.core_amm_liquidity(raw_eth_logs=raw, raw_amm_days=asked),
        raw_amm_days=asked,
    )
    assert flows["gap0"].tolist()[1:] == ["0", "0"]
    assert flows["gap1"].tolist()[1:] == ["0", "0"]


def test_a_node_without_eth_call_says_how_to_declare_the_pool(replay: Any, tmp_path: Path) -> None:
    message = "eth_call does not exist.*declare the pool in a TOML file named in PERP_POOLS"
    with pytest.raises(NotServed, match=message):
        complete(client(tmp_path, replay.url), node(), POOL)


def test_a_missing_node_names_the_setting(tmp_path: Path) -> None:
    logs, *_ = amm_datasets(("base:0x" + "ab" * 20,), RPC)
    with pytest.raises(PermanentError, match="set BASE_RPC_URL"):
        list(logs.fetch(client(tmp_path), Span.parse("2024-01", "2024-01"), NOW))


@pytest.mark.parametrize("url", ["wss://node.example.org/v3/0123456789abcdef", "0123456789abcdef"])
def test_what_is_no_address_is_named_by_its_setting(tmp_path: Path, url: str) -> None:
    logs, *_ = amm_datasets((USDC_WETH,), {"ETH_RPC_URL": url})
    with pytest.raises(PermanentError, match="ETH_RPC_URL: the address is not http://") as caught:
        list(logs.fetch(client(tmp_path), Span.parse("2024-01", "2024-01"), NOW))
    assert "0123456789abcdef" not in str(caught.value)


def test_a_users_registry_adds_pools() -> None:
    text = """
    [[pool]]
    chain = "base"
    address = "0xABABABABABABABABABABABABABABABABABABABAB"
    protocol = "uniswap_v3"
    windows = [["2024-01-01", "2024-01-31"]]
    """
    pool = read_registry(text, origin="mine.toml").pools["base:0x" + "ab" * 20]
    assert pool.asks_for(date(2024, 1, 31))
    assert not pool.asks_for(date(2024, 2, 1))
    assert not pool.is_declared
    with pytest.raises(ValueError, match="mine"):
        read_registry(text.replace("uniswap_v3", "curve"), origin="mine.toml")
    with pytest.raises(ValueError, match="chain is not one of"):
        load_registry().select(("dogechain:0x" + "ab" * 20,))
