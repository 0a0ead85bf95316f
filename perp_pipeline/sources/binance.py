"""Binance: funding of USD-M perpetuals.

Archive files (data.binance.vision) for closed months, with the checksum published beside each; REST
(fapi.binance.com) for what they lack: 2019, the open month, a month whose file is not out yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_funding import RAW_BINANCE_FUNDING
from perp_pipeline.months import Month, Span
from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.binance_archive import ARCHIVE, archive_file, read_csv, read_member
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
from perp_pipeline.sources.rows import json_rows, numbers, require_symbol
from perp_pipeline.sources.universe import Instrument, Universe

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

FUNDING_RATE = "https://fapi.binance.com/fapi/v1/fundingRate"
FIRST_ARCHIVE = Month(2020, 1)
"""First month with funding archives."""

PAGE = 1000
"""Most rows of a REST answer; an hourly month has 744."""

_HOUR = 3_600_000_000
_LONGEST = 8 * _HOUR
_INTERVALS = (1, 2, 4, 8)

_FUNDING_NAMES = {
    "calc_time": ("calc_time", "fundingTime", "funding_time"),
    "interval_hours": ("funding_interval_hours", "fundingIntervalHours"),
    "rate": ("last_funding_rate", "fundingRate", "funding_rate"),
}


def parse_funding_archive(content: bytes, symbol: str) -> pd.DataFrame:
    """A zipped month of funding.

    Returns:
        calc_time (UTC), interval_hours (hours, as the file states), rate (fraction per payment).

    Raises:
        TransientError: a damaged zip, or values that are not numbers.
        FormatChanged: another zip layout or columns.
    """
    raw = _csv(read_member(content, symbol), _FUNDING_NAMES)
    rate, interval = numbers(raw, "rate"), numbers(raw, "interval_hours")
    if not np.isin(interval, (*_INTERVALS, 24)).all():
        raise FormatChanged(f"funding intervals of {sorted(set(interval))} hours are not known")
    return pd.DataFrame(
        {"calc_time": utc_from(numbers(raw, "calc_time"), 1000), "interval_hours": interval, "rate": rate}
    )


def parse_funding_rest(content: bytes, symbol: str) -> pd.DataFrame:
    """An answer of /fapi/v1/fundingRate. Members beyond the documented ones are ignored.

    Returns:
        calc_time (UTC), rate (fraction per payment), mark_price (USDT, null where the venue has none).

    Raises:
        TransientError: cut off, other symbols, or values that are not numbers.
        FormatChanged: another form.
    """
    raw = json_rows(content, ("symbol", "fundingTime", "fundingRate", "markPrice"))
    require_symbol(raw, symbol)
    if len(raw) >= PAGE:
        raise FormatChanged(f"a month of {symbol} has {PAGE} payments or more: the page is full")
    return pd.DataFrame(
        {
            "calc_time": utc_from(numbers(raw, "fundingTime"), 1000),
            "rate": numbers(raw, "fundingRate"),
            "mark_price": numbers(raw, "markPrice", missing=("", None)),
        }
    )


def _csv(text: bytes, names: dict[str, tuple[str, ...]]) -> pd.DataFrame:
    """Columns by any of their known headings; a file without a heading has them in the documented order."""
    bare = text[:1].isdigit()
    raw = read_csv(text, header=not bare)
    if bare:
        if len(raw.columns) != len(names):
            raise FormatChanged(f"{len(names)} columns are documented, a line has {len(raw.columns)}")
        return raw.set_axis(list(names), axis=1)
    headings = {str(heading).strip(): heading for heading in raw.columns}
    found = {}
    for column, known in names.items():
        at = next((headings[name] for name in known if name in headings), None)
        if at is None:
            raise FormatChanged(f"no column {known[0]}; the file has {', '.join(headings)}")
        found[column] = raw[at]
    return pd.DataFrame(found)


def spacing_allowed(times: np.ndarray) -> np.ndarray:
    """How far each payment may be from the one before it where nothing states the interval (microseconds).

    A step longer than both of its neighbours is a hole; an interval that changes is longer than one of them
    only.
    """
    steps = np.diff(times)
    around = np.full(len(times), _LONGEST)
    if len(steps) >= 3:
        around[2:-1] = np.maximum(steps[:-2], steps[2:])
    allowed: np.ndarray = np.minimum(around, _LONGEST)
    return allowed


@dataclass(frozen=True)
class BinanceFunding:
    """Funding payments of the universe's Binance instruments."""

    universe: Universe
    gaps: KnownGaps
    contract: ClassVar[Contract] = RAW_BINANCE_FUNDING
    venue: ClassVar[str] = "binance"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames by symbol and month; see :class:`~perp_pipeline.sources.base.Dataset`."""
        for instrument in self.universe.instruments_of(self.venue):
            yield from fetch_series(http, self.series(http, instrument, now), span, now)

    def series(self, http: Http, instrument: Instrument, now: datetime) -> Series:
        """One instrument's months: archive first, REST where there is no file."""
        symbol, table = instrument.symbol, self.contract.name

        def load(window: Window) -> MonthRows:
            month = window.month
            archived = month >= FIRST_ARCHIVE and month.is_closed(now)
            return (_archived_funding(http, window) if archived else None) or _rest_funding(http, window)

        def probe(start: datetime, end: datetime) -> int | None:
            rows = _ask_rest(http, symbol, start, end, f"{table} {symbol} from {Month.of(start)}", limit=1)
            return int(times_of(rows[1]["calc_time"])[0]) if len(rows[1]) else None

        return Series(table, instrument, "calc_time", self.gaps.of(table, self.venue, symbol), load, probe)


