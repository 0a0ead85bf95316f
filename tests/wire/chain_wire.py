"""What the tests of on-chain sources share: pools, clients, a node whose chain is a formula."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from perp_pipeline.amm import build
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.months import Span
from perp_pipeline.sources import ethereum
from perp_pipeline.sources.evm_events import SET_FEE_PROTOCOL
from perp_pipeline.sources.evm_node import Node
from perp_pipeline.sources.evm_pool_facts import SELECTORS
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.pools import load_registry
from perp_pipeline.sources.store import BodyStore

RPC = {"ethereum": "https://eth-rpc.local/"}
NOW = datetime(2025, 7, 1, tzinfo=UTC)
USDC_WETH = "ethereum:0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
USDC_WETH_30 = "ethereum:0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8"
WBTC_WETH = "ethereum:0xcbcdf9626bc03e24f779434178a73a0b4bad62ed"
DAY = (date(2024, 1, 5), date(2024, 1, 5))
SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
GENESIS = 18_900_000
"""First block of 2024 at a :class:`FakeNode`."""


def client(folder: Path, url: str | None = None, **options: Any) -> Http:
    """A client that does not wait."""
    return Http(BodyStore(folder), gateway=url, sleep=lambda _: None, now=lambda: NOW, **options)


def node(chain: str = "ethereum", url: str = RPC["ethereum"]) -> Node:
    """The node of a declared chain."""
    return Node.at(load_registry().chains[chain], url)


def sets(label: str, *, window: tuple[date, date] | None = None, **options: Any) -> tuple[Any, Any]:
    """Datasets of one pool's logs and days."""
    registry = load_registry()
    pool = registry.select((label,))[0]
    if window:
        pool = replace(pool, windows=(window,))
    return ethereum.datasets((pool,), registry, RPC, **options)


def rows(dataset: Any, http: Http, first: str, last: str | None = None, now: datetime = NOW) -> pd.DataFrame:
    """What a dataset gives, as the lake would give it back."""
    frames = list(dataset.fetch(http, Span.parse(first, last or first), now))
    return to_frame(to_arrow(dataset.contract, pd.concat(frames, ignore_index=True)))


def pool_day(swaps: pd.DataFrame, days: pd.DataFrame) -> pd.Series:
    """The pool-day of one day's swaps."""
    minutes = build.core_amm_minutes(
        core_amm_swaps=swaps,
        raw_amm_minutes=pd.DataFrame(),
        core_amm_fee_protocol=pd.DataFrame(columns=["chain", "pool"]),
        raw_amm_days=days,
    )
    built = build.core_amm_pool_day(
        core_amm_minutes=minutes,
        raw_amm_snapshots=pd.DataFrame(),
        raw_amm_days=days,
        core_spot_1h=pd.DataFrame(),
    )
    return built.frame.iloc[0]


def swap_log(query: dict[str, Any], offset: int = 5, **more: Any) -> dict[str, Any]:
    """A swap that brings 5 of token0 in and 3 of token1 out, ``offset`` blocks after the query's first."""
    data = "".join(format(value % 2**256, "064x") for value in (5, -3, 2**96, 7, 0))
    return {
        "address": query["address"],
        "topics": [SWAP, "0x" + "0" * 64, "0x" + "0" * 64],
        "data": "0x" + data,
        "blockNumber": hex(int(query["fromBlock"], 16) + offset),
        "transactionHash": "0x" + "1" * 64,
        "transactionIndex": "0x0",
        "logIndex": "0x0",
        **more,
    }


def every_12_seconds(block: int) -> int:
    """Times of a chain with a block every 12 s from 2024-01-01."""
    return int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) + 12 * (block - GENESIS)


def one_swap(query: dict[str, Any]) -> dict[str, Any]:
    """eth_getLogs of a pool with one swap in each range that is asked for."""
    return {"result": [swap_log(query)] if query["topics"][0][0] == SWAP else []}


TOKENS = {"token0()": "aa" * 20, "token1()": "bb" * 20}
"""Addresses of USDC and WETH at a :class:`FakeNode`."""


