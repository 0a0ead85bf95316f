"""Binance: hourly bars of USD-M futures, perpetual and dated.

Archive files for closed months, REST (``/fapi/v1/klines``) for the open month and for what the archive
lacks. The last bar of a REST answer may still be running, and a dated contract goes on with flat bars after
its delivery.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline.contracts.delivery import RAW_BINANCE_FUTURES_KLINES
from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Month, Span
from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.binance import ARCHIVE, archive_file, parse_klines
from perp_pipeline.sources.complete import Window, require_whole, times_of
from perp_pipeline.sources.errors import FormatChanged, NotServed
from perp_pipeline.sources.known_gaps import KnownGaps
from perp_pipeline.sources.monthly import (
    MonthRows,
    Series,
    fetch_parsed,
    fetch_series,
    milliseconds,
    signed,
    utc_from,
)
from perp_pipeline.sources.rows import numbers
from perp_pipeline.sources.universe import Bars, Universe
from perp_pipeline.sources.unpack import parse_json

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

KLINES = "https://fapi.binance.com/fapi/v1/klines"
PAGE = 1500
"""Most rows of an answer; a month has at most 744 hours."""

MARKETS = ("perpetual", "delivery")
"""Markets of the universe's bars that this module follows."""

_NAMES = ("open_time", "open", "high", "low", "close", "volume_base")
_FIELDS = 12
_HOUR = 3_600_000_000


def parse_klines_rest(content: bytes) -> pd.DataFrame:
    """An answer of /fapi/v1/klines: a list of lists of 12 fields.

    Returns:
        open_time (UTC), open, high, low, close (quote per base), volume_base.

    Raises:
        TransientError: not JSON, cut off, or values that are not numbers.
        FormatChanged: another form, or a full page.
    """
    rows: Any = parse_json(content)
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == _FIELDS for row in rows):
        raise FormatChanged(f"a list of {_FIELDS} fields a bar was expected, not {content[:80]!r}")
    if len(rows) >= PAGE:
        raise FormatChanged(f"a month has {PAGE} bars or more: the page is full")
    raw = pd.DataFrame([row[: len(_NAMES)] for row in rows], columns=list(_NAMES), dtype=object)
    frame = pd.DataFrame({"open_time": utc_from(numbers(raw, "open_time"), 1000)})
    for name in _NAMES[1:]:
        frame[name] = numbers(raw, name)
    return frame


@dataclass(frozen=True)
class BinanceFuturesKlines:
    """Hourly bars of the universe's Binance futures (bars of the markets ``perpetual`` and ``delivery``)."""

    universe: Universe
    gaps: KnownGaps

    @property
    def contract(self) -> Contract:
        """raw_binance_futures_klines."""
        return RAW_BINANCE_FUTURES_KLINES

    @property
    def venue(self) -> str:
        """binance"""
        return "binance"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames by symbol and month; see :class:`~perp_pipeline.sources.base.Dataset`."""
        for market in MARKETS:
            for bars in self.universe.bars_of(self.venue, market):
                yield from fetch_series(http, self.series(http, bars, now), span, now)

    def series(self, http: Http, bars: Bars, now: datetime) -> Series:
        """One contract's months: archive first, REST where there is no file."""
        table = self.contract.name

        def load(window: Window) -> MonthRows:
            archived = _archived(http, window, bars) if window.month.is_closed(now) else None
            return archived or _rest(http, window, bars)

        def probe(start: datetime, end: datetime) -> int | None:
            label = f"{table} {bars.symbol} from {Month.of(start)}"
            _, rows = _ask(http, bars, start, end, label, limit=1)
            return int(times_of(rows["open_time"])[0]) if len(rows) else None

        return Series(table, bars, "open_time", self.gaps.of(table, self.venue, bars.symbol), load, probe)


def _archived(http: Http, window: Window, bars: Bars) -> MonthRows | None:
    symbol, size, step = bars.symbol, bars.bin_size, bars.step_hours * _HOUR
    url = f"{ARCHIVE}/futures/um/monthly/klines/{symbol}/{size}/{symbol}-{size}-{window.month}.zip"

    def read(content: bytes) -> pd.DataFrame:
        frame = parse_klines(content, symbol)
        require_whole(times_of(frame["open_time"]), step, window)
        return frame

    found = archive_file(http, url, window, read, RAW_BINANCE_FUTURES_KLINES)
    if found is None:
        return None
    body, frame, requests = found
    return MonthRows(signed(frame, body, symbol=symbol), requests, step, step)


def _rest(http: Http, window: Window, bars: Bars) -> MonthRows:
    month, step = window.month, bars.step_hours * _HOUR
    label = f"{RAW_BINANCE_FUTURES_KLINES.name} {month} {bars.symbol}"
    body, frame = _ask(http, bars, month.start, month.end, label, window=window)
    over = frame["open_time"] + timedelta(hours=bars.step_hours) <= pd.Timestamp(body.fetched_at)
    frame = frame[over].reset_index(drop=True)
    return MonthRows(signed(frame, body, symbol=bars.symbol), (body.request,), step, step)


def _ask(
    http: Http,
    bars: Bars,
    start: datetime,
    end: datetime,
    what: str,
    *,
    limit: int = PAGE,
    window: Window | None = None,
) -> tuple[Body, pd.DataFrame]:
    """Bars between two moments, whole if a window is given that they must fill."""
    bounds: dict[str, str | int] = {"startTime": milliseconds(start), "endTime": milliseconds(end) - 1}
    request = Request(KLINES, {"symbol": bars.symbol, "interval": bars.bin_size, **bounds, "limit": limit})
    final = window is None or window.month.is_closed(window.now)

    def read(content: bytes) -> pd.DataFrame:
        frame = parse_klines_rest(content)
        if window is not None:
            require_whole(times_of(frame["open_time"]), bars.step_hours * _HOUR, window)
        return frame

    def ask(check: BodyCheck) -> Body | None:
        return http.fetch(request, final=final, check=check, label=f"binance {what}")

    found = fetch_parsed(http, (request,), ask, read)
    if found is None:
        raise NotServed(f"binance {what}: no answer to {request.full_url}")
    return found
