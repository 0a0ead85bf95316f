"""HyperSync in place of eth_getLogs: the same rows, by pages, with exact times; bad bodies are errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from chain_wire import (
    DAY,
    GENESIS,
    SWAP,
    USDC_WETH,
    FakeNode,
    client,
    every_12_seconds,
    one_swap,
    pool_day,
    rows,
    sets,
)

from perp_pipeline.amm import build
from perp_pipeline.sources.answers import retry_after
from perp_pipeline.sources.errors import FormatChanged, PermanentError, SourceError, TransientError
from perp_pipeline.sources.evm_errors import (
    DuplicateLog,
    LogOutOfRange,
    RemovedLog,
    TruncatedWords,
    UnknownTopic,
)
from perp_pipeline.sources.evm_events import SET_FEE_PROTOCOL, V3
from perp_pipeline.sources.evm_logs import LogFilter
from perp_pipeline.sources.hypersync import HyperSync, parse_page

TOKEN = "2c1b5a0e-0000-4000-8000-hypersynctoken"


@dataclass
class Archive:
    """HyperSync over a node's logs, in pages of a number of blocks; the node's own questions go on to it."""

    node: Callable[[httpx.Request], httpx.Response]
    logs: Callable[[dict[str, Any]], list[dict[str, Any]]]
    times: Callable[[int], int]
    page: int = 3000
    height: int = 10**9
    queries: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def respond(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "1.hypersync.xyz":
            return self.node(request)
        assert (request.method, request.url.path) == ("POST", "/query")
        self.tokens.add(request.headers["authorization"])
        query = json.loads(request.content)
        if query["logs"][0]["topics"] == [[SET_FEE_PROTOCOL.topic0]]:  # the pools' whole history, on one page
            none = {"data": [], "archive_height": self.height, "next_block": query["to_block"]}
            return httpx.Response(200, json=none)
        self.queries.append(query)
        return httpx.Response(200, json=self.answer(query))

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        first, end = query["from_block"], min(query["to_block"], query["from_block"] + self.page)
        (selection,) = query["logs"]
        logs = self.logs(
            {
                "address": selection["address"][0],
                "topics": selection["topics"],
                "fromBlock": hex(first),
                "toBlock": hex(end - 1),
            }
        )
        blocks = sorted({int(log["blockNumber"], 16) for log in logs})
        half = blocks[len(blocks) // 2] if blocks else 0
        batches = []
        for own in ([b for b in blocks if b >= half], [b for b in blocks if b < half]):  # in no order
            batches.append(
                {
                    "blocks": [{"number": b, "timestamp": hex(self.times(b))} for b in own],
                    "logs": [_log(log) for log in logs if int(log["blockNumber"], 16) in own],
                }
            )
        return {
            "data": batches,
            "archive_height": self.height,
            "next_block": end,
            "total_execution_time": 12,
            "rollback_guard": None,
        }


def _log(log: dict[str, Any]) -> dict[str, Any]:
    topics = log["topics"] + [None] * (4 - len(log["topics"]))
    return {
        "removed": None,
        "log_index": int(log["logIndex"], 16),
        "transaction_index": int(log["transactionIndex"], 16),
        "transaction_hash": log["transactionHash"],
        "block_number": int(log["blockNumber"], 16),
        "address": log["address"],
        "data": log["data"],
        **{f"topic{place}": topic for place, topic in enumerate(topics)},
    }


def _over(fake: FakeNode, **options: Any) -> Archive:
    return Archive(fake.transport.handle_request, lambda q: fake.logs(q)["result"], fake.times, **options)


def test_a_real_day_is_the_same_by_both_routes(replay: Any, tmp_path: Path) -> None:
    address = f"{replay.url}/eth-rpc.local/"
    server = httpx.Client(timeout=60)  # one connection for a day's blocks

    def ask(method: str, *params: Any) -> Any:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return server.post(address, json=call).json()["result"]

    archive = Archive(
        lambda request: server.post(address, content=request.content),
        lambda query: ask("eth_getLogs", query),
        lambda block: int(ask("eth_getBlockByNumber", hex(block), False)["timestamp"], 16),
    )
    http = client(tmp_path / "hypersync", transport=httpx.MockTransport(archive.respond))
    logs, days = sets(USDC_WETH, window=DAY, hypersync_token=TOKEN)
    raw, asked = rows(logs, http, "2024-01"), rows(days, http, "2024-01")
    assert len(archive.queries) == 2 * 3  # a day of 7,200 blocks, two kinds of events, pages of 3,000
    node = client(tmp_path / "node", replay.url)
    node_logs, node_days = sets(USDC_WETH, window=DAY)
    node_raw, node_asked = rows(node_logs, node, "2024-01"), rows(node_days, node, "2024-01")

    own = ["source_url", "download_sha256", "time", "time_exact"]
    pd.testing.assert_frame_equal(raw.drop(columns=own), node_raw.drop(columns=own))
    assert raw["time_exact"].all()
    assert not node_raw["time_exact"].any()
    assert ((raw["time"] - node_raw["time"]).abs() < pd.Timedelta(minutes=2)).all()
    assert raw["source_url"].str.startswith("https://1.hypersync.xyz/query#logs/0x88e6").all()
    swaps = build.core_amm_swaps(raw_eth_logs=raw, raw_amm_days=asked)
    node_swaps = build.core_amm_swaps(raw_eth_logs=node_raw, raw_amm_days=node_asked)
    pd.testing.assert_frame_equal(swaps.drop(columns="time"), node_swaps.drop(columns="time"))
    ours, theirs = pool_day(swaps, asked), pool_day(node_swaps, node_asked)
    assert ours["n_swaps"] == theirs["n_swaps"]
    assert ours["pnl_usd"] == pytest.approx(theirs["pnl_usd"], rel=1e-9)  # summed by other minutes


def test_stored_pages_are_not_asked_for_again(tmp_path: Path) -> None:
    archive = _over(FakeNode(), page=1000)
    transport = httpx.MockTransport(archive.respond)
    first = rows(sets(USDC_WETH, hypersync_token=TOKEN)[0], client(tmp_path, transport=transport), "2024-01")
    asked = len(archive.queries)
    # three days of two kinds by eight pages; the three days without liquidity events again, in two halves
    assert asked == 3 * 2 * 8 + 2 * 11
    again = rows(sets(USDC_WETH, hypersync_token=TOKEN)[0], client(tmp_path, transport=transport), "2024-01")
    pd.testing.assert_frame_equal(again, first)
    assert len(archive.queries) == asked
    assert archive.tokens == {f"Bearer {TOKEN}"}
    offline = client(tmp_path, offline=True)
    other_token = sets(USDC_WETH, hypersync_token="another")[0]
    pd.testing.assert_frame_equal(rows(other_token, offline, "2024-01"), first)


def test_without_a_token_the_node_is_asked(tmp_path: Path) -> None:
    fake = FakeNode()
    archive = _over(fake)
    http = client(tmp_path, transport=httpx.MockTransport(archive.respond))
    rows(sets(USDC_WETH)[0], http, "2024-01")
    assert not archive.queries
    assert fake.count("eth_getLogs")


# one answer

ASKED = LogFilter(
    USDC_WETH.partition(":")[2], tuple(e for e in V3 if e.name == "swap"), GENESIS, GENESIS + 99
)


def _good() -> dict[str, Any]:
    """Two swaps in two blocks."""

    def logs(query: dict[str, Any]) -> dict[str, Any]:
        swaps = [one_swap(query)["result"][0] | {"blockNumber": hex(GENESIS + n)} for n in (5, 9)]
        return {"result": swaps}

    archive = _over(FakeNode(logs=logs))
    return archive.answer(HyperSync(1, TOKEN).request(ASKED).payload)


def _page(answer: Any) -> Any:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return parse_page(content, ASKED)


def test_a_good_answer() -> None:
    page = _page(_good())
    assert page.next_block == GENESIS + 100
    assert page.logs["block_number"].to_pylist() == [GENESIS + 5, GENESIS + 9]
    assert page.logs["block_timestamp"].to_pylist() == [every_12_seconds(GENESIS + n) for n in (5, 9)]
    assert page.logs["topic0"].to_pylist() == [SWAP, SWAP]


def test_a_page_may_end_early_but_not_stand_still() -> None:
    answer = _good() | {"next_block": GENESIS + 10}
    assert _page(answer).next_block == GENESIS + 10
    with pytest.raises(LogOutOfRange):
        _page(answer | {"next_block": GENESIS + 9})  # it says that it stopped before its last log
    assert _page(answer | {"archive_height": None}).next_block == GENESIS + 10


def test_recorded_log_of_a_client_reads_like_the_nodes(shared: Path) -> None:
    """One log as HyperSync's clients and as a node write it (a pool of PancakeSwap)."""
    from perp_pipeline.sources.evm_logs import log_table
    from perp_pipeline.sources.hypersync import _as_a_node_sends_it

    folder = shared / "wire" / "uniswap"
    recorded = json.loads((folder / "pancakeswap_v3_swap_hypersync.json").read_text())
    block = int(recorded["block_number"], 16)
    own = log_table([_as_a_node_sends_it(recorded, {block: "0x0"})]).drop_columns("block_timestamp")
    node = log_table([json.loads((folder / "pancakeswap_v3_swap_rpc.json").read_text())])
    assert own.equals(node.drop_columns("block_timestamp"))


