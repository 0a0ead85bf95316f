"""Binance: bars of the premium index of USD-M perpetuals, which sets their funding.

Archive files for closed months, REST for the open month and months without a file. Where the history
begins is asked once by REST: a mirror may have part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.premium import PREMIUM_INTERVALS, RAW_BINANCE_PREMIUM
from perp_pipeline.months import Month, Span
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.binance_archive import ARCHIVE, archived_bars, parse_klines
from perp_pipeline.sources.complete import Window, times_of
from perp_pipeline.sources.errors import FormatChanged, IncompleteBody
from perp_pipeline.sources.known_gaps import KnownGaps
from perp_pipeline.sources.monthly import MonthRows, Series, fetch_series, milliseconds, utc_from
from perp_pipeline.sources.rows import numbers
from perp_pipeline.sources.slices import Slice, begun, fetch_slices, first_row
from perp_pipeline.sources.universe import Bars, Universe
from perp_pipeline.sources.unpack import parse_json

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

PREMIUM_KLINES = "https://fapi.binance.com/fapi/v1/premiumIndexKlines"
PAGE = 1500
"""Most bars of a REST answer: a day of minutes, two months of hours."""

DEFAULT_INTERVALS = ("1h", "8h")

_PRICES = ("open", "high", "low", "close")


def parse_premium_rest(content: bytes, step: int) -> pd.DataFrame:
    """An answer of /fapi/v1/premiumIndexKlines: a list of bars, each a list that begins with open time and
    open, high, low, close; further elements are ignored.

    Args:
        step: microseconds between bars, on whose grid they open.

    Returns:
        open_time (UTC), open, high, low, close (fraction of the index).

    Raises:
        TransientError: cut off, off the grid, or values that are not numbers.
        FormatChanged: another form.
    """
    rows: Any = parse_json(content)
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) >= 7 for row in rows):
        raise FormatChanged(f"a list of bars was expected, the body begins with {content[:80]!r}")
    names = ("open_time", *_PRICES)
    raw = pd.DataFrame([row[:5] for row in rows], columns=list(names), dtype=object)
    frame = pd.DataFrame({"open_time": utc_from(numbers(raw, "open_time"), 1000)})
    for name in _PRICES:
        frame[name] = numbers(raw, name)
    return _on_grid(frame, step)


def parse_premium_archive(content: bytes, symbol: str, interval: str) -> pd.DataFrame:
    """A zipped month of bars; see :func:`parse_premium_rest`."""
    frame = parse_klines(content, f"{symbol}-{interval}")[["open_time", *_PRICES]]
    return _on_grid(frame, PREMIUM_INTERVALS[interval] * 60_000_000)


def _on_grid(frame: pd.DataFrame, step: int) -> pd.DataFrame:
    off = times_of(frame["open_time"]) % step != 0
    if off.any():
        raise IncompleteBody(f"{int(off.sum())} bars do not open on a grid of {step // 60_000_000} minutes")
    return frame


@dataclass(frozen=True)
class BinancePremium:
    """Bars of the premium index of the universe's Binance series of market ``premium``.

    Args:
        intervals: lengths of bars, keys of :data:`PREMIUM_INTERVALS`. A universe's ``seen_to`` is the open
            of its last bar, and holds for all of them.

    Raises:
        ValueError: an interval is not known.
    """

    universe: Universe
    gaps: KnownGaps
    intervals: tuple[str, ...] = DEFAULT_INTERVALS
    contract: ClassVar[Contract] = RAW_BINANCE_PREMIUM
    venue: ClassVar[str] = "binance"

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.intervals) - set(PREMIUM_INTERVALS)):
            raise ValueError(
                f"premium intervals {', '.join(unknown)} are not among {', '.join(PREMIUM_INTERVALS)}"
            )

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames by symbol, interval and month; see :class:`~perp_pipeline.sources.base.Dataset`."""
        for bars in self.universe.bars_of(self.venue, "premium"):
            for interval in self.intervals if bars.months(span, now) else ():
                for frame in fetch_series(http, self.series(http, bars, interval, now), span, now):
                    yield frame.assign(interval=interval)

    def series(self, http: Http, bars: Bars, interval: str, now: datetime) -> Series:
        """One symbol's months at one interval."""
        symbol, table = bars.symbol, self.contract.name
        step = PREMIUM_INTERVALS[interval] * 60_000_000
        longest = timedelta(microseconds=step) * PAGE

        def request(start: datetime, end: datetime | None, limit: int) -> Request:
            bounds: dict[str, str | int] = {"startTime": milliseconds(start)}
            if end is not None:
                bounds["endTime"] = milliseconds(end) - 1
            return Request(PREMIUM_KLINES, {"symbol": symbol, "interval": interval, **bounds, "limit": limit})

        def parse(content: bytes) -> pd.DataFrame:
            return parse_premium_rest(content, step)

        def parse_file(content: bytes) -> pd.DataFrame:
            return parse_premium_archive(content, symbol, interval)

        def asked(part: Slice) -> Request:
            return request(part.start, part.end, PAGE)

        def load(window: Window) -> MonthRows:
            if window.month.is_closed(now):
                url = _file(symbol, interval, window.month)
                archived = archived_bars(http, window, self.contract, url, step, parse_file)
                if archived is not None:
                    return archived
            return fetch_slices(
                http,
                window,
                longest,
                asked,
                parse,
                lambda times: np.full(len(times), step),
                "open_time",
                f"binance {table} {interval}",
                timedelta(microseconds=step),
            )

        def probe(start: datetime, end: datetime) -> int | None:
            what = f"binance {table} {interval} {symbol} from {start:%Y-%m}"
            return first_row(http, request(start, end, 1), parse, "open_time", what)

        first = request(bars.listed_from, None, 1)
        listed = begun(http, bars, first, parse, "open_time", f"binance {table} {interval}")
        return Series(table, listed, "open_time", self.gaps.of(table, self.venue, symbol), load, probe)


def _file(symbol: str, interval: str, month: Month) -> str:
    name = f"{symbol}-{interval}-{month}.zip"
    return f"{ARCHIVE}/futures/um/monthly/premiumIndexKlines/{symbol}/{interval}/{name}"