def _archived_funding(http: Http, window: Window) -> MonthRows | None:
    symbol, month = window.listed.symbol, window.month
    url = f"{ARCHIVE}/futures/um/monthly/fundingRate/{symbol}/{symbol}-fundingRate-{month}.zip"

    def read(content: bytes) -> pd.DataFrame:
        frame = parse_funding_archive(content, symbol)
        steps = (frame["interval_hours"] * _HOUR).to_numpy().astype("int64")
        require_whole(times_of(frame["calc_time"]), steps, window)
        return frame.assign(mark_price=np.nan)

    found = archive_file(http, url, window, read, RAW_BINANCE_FUNDING)
    if found is None:
        return None
    body, frame, requests = found
    steps = (frame["interval_hours"] * _HOUR).to_numpy().astype("int64")
    return MonthRows(
        signed(frame, body, symbol=symbol), requests, *((steps[0], steps[-1]) if len(steps) else ())
    )


def _rest_funding(http: Http, window: Window) -> MonthRows:
    symbol, month = window.listed.symbol, window.month
    label = f"{RAW_BINANCE_FUNDING.name} {month} {symbol}"
    body, frame = _ask_rest(http, symbol, month.start, month.end, label, window=window)
    frame = frame.assign(interval_hours=np.nan)
    return MonthRows(signed(frame, body, symbol=symbol), (body.request,), _LONGEST, _LONGEST)


def _ask_rest(
    http: Http,
    symbol: str,
    start: datetime,
    end: datetime,
    what: str,
    *,
    limit: int = PAGE,
    window: Window | None = None,
) -> tuple[Body, pd.DataFrame]:
    """Funding between two moments, whole if a window is given that it must fill."""
    bounds: dict[str, str | int] = {"startTime": milliseconds(start), "endTime": milliseconds(end) - 1}
    request = Request(FUNDING_RATE, {"symbol": symbol, **bounds, "limit": limit})
    final = window is None or window.month.is_closed(window.now)

    def read(content: bytes) -> pd.DataFrame:
        frame = parse_funding_rest(content, symbol)
        if window is not None:
            times = times_of(frame["calc_time"])
            require_whole(times, spacing_allowed(times), window)
        return frame

    def ask(check: BodyCheck) -> Body | None:
        return http.fetch(request, final=final, check=check, label=f"binance {what}")

    found = fetch_parsed(http, (request,), ask, read)
    if found is None:
        raise NotServed(f"binance {what}: no answer to {request.full_url}")
    return found
