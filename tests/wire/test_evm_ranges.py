"""What nodes refuse: ranges too large for them, and blocks that they do not hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from chain_wire import NOW, RPC, SWAP, USDC_WETH, FakeNode, client, one_swap, rows, sets

from perp_pipeline.months import Span
from perp_pipeline.sources import ethereum
from perp_pipeline.sources.amm import amm_datasets
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import NotServed, PermanentError, SourceError, TransientError
from perp_pipeline.sources.evm_rpc import CallRefused, RangeNotHeld, RangeTooLarge, refusal, result_of
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.pools import load_registry
from perp_pipeline.sources.store import BodyStore


def _two_days(
    tmp_path: Path, answer: Callable[[dict[str, Any]], dict[str, Any]]
) -> tuple[pd.DataFrame, Http]:
    http = client(tmp_path, transport=FakeNode(logs=answer).transport, attempts=2)
    _, days = sets(USDC_WETH)
    return rows(days, http, "2024-01"), http


@pytest.mark.parametrize(
    "message",
    [
        "query returned more than 10000 results",
        "Log response size exceeded",
        "eth_getLogs block range too large",
        "limit exceeded",
        "Response is too big",
        "eth_getLogs is limited to a 1,000 range",
        "exceed maximum block range: 1000",
        "eth_getLogs block range too large, range: 7200, max: 1000",
        "You can make eth_getLogs requests with up to a 1000 block range.",
    ],
)
def test_limits_split_the_range_and_lose_nothing(tmp_path: Path, message: str) -> None:
    answered: list[tuple[int, int]] = []

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        if last - first + 1 > 1000:
            return {"error": {"code": -32005, "message": message}}
        if query["topics"][0][0] == SWAP:
            answered.append((first, last))
        return one_swap(query)

    days, _ = _two_days(tmp_path, answer)
    assert days["served"].all()
    swaps = days[days["kind"] == "swaps"]
    asked = sorted(set(answered))
    assert asked[0][0] == swaps["first_block"].min()
    assert asked[-1][1] == swaps["last_block"].max()
    assert all(b[0] == a[1] + 1 for a, b in pairwise(asked))
    seen = len(answered)
    refused: list[dict[str, Any]] = []

    def note(query: dict[str, Any]) -> dict[str, Any]:
        refused.append(query)
        return {"result": []}

    second, _ = _two_days(tmp_path, note)
    pd.testing.assert_frame_equal(second, days)
    assert len(answered) == seen
    assert not refused  # refusals are kept as well


def test_a_single_block_that_is_refused_is_an_error(tmp_path: Path) -> None:
    def answer(query: dict[str, Any]) -> dict[str, Any]:
        return {"error": {"code": -32005, "message": "query returned more than 10000 results"}}

    with pytest.raises(RangeTooLarge, match="single block"):
        _two_days(tmp_path, answer)


def test_recorded_provider_errors(shared: Path) -> None:
    for entry in json.loads((shared / "wire" / "uniswap" / "rpc_getlogs_errors.json").read_text()):
        text = entry["match"] if "match" in entry else entry["error"]["message"]
        assert refusal(text) is not None
        with pytest.raises(RangeTooLarge):
            result_of({"error": {"code": -32005, "message": text}})


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (-32005, "daily request count exceeded, request rate limited", TransientError),
        (429, "Your app has exceeded its compute units per second capacity", TransientError),
        (-32000, "header not found", TransientError),
        (-32603, "internal error", TransientError),
        (-32000, "missing trie node", RangeNotHeld),
        (4444, "pruned history unavailable", RangeNotHeld),
        (-32601, "the method eth_foo does not exist", PermanentError),
        (-32001, "Exceeded the quota usage", TransientError),
        (-32012, "credits limited to 6000/sec", TransientError),
        (-32000, "exceeded the RPS limit", TransientError),
        (-32000, "upstream connect error", TransientError),
        (-32000, "App is inactive", CallRefused),
        (-32000, "Unauthorized: check your key", CallRefused),
        (-32701, "History has been pruned for this block", RangeNotHeld),
        (-32000, "this replay holds no logs of 0x12", RangeNotHeld),
        (-32000, "query timeout exceeded", RangeTooLarge),
        (-32005, "query timeout of 10 seconds exceeded", RangeTooLarge),
    ],
)
def test_what_errors_mean(code: int, message: str, error: type[SourceError]) -> None:
    with pytest.raises(error):
        result_of({"error": {"code": code, "message": message}})


@pytest.mark.parametrize(
    ("message", "span"),
    [
        ("eth_getLogs range is too large, max is 1k blocks", 1000),
        ("ranges over 10000 blocks are not supported on freetier", 10_000),
        ("requested too many blocks from 1 to 9, maximum is set to 2048", 2048),
        ("You can make eth_getLogs requests with up to a 10 block range.", 10),
        ("eth_getLogs is limited to a 10,000 range", 10_000),
        ("exceed maximum block range: 50000", 50_000),
        ("query returned more than 10000 results", None),
    ],
)
def test_the_span_that_a_node_names(message: str, span: int | None) -> None:
    with pytest.raises(RangeTooLarge) as caught:
        result_of({"error": {"code": -32000, "message": message}})
    assert caught.value.max_span == span


def test_a_pool_of_which_nothing_is_held(replay: Any, tmp_path: Path) -> None:
    label = "ethereum:0x11b815efb8f581194ae79006d24e0d814b7697f6"
    http = client(tmp_path, replay.url)
    _, days, *_ = amm_datasets((label,), {"ETH_RPC_URL": RPC["ethereum"]})
    with pytest.raises(NotServed, match=r"holds none of these days.*this replay holds no logs"):
        list(days.fetch(http, Span.parse("2024-01", "2024-01"), NOW))
    asked = rows(sets(label)[1], http, "2024-01")
    assert len(asked) == 62
    assert not asked["served"].any()
    # a pool that was not asked for by name is only recorded
    assert not list(sets(label)[0].fetch(http, Span.parse("2024-01", "2024-01"), NOW))


def _pruned(query: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": 4444, "message": "pruned history unavailable"}}


def _days(
    folder: Path,
    answer: Callable[[dict[str, Any]], dict[str, Any]],
    url: str = RPC["ethereum"],
    now: datetime = NOW,
    **options: Any,
) -> tuple[pd.DataFrame, FakeNode]:
    """The days that a run finds in a lake with a node, and the node."""
    fake, registry = FakeNode(logs=answer), load_registry()
    _, days = ethereum.datasets(registry.select((USDC_WETH,)), registry, {"ethereum": url})
    return rows(days, client(folder, transport=fake.transport, **options), "2024-01", now=now), fake


def test_a_refusal_is_believed_for_a_while(tmp_path: Path) -> None:
    def asked(now: datetime, url: str = RPC["ethereum"], **options: Any) -> int:
        frame, fake = _days(tmp_path, _pruned, url, now, **options)
        assert not frame["served"].any()
        assert frame["reason"].str.contains("4444: pruned history unavailable").all()
        return fake.count("eth_getLogs")

    assert asked(NOW) == 6  # three days, both kinds, once each
    assert asked(NOW + timedelta(days=29)) == 0
    assert asked(NOW + timedelta(days=29), offline=True) == 0
    assert asked(NOW, "https://another.example.org/key") == 6
    assert asked(NOW + timedelta(days=31)) == 6
    assert asked(NOW + timedelta(days=40)) == 0  # the word was given anew


def test_a_node_that_is_behind_is_asked_again(tmp_path: Path) -> None:
    """In the open month and the one before it, what the nightly refresh comes back to."""
    now = datetime(2024, 2, 10, tzinfo=UTC)
    assert not _days(tmp_path, _pruned, now=now)[0]["served"].any()
    assert _days(tmp_path, one_swap, now=now)[0]["served"].all()


def test_stored_logs_serve_whoever_the_provider_is(tmp_path: Path) -> None:
    first, _ = _days(tmp_path, one_swap, "https://one.example.org/v3/key")
    again, fake = _days(tmp_path, _pruned, "https://two.example.org/")
    pd.testing.assert_frame_equal(again, first)
    assert not fake.count("eth_getLogs")
    assert first["source_url"].iloc[0].startswith("rpc://ethereum/#eth_getLogs/0x88e6")


def test_a_lake_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    """Bodies once lay under the node's own address, what it does not hold as a second question."""
    url = "https://node.example.org/v3/0123456789abcdef"

    def half(query: dict[str, Any]) -> dict[str, Any]:
        return one_swap(query) if query["topics"][0][0] == SWAP else _pruned(query)

    expected, _ = _days(tmp_path, half, url)
    store = BodyStore(tmp_path)
    for entry in list(store.entries()):
        payload = entry.payload | {"id": 2} if entry.url != "rpc://ethereum/" else entry.payload
        store.move(entry, Request(url, method="POST", payload=payload))
    assert {entry.url for entry in store.entries()} == {url}
    found, fake = _days(tmp_path, half, url, offline=True)
    pd.testing.assert_frame_equal(found, expected)
    assert not fake.asked
    assert {entry.url for entry in store.entries()} == {"rpc://ethereum/", "rpc://ethereum/node.example.org"}
