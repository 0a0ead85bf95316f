"""fapi.binance.com: funding rate history, funding info and premium index klines of USD-margined futures;
api.binance.com and data-api.binance.vision: spot klines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from perp_pipeline.simulation.market import Bars, SimulatedMarket
from perp_pipeline.simulation.venues.binance_archive import (
    INTERVAL_HOURS,
    SPOT_SYMBOLS,
    BinanceArchive,
    premium_row,
    spot_row,
)
from perp_pipeline.simulation.wire import Answer, Asked, html_answer, json_answer

HOST = "fapi.binance.com"
SPOT_HOSTS = ("api.binance.com", "data-api.binance.vision")

Page = tuple[int | None, int, int | None]

_MARK_PRICE_SINCE = 1_698_710_400
"""2023-10-31: rows before it have an empty mark price."""


class BinanceRest:
    """Answers for one market.

    Args:
        archive: of the same market; holds the klines that both give out.
        now: nothing is known after it, and the bar that it lies in is not over; None: all is known.
    """

    def __init__(self, market: SimulatedMarket, archive: BinanceArchive, now: datetime | None = None) -> None:
        self.market = market
        self.archive = archive
        self._until = np.inf if now is None else now.timestamp() * 1000
        self._perps = {perp.symbol: perp for perp in market.planted.perps if perp.venue == "binance"}

    def answer(self, asked: Asked) -> Answer:
        """The endpoint's answer, or 404."""
        endpoints = {
            (HOST, "/fapi/v1/fundingRate"): self.funding_rate,
            (HOST, "/fapi/v1/fundingInfo"): self.funding_info,
            (HOST, "/fapi/v1/premiumIndexKlines"): self.premium_klines,
            **dict.fromkeys(((host, "/api/v3/klines") for host in SPOT_HOSTS), self.spot_klines),
        }
        endpoint = endpoints.get((asked.host, asked.path))
        return html_answer(404, "Not Found") if endpoint is None else endpoint(asked)

    def funding_rate(self, asked: Asked) -> Answer:
        """symbol, startTime, endTime (inclusive, ms), limit (100, at most 1000); ascending."""
        page = _page(asked, 100, 1000)
        if isinstance(page, Answer):
            return page
        symbol = asked.query.get("symbol", "")
        if symbol not in self._perps:
            return _error(-1121, "Invalid symbol.")
        paid = self.market.payments(self._perps[symbol])
        stamps = paid.paid_at * 1000 + paid.jitter_ms
        rows = [
            {
                "symbol": symbol,
                "fundingTime": int(stamps[row]),
                "fundingRate": f"{paid.rate[row]:.8f}",
                "markPrice": f"{paid.price[row]:.8f}" if paid.paid_at[row] >= _MARK_PRICE_SINCE else "",
            }
            for row in _cut(self._known(stamps), *page)
        ]
        return _weighed(json_answer(rows))

    def funding_info(self, asked: Asked) -> Answer:
        """Cap, floor and interval of each contract."""
        rows = [
            {
                "symbol": perp.symbol,
                "adjustedFundingRateCap": f"{perp.rate_map.cap:.5f}",
                "adjustedFundingRateFloor": f"{-perp.rate_map.cap:.5f}",
                "fundingIntervalHours": 8,
                "disclaimer": True,
                "updateTime": None,
            }
            for perp in self._perps.values()
        ]
        return _weighed(json_answer(rows))

    def premium_klines(self, asked: Asked) -> Answer:
        """symbol, interval (1h, 8h, 1d), startTime, endTime (inclusive, ms), limit (500, at most 1500)."""
        page = _klines_page(asked, tuple(self._perps), tuple(INTERVAL_HOURS), 1500)
        if isinstance(page, Answer):
            return page
        interval = asked.query["interval"]
        bars = self.archive.premium_klines(asked.query["symbol"], interval)
        chosen = _cut(self._known(bars.opened * 3_600_000), *page)
        return _weighed(json_answer([premium_row(bars, row, interval) for row in chosen]))

    def spot_klines(self, asked: Asked) -> Answer:
        """symbol, interval (1h alone), startTime, endTime (inclusive, ms), limit (500, at most 1000)."""
        page = _klines_page(asked, SPOT_SYMBOLS, ("1h",), 1000)
        if isinstance(page, Answer):
            return page
        bars = self._running(self.archive.spot_klines(asked.query["symbol"]))
        chosen = _cut(self._known(bars.opened * 3_600_000), *page)
        return _weighed(json_answer([spot_row(bars, row) for row in chosen]))

    def _known(self, stamps: np.ndarray) -> np.ndarray:
        known: np.ndarray = stamps[stamps <= self._until]
        return known

    def _running(self, bars: Bars) -> Bars:
        """The bars with the one that is not over as it stands: nothing traded since its open."""
        over = (bars.opened + 1) * 3_600_000 <= self._until
        series = {name: getattr(bars, name) for name in ("high", "low", "close")}
        as_opened = {name: np.where(over, values, bars.open) for name, values in series.items()}
        return replace(bars, **as_opened, volume=np.where(over, bars.volume, 0.0))


def _klines_page(
    asked: Asked, symbols: Sequence[str], intervals: Sequence[str], largest: int
) -> Page | Answer:
    """:func:`_page` of a request for klines, whose symbol and interval must be known."""
    for name in ("symbol", "interval"):
        if not asked.query.get(name):
            return _error(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    page = _page(asked, 500, largest)
    if isinstance(page, Answer):
        return page
    if asked.query["symbol"] not in symbols:
        return _error(-1121, "Invalid symbol.")
    if asked.query["interval"] not in intervals:
        return _error(-1120, "Invalid interval.")
    return page


def _page(asked: Asked, default: int, largest: int) -> Page | Answer:
    """(start, limit, end) as asked for, or the venue's error."""
    numbers: dict[str, int] = {}
    for name in ("startTime", "endTime", "limit"):
        if (text := asked.query.get(name)) is None:
            continue
        if not re.fullmatch(r"\d{1,20}", text):
            return _error(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            )
        numbers[name] = int(text)
    limit, start, end = numbers.get("limit", default), numbers.get("startTime"), numbers.get("endTime")
    if not 1 <= limit <= largest:
        return _error(-1130, "Data sent for parameter 'limit' is not valid.")
    if start is not None and end is not None and start > end:
        return _error(-1023, "Start time is greater than end time.")
    return start, limit, end


def _cut(stamps: np.ndarray, start: int | None, limit: int, end: int | None) -> range:
    """Rows of one page: ``limit`` from the start on, or without a start the newest ones up to the end."""
    last = len(stamps) if end is None else int(np.searchsorted(stamps, end, side="right"))
    if start is None:
        return range(max(0, last - limit), last)
    first = int(np.searchsorted(stamps, start))
    return range(first, min(last, first + limit))


def _error(code: int, message: str) -> Answer:
    return _weighed(json_answer({"code": code, "msg": message}, 400))


def _weighed(answer: Answer) -> Answer:
    """With the header that tells the weight used in this minute: a simulated client is always alone."""
    return Answer(answer.body, answer.status, answer.content_type, {"X-MBX-USED-WEIGHT-1M": "1"})
