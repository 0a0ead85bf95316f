"""BitMEX: funding of its perpetuals and trade bars, from REST.

The exchange has announced its closing: where REST refuses for good, funding that a pinned public copy
covers is left to that copy (see :mod:`perp_pipeline.sources.pinned_funding`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_funding import RAW_BITMEX_BUCKETED, RAW_BITMEX_FUNDING, RAW_PINNED_FUNDING
from perp_pipeline.months import Month, Span
from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.complete import Window, require_whole, times_of
from perp_pipeline.sources.errors import (
    FormatChanged,
    NotInStore,
    NotServed,
    PermanentError,
    SourceError,
    Unreachable,
)
from perp_pipeline.sources.known_gaps import KnownGaps
from perp_pipeline.sources.monthly import MonthRows, Series, fetch_parsed, fetch_series, signed
from perp_pipeline.sources.pinned import PinnedArchive, archives_for
from perp_pipeline.sources.rows import iso_times, json_rows, numbers, require_symbol
from perp_pipeline.sources.universe import Bars, Instrument, Listed, Universe

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

HOST = "www.bitmex.com"
FUNDING = f"https://{HOST}/api/v1/funding"
BUCKETED = f"https://{HOST}/api/v1/trade/bucketed"
FUNDING_PAGE, BUCKETED_PAGE = 500, 1000
"""Most rows of an answer; a month has 93 payments or 744 hourly bars."""

_HOUR = 3_600_000_000
_EPOCH = pd.Timestamp("2000-01-01", tz="UTC")
_INTERVALS = (1.0, 2.0, 4.0, 8.0, 24.0)

Parser = Callable[[bytes], pd.DataFrame]


def parse_funding(content: bytes, symbol: str) -> pd.DataFrame:
    """An answer of /api/v1/funding. The interval comes as a date: 2000-01-01T08:00 is 8 hours after
    2000-01-01.

    Returns:
        timestamp (UTC), interval_hours, rate (fraction per payment), rate_daily (fraction a day).

    Raises:
        TransientError: cut off, other symbols, or values that are not numbers.
        FormatChanged: another form, or an interval that is not known.
    """
    raw = json_rows(content, ("timestamp", "symbol", "fundingInterval", "fundingRate", "fundingRateDaily"))
    require_symbol(raw, symbol)
    _require_room(raw, FUNDING_PAGE, symbol)
    hours = ((iso_times(raw, "fundingInterval") - _EPOCH).dt.total_seconds() / 3600).to_numpy(dtype="float64")
    if not np.isin(hours, _INTERVALS).all():
        raise FormatChanged(f"funding intervals of {sorted(set(hours))} hours are not known")
    return pd.DataFrame(
        {
            "timestamp": iso_times(raw, "timestamp"),
            "interval_hours": hours,
            "rate": numbers(raw, "fundingRate"),
            "rate_daily": numbers(raw, "fundingRateDaily"),
        }
    )


_BAR_NUMBERS = {
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "trades": "trades",
    "volume": "volume",
    "vwap": "vwap",
    "home_notional": "homeNotional",
    "foreign_notional": "foreignNotional",
}
_NULLABLE = ("vwap", "home_notional", "foreign_notional")


def parse_bucketed(content: bytes, symbol: str) -> pd.DataFrame:
    """An answer of /api/v1/trade/bucketed.

    Returns:
        timestamp (UTC, END of the bar), open, high, low, close, vwap (quote per base), trades, volume
        (contracts), home_notional (base), foreign_notional (quote); vwap and notionals may be null.

    Raises:
        TransientError: cut off, other symbols, or values that are not numbers.
        FormatChanged: another form.
    """
    raw = json_rows(content, ("timestamp", "symbol", *_BAR_NUMBERS.values()))
    require_symbol(raw, symbol)
    _require_room(raw, BUCKETED_PAGE, symbol)
    frame = pd.DataFrame({"timestamp": iso_times(raw, "timestamp")})
    for column, member in _BAR_NUMBERS.items():
        frame[column] = numbers(raw, member, missing=(None,) if column in _NULLABLE else ())
    frame["trades"] = frame["trades"].astype("int64")
    return frame


def _require_room(raw: pd.DataFrame, page: int, symbol: str) -> None:
    if len(raw) >= page:
        raise FormatChanged(f"a month of {symbol} has {page} rows or more: the page is full")


@dataclass(frozen=True)
class _Endpoint:
    """One REST address for one series.

    Attributes:
        count: rows to ask for at most.
        step: microseconds between the rows of a parsed body.
    """

    url: str
    table: str
    symbol: str
    extra: tuple[tuple[str, str], ...]
    count: int
    parse: Parser
    step: Callable[[pd.DataFrame], np.ndarray]

    def ask(
        self, http: Http, start: datetime, end: datetime, what: str, count: int, window: Window | None
    ) -> tuple[Body, pd.DataFrame]:
        """Rows between two moments, whole if a window is given that they must fill."""
        # Both ends are inclusive; stamps have milliseconds.
        bounds = {"startTime": _iso(start), "endTime": _iso(end - pd.Timedelta(milliseconds=1))}
        request = Request(self.url, {**dict(self.extra), "symbol": self.symbol, "count": count, **bounds})
        final = window is None or window.month.is_closed(window.now)
        label = f"bitmex {self.table} {what} {self.symbol}"

        def read(content: bytes) -> pd.DataFrame:
            frame = self.parse(content)
            if window is not None:
                require_whole(times_of(frame["timestamp"]), self.step(frame), window)
            return frame

        def fetch(check: BodyCheck) -> Body | None:
            return http.fetch(request, final=final, check=check, label=label)

        found = fetch_parsed(http, (request,), fetch, read)
        if found is None:
            raise NotServed(f"{label}: no answer to {request.full_url}")
        return found

    def month(self, http: Http, window: Window) -> MonthRows:
        """One month of rows."""
        start, end = window.month.start, window.month.end
        body, frame = self.ask(http, start, end, str(window.month), self.count, window)
        steps = self.step(frame)
        edges = (int(steps[0]), int(steps[-1])) if len(frame) else (0, 0)
        return MonthRows(signed(frame, body, symbol=self.symbol), (body.request,), *edges)

    def first_row(self, http: Http, start: datetime, end: datetime) -> int | None:
        """The first stamp (microseconds) between two moments."""
        _, frame = self.ask(http, start, end, f"from {Month.of(start)}", 1, None)
        return int(times_of(frame["timestamp"])[0]) if len(frame) else None


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


@dataclass(frozen=True)
class BitmexFunding:
    """Funding payments of the universe's BitMEX instruments.

    Attributes:
        archives: pinned copies; a symbol that has one may be refused by REST.
    """

    universe: Universe
    gaps: KnownGaps
    archives: tuple[PinnedArchive, ...] = ()

    @property
    def contract(self) -> Contract:
        """raw_bitmex_funding."""
        return RAW_BITMEX_FUNDING

    @property
    def venue(self) -> str:
        """bitmex"""
        return "bitmex"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames by symbol and month; see :class:`~perp_pipeline.sources.base.Dataset`.

        A refusal for good (closed, blocked) of a symbol with a pinned copy is logged and leaves it to the
        copy.
        """
        for instrument in self.universe.instruments_of(self.venue):
            try:
                yield from fetch_series(http, self.series(http, instrument), span, now)
            except (PermanentError, Unreachable) as error:
                closed = _may_be_gone(http, error, instrument, now)
                copy = archives_for(self.archives, RAW_PINNED_FUNDING.name, self.venue, instrument.symbol)
                if not closed and (isinstance(error, Unreachable) or not copy):
                    raise
                rest = (
                    f"the pinned copy of {instrument.symbol} stands in" if copy else "there is no pinned copy"
                )
                _log.warning("%s; %s", error, rest)

    def series(self, http: Http, instrument: Instrument) -> Series:
        """One instrument's months."""
        symbol, table = instrument.symbol, self.contract.name
        endpoint = _Endpoint(
            FUNDING, table, symbol, (), FUNDING_PAGE, lambda body: parse_funding(body, symbol), _funding_steps
        )
        return _series(http, endpoint, instrument, "timestamp", self.gaps)


