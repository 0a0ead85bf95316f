"""A node with a month of swaps of one pool, made up as they are asked for: for measurements."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from perp_pipeline.sources.evm_events import V3

POOL = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
SWAP = V3[0]
MONTH = "2024-01"
_GENESIS = 18_900_000
_START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
_BLOCKS = 31 * 7_200
"""Blocks of the month, one every 12 s."""


class MadeUpNode:
    """Answers eth_chainId, eth_getBlockByNumber and eth_getLogs.

    Args:
        swaps: how many there are in the month, evenly spread over its blocks.
    """

    def __init__(self, swaps: int) -> None:
        generator = np.random.default_rng(1)
        self._ticks = 200_000 + np.cumsum(generator.integers(-3, 4, swaps + 1))
        self._blocks = _GENESIS + np.arange(swaps) * _BLOCKS // max(swaps, 1)

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        """The answer to one call."""
        method, params = call["method"], call["params"]
        found: Any = None
        if method == "eth_chainId":
            found = "0x1"
        elif method == "eth_getBlockByNumber":
            number = _GENESIS + _BLOCKS + 7_200 if params[0] == "latest" else int(params[0], 16)
            found = {"number": hex(number), "timestamp": hex(_START + 12 * (number - _GENESIS))}
        elif method == "eth_getLogs":
            found = self._logs(params[0]) if SWAP.topic0 in params[0]["topics"][0] else []
        else:
            return {
                "jsonrpc": "2.0",
                "id": call["id"],
                "error": {"code": -32601, "message": "no such method"},
            }
        return {"jsonrpc": "2.0", "id": call["id"], "result": found}

    def _logs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        bounds = (int(query["fromBlock"], 16), int(query["toBlock"], 16) + 1)
        first, end = np.searchsorted(self._blocks, bounds)
        return [self._log(place) for place in range(int(first), int(end))]

    def _log(self, place: int) -> dict[str, Any]:
        before, tick = int(self._ticks[place]), int(self._ticks[place + 1])
        sign = -1 if tick > before else 1
        root = int(1.0001 ** (tick / 2) * 2**96)
        values = (sign * 10**10, -sign * 5 * 10**18, root, 10**19, tick)
        return {
            "address": POOL,
            "topics": [SWAP.topic0, "0x" + "0" * 24 + "cd" * 20, "0x" + "0" * 24 + "ef" * 20],
            "data": "0x" + "".join(format(value % 2**256, "064x") for value in values),
            "blockNumber": hex(int(self._blocks[place])),
            "transactionHash": "0x" + format(place, "064x"),
            "transactionIndex": "0x1",
            "blockHash": "0x" + "a" * 64,
            "logIndex": hex(place),
            "removed": False,
        }


@contextmanager
def serving(swaps: int) -> Iterator[str]:
    """The address of a gateway that leads to such a node, whatever host is asked for."""
    node = MadeUpNode(swaps)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told = [node.answer(call) for call in asked] if isinstance(asked, list) else node.answer(asked)
            content = json.dumps(told, separators=(",", ":")).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
