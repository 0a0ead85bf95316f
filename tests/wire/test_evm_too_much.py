"""Ranges that one answer cannot hold: too long for the client, too slow for the node, whatever the words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from chain_wire import GENESIS, RPC, SWAP, USDC_WETH, FakeNode, client, rows, swap_log

from perp_pipeline.sources import ethereum
from perp_pipeline.sources.errors import BodyTooLarge, SourceError, TooSlow, TransientError
from perp_pipeline.sources.evm_rpc import RangeTooLarge, result_of
from perp_pipeline.sources.pools import load_registry

DAYS, BLOCKS = 3, 7200
EVERY = 20
"""Blocks from one swap to the next: 360 swaps a day, some 250 kB."""
Fault = Callable[[int], httpx.Response | None]
"""What a node does with a question for so many blocks, in place of answering it."""


def _swaps(query: dict[str, Any]) -> dict[str, Any]:
    first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
    if query["topics"][0][0] != SWAP:
        return {"result": []}
    begin = -(-first // EVERY) * EVERY
    return {"result": [swap_log(query, offset=block - first) for block in range(begin, last + 1, EVERY)]}


class Node:
    """A node with faults, and what it was asked.

    Attributes:
        spans: blocks of each question for swaps that came alone.
        bodies: calls in each body of eth_getLogs.
    """

    def __init__(self, fault: Fault = lambda span: None) -> None:
        self.fake = FakeNode(logs=_swaps)
        self.fault = fault
        self.spans: list[int] = []
        self.bodies: list[int] = []

    @property
    def transport(self) -> httpx.MockTransport:
        def respond(request: httpx.Request) -> httpx.Response:
            calls = json.loads(request.content)
            several = calls if isinstance(calls, list) else [calls]
            if several[0]["method"] == "eth_getLogs":
                self.bodies.append(len(several))
                queries = [call["params"][0] for call in several]
                spans = [int(q["toBlock"], 16) - int(q["fromBlock"], 16) + 1 for q in queries]
                if len(several) == 1 and queries[0]["topics"][0][0] == SWAP:
                    self.spans += spans
                if (own := self.fault(sum(spans))) is not None:
                    return own
            return self.fake.transport.handle_request(request)

        return httpx.MockTransport(respond)


def _read(folder: Path, node: Node, **options: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Logs without their provenance, and days."""
    http = client(folder, transport=node.transport, **options)
    registry = load_registry()
    pool = replace(registry.select((USDC_WETH,))[0], created=date(2024, 1, 1))  # with no history to ask for
    logs, days = ethereum.datasets((pool,), registry, RPC)
    return rows(logs, http, "2024-01").drop(columns=["source_url", "download_sha256"]), rows(
        days, http, "2024-01"
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What a node without limits gives."""
    return _read(tmp_path_factory.mktemp("whole"), Node())[0]


def _rpc(code: int, message: str) -> Fault:
    def fault(span: int) -> httpx.Response | None:
        error = {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}
        return httpx.Response(200, json=error) if span > 1000 else None

    return fault


def _status(status: int, text: str) -> Fault:
    return lambda span: httpx.Response(status, text=text) if span > 1000 else None


def _hangs(span: int) -> httpx.Response | None:
    if span > 1000:
        raise httpx.ReadTimeout("the read operation timed out")
    return None


FAULTS = {
    "504": _status(504, "Gateway Time-out"),
    "524": _status(524, "error code: 524"),
    "500 with words": _status(500, '{"error": {"code": -32000, "message": "context deadline exceeded"}}'),
    "413": _status(413, "Request Entity Too Large"),
    "read timeout": _hangs,
    "deadline": _rpc(-32000, "context deadline exceeded"),
    "geth": _rpc(-32002, "request timed out"),
    "alchemy": _rpc(-32008, "Response size is larger than 150MB limit."),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_too_much_comes_in_parts(name: str, tmp_path: Path, whole: pd.DataFrame) -> None:
    node = Node(FAULTS[name])
    logs, days = _read(tmp_path, node)
    pd.testing.assert_frame_equal(logs, whole)
    assert days["served"].all()
    assert max(node.spans) == BLOCKS
    # one whole range is asked for, as often as there is patience for it; the rest at the span that came
    assert node.spans.count(BLOCKS) <= 6
    for offline in (False, True):  # the parts are found again, though there is no answer to the whole
        idle = Node(FAULTS[name])
        again, again_days = _read(tmp_path, idle, offline=offline)
        pd.testing.assert_frame_equal(again, whole)
        pd.testing.assert_frame_equal(again_days, days)
        assert not idle.bodies


def test_a_rate_limit_is_not_taken_for_a_range_too_large(tmp_path: Path) -> None:
    node = Node(lambda span: httpx.Response(429, text="limit exceeded"))
    with pytest.raises(TransientError, match="slow down"):
        _read(tmp_path, node)
    assert set(node.spans) == {BLOCKS}


def test_an_answer_above_the_bound_is_asked_for_in_halves_at_once(
    tmp_path: Path, whole: pd.DataFrame
) -> None:
    node = Node()
    logs, _ = _read(tmp_path, node, max_body_bytes=100_000)
    pd.testing.assert_frame_equal(logs, whole)
    alone = node.spans[:3]
    assert alone == [7200, 3600, 1800]  # once each
    assert node.spans.count(7200) == 1


def test_company_that_is_too_long_gets_smaller(tmp_path: Path, whole: pd.DataFrame) -> None:
    """A day fits, several do not: fewer questions a body, and no day is cut."""
    node = Node()
    logs, days = _read(tmp_path, node, max_body_bytes=300_000)
    pd.testing.assert_frame_equal(logs, whole)
    assert days["source_url"].str.endswith(tuple(f"-{GENESIS + BLOCKS * n - 1}" for n in (1, 2, 3))).all()
    assert node.bodies[:2] == [1, 1]
    assert all(b < a for a, b in pairwise(node.bodies[2:4]))


def test_a_single_block_that_is_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(BodyTooLarge, match=rf"single block {GENESIS} are too long"):
        _read(tmp_path, Node(), max_body_bytes=400)


@pytest.mark.parametrize("name", ["504", "geth"])
def test_a_node_that_is_down_is_not_asked_for_ever_smaller_parts(name: str, tmp_path: Path) -> None:
    answer = FAULTS[name](BLOCKS)
    node = Node(lambda span: answer)
    with pytest.raises(TooSlow, match=rf"single block {GENESIS}\b"):
        _read(tmp_path, node)
    assert set(node.spans) == {BLOCKS, 1}
    # nothing is noted of it: a node that is up again is asked for days
    better = Node()
    _read(tmp_path, better)
    assert set(better.spans) == {BLOCKS}


@pytest.mark.parametrize(
    ("code", "message", "span"),
    [
        (-32008, "Response size is larger than 150MB limit.", None),
        (-32602, "range 47440 exceeds limit of 10000", 10_000),
        (-32602, "query exceeds max block range 100000", 100_000),
        (-32602, "query exceeds max results 20000, retry with the range 23879634-23879696", None),
        (-32602, "Query returned more than 10000 results. Try with this block range [0x1, 0x2].", None),
        (-32602, "query exceeds range, retry smaller (max block range 5000, got 16777216)", 5000),
        (-32602, "block range greater than 10000 max", 10_000),
        (-32602, "eth_getLogs is limited to 0 - 50 blocks range", 50),
        (-32600, "You can make eth_getLogs requests with up to a 100 block range. Based on", 100),
        (-32000, "logs matched by query exceeds limit of 10000", None),
        (-32000, "maximum [from, to] blocks distance: 2000", 2000),
        (-32000, "too wide blocks range, the limit is 100", 100),
        (-32000, "block range too large, max range: 2000", 2000),
        (-32000, "block range is larger than max block range, block range = 9, max block range = 5", 5),
        (-32000, "query returned more than allowed number of logs, try with smaller block range", None),
        (-32000, "GetLogs query must be smaller than size 1024", None),
        (-32000, "block range is too wide, please try again", None),
        (-32000, "filter matches too many events, try a more restricted filter", None),
        (-32005, "Too many logs requested. Max logs per response is 20000.", None),
        (-32005, "Requested range exceeds maximum RPC range limit", None),
        (-32047, "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: 800", 800),
        (-32020, "backend response too large", None),
        (35, "ranges over 10000 blocks are not supported on freetier", 10_000),
    ],
)
def test_words_for_too_large(code: int, message: str, span: int | None) -> None:
    with pytest.raises(RangeTooLarge) as caught:
        result_of({"error": {"code": code, "message": message}})
    assert caught.value.max_span == span


def test_words_in_the_data_of_an_error() -> None:
    said = "requested block range 16777217 exceeds the limit of 200; narrow your fromBlock/toBlock"
    with pytest.raises(RangeTooLarge) as caught:
        result_of({"error": {"code": -32602, "message": "Invalid params", "data": said}})
    assert caught.value.max_span == 200


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("request timed out", TooSlow),
        ("context deadline exceeded", TooSlow),
        ("eth_getLogs request was canceled due to enabled timeout.", TooSlow),
        ("Request timeout on the free tier, please upgrade your tier to the paid one", TooSlow),
        ("the request took too long to process", TooSlow),
        ("service temporarily unavailable", TransientError),
        ("too many requests, try again in 10 seconds", TransientError),
    ],
)
def test_words_for_too_slow_and_for_not_now(message: str, error: type[SourceError]) -> None:
    with pytest.raises(error) as caught:
        result_of({"error": {"code": -32000, "message": message}})
    assert type(caught.value) is error
