"""A venue that answers as told, a clock that takes no time, and what is asked of them: no network."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import IncompleteBody

NOW = datetime(2024, 3, 5, 12, tzinfo=UTC)
RATES = Request("https://fapi.binance.com/fapi/v1/fundingRate", params={"symbol": "BTCUSDT", "limit": 3})
LABEL = "binance raw_binance_funding 2020-01 BTCUSDT"
GOOD = httpx.Response(200, json=[1, 2, 3])

Reply = httpx.Response | Exception


class Venue(httpx.BaseTransport):
    """Answers one prepared reply after the other, the last one for ever; remembers what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


class Clock:
    """Sleeping that takes no time and is written down."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def refuse(content: bytes) -> None:
    raise IncompleteBody("rows are missing between 08:00 and 16:00")