def word(value: int | str) -> str:
    """One ABI word."""
    return "0x" + (value.rjust(64, "0") if isinstance(value, str) else format(value, "064x"))


def function_of(data: str) -> str:
    """Which function an eth_call calls."""
    return next(name for name, selector in SELECTORS.items() if data.startswith(selector))


def usdc_weth(to: str, data: str, tag: str) -> str:
    """A pool of USDC and WETH; one symbol is a string, the other 32 bytes as of old."""
    usdc = to.startswith("0xaa")
    symbol = word(32) + word(4)[2:] + b"USDC".hex().ljust(64, "0")
    answers = {
        "fee()": word(500),
        "tickSpacing()": word(10),
        "decimals()": word(6 if usdc else 18),
        "symbol()": symbol if usdc else "0x" + b"WETH".hex().ljust(64, "0"),
        **{name: word(token) for name, token in TOKENS.items()},
    }
    return answers[function_of(data)]


def _for_switches(call: dict[str, Any]) -> bool:
    """Whether a call asks for nothing but SetFeeProtocol events."""
    return call["method"] == "eth_getLogs" and call["params"][0]["topics"] == [[SET_FEE_PROTOCOL.topic0]]


@dataclass
class FakeNode:
    """A node.

    Attributes:
        times: epoch seconds of a block.
        logs: answers a filter of eth_getLogs.
        call: answers eth_call of (to, data, block), where the node has it.
        batch: what it does with a body of many calls in place of answering it, where it does.
        asked: calls so far, questions for fee switches aside.
        bodies: how many calls of eth_getLogs came in each body, questions for fee switches aside.
        switches: answers a filter of eth_getLogs for SetFeeProtocol alone.
    """

    chain_id: int = 1
    times: Callable[[int], int] = every_12_seconds
    head: int = GENESIS + 7200 * 3
    logs: Callable[[dict[str, Any]], dict[str, Any]] = one_swap
    call: Callable[[str, str, str], str] | None = None
    batch: Callable[[list[dict[str, Any]]], httpx.Response | None] = lambda calls: None
    asked: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)
    switches: Callable[[dict[str, Any]], dict[str, Any]] = lambda query: {"result": []}

    @property
    def transport(self) -> httpx.MockTransport:
        """The way to it. Batches are answered in another order than asked."""

        def respond(request: httpx.Request) -> httpx.Response:
            calls = json.loads(request.content)
            batch = calls if isinstance(calls, list) else [calls]
            self.asked += [call for call in batch if not _for_switches(call)]
            if batch[0]["method"] == "eth_getLogs" and not _for_switches(batch[0]):
                self.bodies.append(len(batch))
            together = isinstance(calls, list) and not _for_switches(batch[0])
            if together and (own := self.batch(calls)) is not None:
                return own
            answers = [{"jsonrpc": "2.0", "id": call["id"], **self._answer(call)} for call in batch]
            return httpx.Response(200, json=answers[::-1] if isinstance(calls, list) else answers[0])

        return httpx.MockTransport(respond)

    def count(self, method: str) -> int:
        """How often a method was called."""
        return sum(call["method"] == method for call in self.asked)

    def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        method, params = call["method"], call["params"]
        if method == "eth_chainId":
            return {"result": hex(self.chain_id)}
        if method == "eth_getBlockByNumber":
            number = self.head if params[0] == "latest" else int(params[0], 16)
            if number > self.head:
                return {"result": None}
            return {"result": {"number": hex(number), "timestamp": hex(self.times(number))}}
        if method == "eth_getLogs":
            return self.switches(params[0]) if _for_switches(call) else self.logs(params[0])
        if method == "eth_call" and self.call is not None:
            try:
                return {"result": self.call(params[0]["to"], params[0]["data"], params[1])}
            except KeyError:
                return {"error": {"code": -32000, "message": "missing trie node"}}
        return {"error": {"code": -32601, "message": f"the method {method} does not exist"}}