def _may_be_gone(http: Http, error: SourceError, listed: Listed, now: datetime) -> bool:
    """Whether a refusal is the closing that the venue announced.

    A changed format is never that, and neither is a hole in a store that has the venue's other answers.

    Raises:
        FormatChanged, NotInStore: the error, if it is such a one.
    """
    if isinstance(error, FormatChanged) or (isinstance(error, NotInStore) and http.store.holds(HOST)):
        raise error
    return listed.closes is not None and now >= listed.closes


def _funding_steps(frame: pd.DataFrame) -> np.ndarray:
    steps: np.ndarray = (frame["interval_hours"].to_numpy() * _HOUR).astype("int64")
    return steps


def _series(http: Http, endpoint: _Endpoint, listed: Instrument | Bars, time: str, gaps: KnownGaps) -> Series:
    return Series(
        endpoint.table,
        listed,
        time,
        gaps.of(endpoint.table, listed.venue, listed.symbol),
        lambda window: endpoint.month(http, window),
        lambda start, end: endpoint.first_row(http, start, end),
    )


@dataclass(frozen=True)
class BitmexBucketed:
    """Trade bars of the universe's BitMEX series."""

    universe: Universe
    gaps: KnownGaps

    @property
    def contract(self) -> Contract:
        """raw_bitmex_bucketed."""
        return RAW_BITMEX_BUCKETED

    @property
    def venue(self) -> str:
        """bitmex"""
        return "bitmex"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames by series and month; see :class:`~perp_pipeline.sources.base.Dataset`.

        Bars are a second source of prices: a refusal for good (closed, blocked) is logged and leaves them
        out.
        """
        for bars in self.universe.bars_of(self.venue, "perpetual"):
            try:
                for frame in fetch_series(http, self.series(http, bars), span, now):
                    yield frame.assign(bin_size=bars.bin_size)
            except (PermanentError, Unreachable) as error:
                if not _may_be_gone(http, error, bars, now) and isinstance(error, Unreachable):
                    raise
                _log.warning("%s; no bars of %s", error, bars.symbol)

    def series(self, http: Http, bars: Bars) -> Series:
        """One series' months."""
        symbol, step = bars.symbol, bars.step_hours * _HOUR
        endpoint = _Endpoint(
            BUCKETED,
            self.contract.name,
            symbol,
            (("binSize", bars.bin_size), ("partial", "false")),
            BUCKETED_PAGE,
            lambda body: parse_bucketed(body, symbol),
            lambda frame: np.full(max(len(frame), 1), step),
        )
        return _series(http, endpoint, bars, "timestamp", self.gaps)
