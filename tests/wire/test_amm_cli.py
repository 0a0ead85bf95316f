"""perp run on pools of any chain, by every route: keys, blocks of a quarter second, a stopped head."""

from __future__ import annotations

import gzip
import json
import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from chain_wire import SWAP, FakeNode, swap_log, usdc_weth
from test_hypersync import Archive
from test_subgraph import KEY as GRAPH_KEY
from test_subgraph import Gateway
from typer.testing import CliRunner

from perp_pipeline import contracts
from perp_pipeline.cli import app
from perp_pipeline.lake import Lake

RPC_KEY = "c0ffee00c0ffee00c0ffee00c0ffee00"
TOKEN = "5d4c3b2a-0000-4000-8000-hypersynctoken"
FIRST = 180_000_000
START = datetime(2024, 3, 1, tzinfo=UTC)
Answer = Callable[[httpx.Request], httpx.Response]


def _seconds(block: int) -> int:
    return int(START.timestamp()) + math.floor((block - FIRST) / 4)


def _logs(query: dict[str, Any]) -> dict[str, Any]:
    """A swap at the beginning of each range: 2,500 USDC in, 1 WETH out, at that price."""
    if query["topics"][0][0] != SWAP:
        return {"result": []}
    root = 20_000 * 2**96  # smallest units of WETH per one of USDC: 1e18 / 2500e6
    tick = math.floor(math.log(4e8) / math.log(1.0001))
    words = (2_500 * 10**6, -(10**18), root, 10**20, tick)
    data = "0x" + "".join(format(word % 2**256, "064x") for word in words)
    return {"result": [swap_log(query, data=data)]}


def _arbitrum(days: int) -> FakeNode:
    """A node of Arbitrum whose head is some days after the first of March 2024."""
    return FakeNode(42161, _seconds, FIRST + days * 4 * 86400, _logs, usdc_weth)


@contextmanager
def _served(hosts: dict[str, Answer], elsewhere: str) -> Iterator[str]:
    """A gateway: some hosts are answered here, the rest by another gateway."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            _, host, path = self.path.split("/", 2)
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            if host in hosts:
                headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
                asked = httpx.Request(
                    self.command, f"https://{host}/{path}", content=content, headers=headers
                )
                answer = hosts[host](asked)
            else:
                answer = httpx.request(self.command, elsewhere + self.path, content=content, timeout=60)
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = _do

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _run(gateway: str, lake: Path, *options: str, **environment: str) -> tuple[int, str]:
    runner = CliRunner()
    result = runner.invoke(
        app, ["run", "--gateway", gateway, "--lake", str(lake), *options], env=dict(environment)
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def _everything(lake: Path) -> bytes:
    """All that is written in a lake: paths, files, what is compressed in them, and Parquet's cells."""
    found = b""
    for path in sorted(lake.rglob("*")):
        found += str(path).encode()
        if path.suffix == ".gz":
            found += gzip.decompress(path.read_bytes())
        elif path.is_file():
            found += path.read_bytes()
        if path.suffix == ".parquet":
            found += json.dumps(pq.read_table(path, partitioning=None).to_pylist(), default=str).encode()
    return found


POOL = "arbitrum:0x" + "cd" * 20


def test_an_undeclared_pool_of_another_chain_until_where_its_node_ends(
    replay: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake = _arbitrum(days=40)
    with _served({"arb.local": fake.transport.handle_request}, replay.url) as gateway:
        code, output = _run(
            gateway,
            tmp_path,
            *("--select", "amm", "--pool", POOL, "--from", "2024-03"),  # to the open month
            ARBITRUM_RPC_URL=f"https://arb.local/v3/{RPC_KEY}",
        )
    assert code == 0, output
    said = "arbitrum: the node's chain ends at 2024-04-10 00:00 UTC; months from 2024-05 on have no rows"
    assert [record.getMessage() for record in caplog.records].count(said) == 1
    lake = Lake.at(str(tmp_path))
    days = lake.frame(contracts.get("core_amm_pool_day"))
    assert len(days) == 40
    assert set(days["chain"]) == {"arbitrum"}
    assert set(days["token0"]) == {"USDC"}
    assert days["n_swaps"].tolist() == [1] * 40
    assert days["day"].iloc[0].date() == START.date()
    results = lake.frame(contracts.get("out_amm_profit_per_volume"), where={"pool": [POOL.partition(":")[2]]})
    assert len(results)
    assert RPC_KEY.encode() not in _everything(tmp_path)
    assert RPC_KEY not in output


def test_another_chains_node_is_a_clear_error(replay: Any, tmp_path: Path) -> None:
    with _served({"arb.local": _arbitrum(40).transport.handle_request}, replay.url) as gateway:
        code, output = _run(
            gateway,
            tmp_path,
            *("--select", "raw_eth_logs", "--pool", "base:0x" + "cd" * 20),
            *("--from", "2024-03", "--to", "2024-03"),
            BASE_RPC_URL=f"https://arb.local/v3/{RPC_KEY}",
        )
    assert code == 1
    assert "BASE_RPC_URL leads to chain 42161; base is 8453" in output
    assert RPC_KEY not in output


@pytest.mark.parametrize("bad", [False, True])
def test_no_key_of_any_route_is_written(
    replay: Any, tmp_path: Path, bad: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether all goes well or every server repeats the key in its refusal."""
    caplog.set_level(logging.DEBUG)
    fake = FakeNode(head=18_900_000 + 7200 * 3)
    archive = Archive(fake.transport.handle_request, lambda q: fake.logs(q)["result"], fake.times)
    keys = (RPC_KEY, TOKEN, GRAPH_KEY)

    def tell(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, text=f"{request.url} {request.headers.get('authorization')}")

    graph = tell if bad else Gateway([]).respond
    hosts: dict[str, Answer] = {
        "eth.local": fake.transport.handle_request,
        "1.hypersync.xyz": tell if bad else archive.respond,
        "gateway.thegraph.com": graph,
    }
    with _served(hosts, replay.url) as gateway:
        code, output = _run(
            gateway,
            tmp_path,
            *("--select", "core_amm_swaps", "--select", "core_amm_second_opinion"),
            *("--pool", "ethereum:0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"),
            *("--from", "2024-01", "--to", "2024-01"),
            ETH_RPC_URL=f"https://user:{RPC_KEY}@eth.local/{RPC_KEY}?key={RPC_KEY}",
            PERP_HYPERSYNC_TOKEN=TOKEN,
            PERP_GRAPH_KEY=GRAPH_KEY,
        )
    assert code == (1 if bad else 0), output
    assert bool(archive.queries) == (not bad)
    everything = _everything(tmp_path)
    for key in keys:
        assert key.encode() not in everything
        assert key not in output
        assert key not in caplog.text