def _with_log(**changes: Any) -> dict[str, Any]:
    answer = _good()
    answer["data"][0]["logs"][0] |= changes
    return answer


def _without_log_field(name: str) -> dict[str, Any]:
    answer = _good()
    del answer["data"][0]["logs"][0][name]
    return answer


def _repeated() -> dict[str, Any]:
    answer = _good()
    answer["data"][0]["logs"] *= 2
    return answer


def _without_blocks() -> dict[str, Any]:
    answer = _good()
    answer["data"][0]["blocks"] = []
    return answer


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", TransientError),
        (b'{"data": [', TransientError),
        ([], FormatChanged),
        ({"error": "unknown field"}, FormatChanged),
        (_good() | {"data": {"logs": []}}, FormatChanged),
        (_good() | {"data": [[]]}, FormatChanged),
        (_good() | {"data": [{"logs": "none"}]}, FormatChanged),
        (_good() | {"next_block": "0x10"}, FormatChanged),
        (_good() | {"next_block": None}, FormatChanged),
        (_good() | {"archive_height": "high"}, FormatChanged),
        (_good() | {"archive_height": GENESIS + 50}, TransientError),
        (_good() | {"next_block": GENESIS}, TransientError),
        (_good() | {"next_block": GENESIS + 101}, TransientError),
        (_without_blocks(), FormatChanged),
        (_with_log(block_number=-1), FormatChanged),
        (_with_log(block_number=None), FormatChanged),
        (_with_log(log_index="five"), FormatChanged),
        (_with_log(log_index=True), FormatChanged),
        (_without_log_field("data"), FormatChanged),
        (_without_log_field("transaction_hash"), FormatChanged),
        (_with_log(topics="none"), FormatChanged),
        (_with_log(removed=True), RemovedLog),
        (_with_log(address="0x" + "ab" * 20), LogOutOfRange),
        (_with_log(topic0="0x" + "ab" * 32), UnknownTopic),
        (_with_log(data="0x1234"), TruncatedWords),
        (_repeated(), DuplicateLog),
    ],
)
def test_a_bad_answer_is_a_named_error(answer: Any, error: type[SourceError]) -> None:
    with pytest.raises(error):
        _page(answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(401, text="invalid token"), "PERP_HYPERSYNC_TOKEN"),
        (httpx.Response(403, text="token required"), "PERP_HYPERSYNC_TOKEN"),
        (httpx.Response(400, text="unknown field"), "PERP_HYPERSYNC_TOKEN"),
        (httpx.Response(429, headers={"x-ratelimit-reset": "7"}, text="slow down"), "asks to slow down"),
        (httpx.Response(200, html="<html>down</html>"), "HTML page"),
        (httpx.Response(200, json={"data": [], "next_block": "1"}), "next_block is '1'"),
    ],
)
def test_refusals_name_the_remedy_and_keep_nothing(
    tmp_path: Path, answer: httpx.Response, message: str
) -> None:
    fake = FakeNode()

    def respond(request: httpx.Request) -> httpx.Response:
        return answer if "hypersync" in request.url.host else fake.transport.handle_request(request)

    http = client(tmp_path, transport=httpx.MockTransport(respond), attempts=2, body_attempts=2)
    with pytest.raises(SourceError, match=message) as caught:
        rows(sets(USDC_WETH, hypersync_token=TOKEN)[0], http, "2024-01")
    assert TOKEN not in str(caught.value)
    assert not http.store.entries_of("https://1.hypersync.xyz/query")


def test_it_says_how_many_seconds_to_wait() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    headers = {"x-ratelimit-reset": "7"}
    assert retry_after("1.hypersync.xyz", 429, headers, b"", now) == 7
    assert retry_after("1.hypersync.xyz", 429, headers | {"retry-after": "2"}, b"", now) == 2
    assert retry_after("www.bitmex.com", 429, headers, b"", now) is None


def test_days_borders_still_need_a_node(tmp_path: Path) -> None:
    from perp_pipeline.sources.amm import amm_datasets

    logs, *_ = amm_datasets((USDC_WETH,), {}, archives=(), hypersync_token=TOKEN)
    with pytest.raises(PermanentError, match="set ETH_RPC_URL"):
        rows(logs, client(tmp_path), "2024-01")
