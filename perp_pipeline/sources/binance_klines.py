"""Binance's klines: what spot and futures share.

Archive files for closed months, REST for the open month and for what the archive lacks. When a month's file
appears, its rows take the place of those that REST gave.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Month, Span
from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.binance_archive import (
    ARCHIVE,
    KLINE_NAMES,
    archived_bars,
    of_archive,
    parse_klines,
)
from perp_pipeline.sources.complete import Window, require_whole, times_of
from perp_pipeline.sources.errors import FormatChanged, NotServed, PermanentError, Unreachable
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

_log = logging.getLogger(__name__)

_FIELDS = 12
_HOUR = 3_600_000_000


def parse_klines_rest(content: bytes, page: int) -> pd.DataFrame:
    """An answer of a klines address: a list of lists of 12 fields, ascending, times in milliseconds.

    Args:
        page: rows that were asked for at most.

    Returns:
        open_time (UTC), open, high, low, close (quote per base), volume_base.

    Raises:
        TransientError: not JSON, cut off, or values that are not numbers.
        FormatChanged: another form, or a full page.
    """
    rows: Any = parse_json(content)
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == _FIELDS for row in rows):
        raise FormatChanged(f"a list of {_FIELDS} fields a bar was expected, not {content[:80]!r}")
    if len(rows) >= page:
        raise FormatChanged(f"a month has {page} bars or more: the page is full")
    raw = pd.DataFrame([row[: len(KLINE_NAMES)] for row in rows], columns=list(KLINE_NAMES), dtype=object)
    frame = pd.DataFrame({"open_time": utc_from(numbers(raw, "open_time"), 1000)})
    for name in KLINE_NAMES[1:]:
        frame[name] = numbers(raw, name)
    return frame


@dataclass(frozen=True)
class BinanceKlines:
    """Bars of the universe's Binance series of some markets. What a market is, a subclass says.

    Attributes:
        markets: of the universe's bars.
        files: folder of the monthly files in the archive.
        addresses: where REST is asked, in this order: the next one answers where one is blocked or gone.
        page: most rows of a REST answer; a month has at most 744 hours.
    """

    universe: Universe
    gaps: KnownGaps
    contract: ClassVar[Contract]
    markets: ClassVar[tuple[str, ...]]
    files: ClassVar[str]
    addresses: ClassVar[tuple[str, ...]]
    page: ClassVar[int]
    venue: ClassVar[str] = "binance"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames by symbol and month; see :class:`~perp_pipeline.sources.base.Dataset`."""
        for market in self.markets:
            for bars in self.universe.bars_of(self.venue, market):
                yield from fetch_series(http, self.series(http, bars, now), span, now)

    def series(self, http: Http, bars: Bars, now: datetime) -> Series:
        """One symbol's months: archive first, REST where there is no file."""
        gaps = self.gaps.of(self.contract.name, self.venue, bars.symbol)

        def load(window: Window) -> MonthRows:
            archived = self._archived(http, window, bars) if window.month.is_closed(now) else None
            return archived or self._rest(http, window, bars)

        def probe(start: datetime, end: datetime) -> int | None:
            label = f"{self.contract.name} {bars.symbol} from {Month.of(start)}"
            if (found := self._ask(http, bars, start, end, label, limit=1)) is not None:
                rows = found[1]
                return int(times_of(rows["open_time"])[0]) if len(rows) else None
            month = Month.of(start) + 1
            while month.end <= end:
                archived = self._archived(http, Window(bars, month, now, gaps), bars)
                if archived is not None and len(archived.frame):
                    return int(times_of(archived.frame["open_time"])[0])
                month += 1
            return None

        return Series(self.contract.name, bars, "open_time", gaps, load, probe)

    def _file(self, bars: Bars, month: Month) -> str:
        symbol, size = bars.symbol, bars.bin_size
        return f"{ARCHIVE}/{self.files}/{symbol}/{size}/{symbol}-{size}-{month}.zip"

    def _archived(self, http: Http, window: Window, bars: Bars) -> MonthRows | None:
        url, step = self._file(bars, window.month), bars.step_hours * _HOUR
        return archived_bars(
            http, window, self.contract, url, step, lambda content: parse_klines(content, bars.symbol)
        )

    def _rest(self, http: Http, window: Window, bars: Bars) -> MonthRows:
        month, step = window.month, bars.step_hours * _HOUR
        label = f"{self.contract.name} {month} {bars.symbol}"
        found = self._ask(http, bars, month.start, month.end, label, limit=self.page, window=window)
        if found is None:
            return self._absent(http, window, bars)
        body, frame = found
        over = frame["open_time"] + timedelta(hours=bars.step_hours) <= pd.Timestamp(body.fetched_at)
        frame = frame[over].reset_index(drop=True)
        return MonthRows(signed(frame, body, symbol=bars.symbol), (body.request,), step, step)

    def _absent(self, http: Http, window: Window, bars: Bars) -> MonthRows:
        """A month that no address has, as on a mirror of the files alone."""
        label, month = f"binance {self.contract.name} {window.month} {bars.symbol}", window.month
        asked = (
            *of_archive(self._file(bars, month)),
            *self._requests(bars, month.start, month.end, self.page),
        )
        if window.promised is not None:
            for request in asked:
                http.forget(request)
            raise NotServed(
                f"{label}: no file at {asked[0].url} and nothing by REST, although it is known to exist. "
                "Run again later"
            )
        if not month.is_closed(window.now):
            _log.warning("%s: no klines at %s; the open month has none", label, " or ".join(self.addresses))
        return MonthRows(pd.DataFrame(), asked)

    def _requests(self, bars: Bars, start: datetime, end: datetime, limit: int) -> Sequence[Request]:
        bounds: dict[str, str | int] = {"startTime": milliseconds(start), "endTime": milliseconds(end) - 1}
        params = {"symbol": bars.symbol, "interval": bars.bin_size, **bounds, "limit": limit}
        return tuple(Request(address, params) for address in self.addresses)

    def _ask(
        self,
        http: Http,
        bars: Bars,
        start: datetime,
        end: datetime,
        what: str,
        *,
        limit: int,
        window: Window | None = None,
    ) -> tuple[Body, pd.DataFrame] | None:
        """Bars between two moments, whole if a window is given that they must fill; None where no address
        has such bars. An address that asks to slow down is waited for: the next one is no way around it.

        Raises:
            PermanentError, Unreachable: what the first address said that refused, if none answered.
        """
        final = window is None or window.month.is_closed(window.now)
        refusal: PermanentError | Unreachable | None = None

        def read(content: bytes) -> pd.DataFrame:
            frame = parse_klines_rest(content, self.page)
            if window is not None:
                require_whole(times_of(frame["open_time"]), bars.step_hours * _HOUR, window)
            return frame

        requests = self._requests(bars, start, end, limit)
        for request in [asked for asked in requests if _answered(http, asked)] or requests:

            def ask(check: BodyCheck, request: Request = request) -> Body | None:
                return http.fetch(request, final=final, check=check, absent_ok=True, label=f"binance {what}")

            try:
                found = fetch_parsed(http, (request,), ask, read)
            except FormatChanged:
                raise
            except (PermanentError, Unreachable) as error:
                refusal = refusal or error
                continue
            if found is not None:
                return found
        if refusal is not None:
            raise refusal
        return None


def _answered(http: Http, request: Request) -> bool:
    """Whether the store has an answer for good."""
    entry = http.store.entry(request)
    return entry is not None and entry.final and not entry.is_absence
