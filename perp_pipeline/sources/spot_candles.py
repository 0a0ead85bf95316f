"""Hourly candles of dollar spot venues by REST: what such venues share.

They leave out hours without a trade, or fill them, and have their outages: a hole is believed once a second
answer has the same one. They are second sources of prices: where one cannot be had, what is stored of it
stands, and the tables that are built go on without the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_prices import RAW_SPOT_CANDLES
from perp_pipeline.months import Span
from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.complete import SLACK, Window, micros, text_of, times_of
from perp_pipeline.sources.errors import FormatChanged, IncompleteBody, PermanentError, SourceError
from perp_pipeline.sources.monthly import fetch_parsed, signed, utc_from
from perp_pipeline.sources.rows import numbers
from perp_pipeline.sources.slices import Slice, slices
from perp_pipeline.sources.universe import Bars, Listed, Universe

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

SETTLED = timedelta(days=1)
"""How long after its last hour a part is asked for anew: a venue may be late with a bar."""

_HOUR = 3_600_000_000
_COLUMNS = ("open", "high", "low", "close", "volume_base")

Found = tuple[Body, pd.DataFrame]


class _Receded(PermanentError):
    """An answer begins later than the one that is stored: the stored one stays."""


@dataclass(frozen=True)
class SpotCandles:
    """Hourly candles of one venue's spot pairs in the universe.

    Attributes:
        request: asks for the candles of a symbol from a moment to before another.
        parse: rows of an answer for a symbol, see :func:`candles`; rows beyond the moments are cut off here.
        longest: the longest span whose rows fit one answer.
        reach: how far back the venue answers; None: to the listing. What is older comes from the store alone.
    """

    venue: str
    universe: Universe
    request: Callable[[str, datetime, datetime], Request]
    parse: Callable[[bytes, str], pd.DataFrame]
    longest: timedelta
    reach: timedelta | None = None
    contract: ClassVar[Contract] = RAW_SPOT_CANDLES

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames by symbol and part of a month, newest first; see
        :class:`~perp_pipeline.sources.base.Dataset`.

        A venue that has no such address (404), refuses or does not answer is logged and asked no more in this
        run: what is stored of it is what there is.
        """
        for bars in self.universe.bars_of(self.venue, "spot"):
            asking, answered = True, False
            for part in self._parts(bars, span, now):
                within = self.reach is None or part.end >= now - self.reach
                request = self.request(bars.symbol, part.start, part.end)
                found = None
                if asking and within:
                    found = self._answer(http, request, part)
                    if found is None and answered:
                        _doubt_absence(http, request)
                    asking, answered = found is not None or http.offline, answered or found is not None
                if found is None:
                    found = _stored(http, request, self.parse, bars)
                if found is not None and len(rows := _over(found, part)):
                    yield signed(rows, found[0], venue=self.venue, symbol=bars.symbol)

    def _parts(self, bars: Bars, span: Span, now: datetime) -> Iterator[Slice]:
        for month in reversed(bars.months(span, now)):
            parts = [*slices(Window(bars, month, now), self.longest)]
            yield from (part for part in reversed(parts) if part.end > bars.listed_from)

    def _answer(self, http: Http, request: Request, part: Slice) -> Found | None:
        """What the venue says of a part; None where it does not say."""
        label = f"{self.venue} {self.contract.name} {part.month} {part.listed.symbol}"
        try:
            found = self._ask(http, request, replace(part, asked_at=http.clock()), label)
        except (FormatChanged, IncompleteBody):
            raise
        except SourceError as error:
            if not http.offline:
                _log.warning("%s; what is stored of it stands", error)
            return None
        if found is None:
            # A mirror may do without a venue; at the venue itself it is news.
            level = logging.INFO if http.has_gateway else logging.WARNING
            _log.log(level, "%s: nothing at %s; what is stored of it stands", label, request.url)
        return found

    def _ask(self, http: Http, request: Request, part: Slice, label: str) -> Found | None:
        before = None if self.reach is None else _stored(http, request, self.parse, part.listed)
        holes = _Holes()

        def read(content: bytes) -> pd.DataFrame:
            return self.parse(content, part.listed.symbol)

        def fetch(check: BodyCheck) -> Body | None:
            def whole(content: bytes) -> None:
                check(content)
                frame = read(content)
                if before is not None:
                    _require_no_less(_inside(frame, part), _inside(before[1], part))
                holes.require_none(frame, part, from_its_first=self.reach is not None)

            final = part.now >= part.end + SETTLED
            return http.fetch(request, final=final, check=whole, absent_ok=True, label=label)

        try:
            return fetch_parsed(http, (request,), fetch, read)
        except _Receded as receded:
            _log.warning("%s; the stored answer stays", receded)
            return before


def _doubt_absence(http: Http, request: Request) -> None:
    """A venue that answered is served here: a part that it denies is asked for again in the next run."""
    entry = http.store.entry(request)
    if entry is not None and entry.is_absence:
        http.forget(request)


def _require_no_less(new: pd.DataFrame, old: pd.DataFrame) -> None:
    """A venue that keeps recent bars alone must not take away those that an earlier answer had."""
    if len(old) and (new.empty or new["open_time"].iloc[0] > old["open_time"].iloc[0]):
        raise _Receded(f"the answer begins after {old['open_time'].iloc[0]:%Y-%m-%d %H:%M}")


def _stored(
    http: Http, request: Request, parse: Callable[[bytes, str], pd.DataFrame], listed: Listed
) -> Found | None:
    """The stored answer, however old; None where there is none."""
    found = http.store.get(request)
    if found is None or found[0].is_absence:
        return None
    entry, content = found
    fetched_at = datetime.fromisoformat(entry.fetched_at)
    body = Body(request, content, entry.sha256, entry.status, fetched_at)
    return body, parse(content, listed.symbol)


class _Holes:
    """Missing hours are believed once a second answer lacks the same."""

    def __init__(self) -> None:
        self._seen: frozenset[int] = frozenset()

    def require_none(self, frame: pd.DataFrame, part: Slice, *, from_its_first: bool) -> None:
        times = times_of(frame["open_time"])
        if len(times) and int(times[-1]) > micros(part.latest) + SLACK:
            raise IncompleteBody(f"rows in the future: {text_of(int(times[-1]))}")
        start = max(part.bounds[0], micros(part.listed.listed_from))
        if from_its_first and len(times):
            start = max(start, int(times[0]))
        end = min(part.bounds[1], micros(part.latest) // _HOUR * _HOUR)
        missing = frozenset(np.setdiff1d(np.arange(start, end, _HOUR), times).tolist())
        if not missing or missing == self._seen:
            return
        self._seen = missing
        raise IncompleteBody(f"{len(missing)} hours are missing, the first is {text_of(min(missing))}")


def _inside(frame: pd.DataFrame, part: Slice) -> pd.DataFrame:
    """The rows of a part; answers may begin before it and go on after it."""
    times = frame["open_time"]
    return frame[(times >= part.start) & (times < part.end)].reset_index(drop=True)


def _over(found: Found, part: Slice) -> pd.DataFrame:
    """The bars of a part that were over when the answer was given."""
    body, frame = found
    rows = _inside(frame, part)
    over = rows["open_time"] + timedelta(hours=1) <= pd.Timestamp(body.fetched_at)
    return rows[over].reset_index(drop=True)


def candles(rows: Any, names: tuple[str, ...], unit_microseconds: int) -> pd.DataFrame:
    """Rows of an answer, in any order.

    Args:
        rows: a list of lists of as many fields as there are names.
        names: open_time, open, high, low, close and volume_base, in the venue's order.
        unit_microseconds: how many microseconds one of the times' numbers is worth.

    Returns:
        open_time (UTC, ascending), open, high, low, close (quote per coin), volume_base (coins).

    Raises:
        IncompleteBody: values that are not numbers, a repeated time, or one that is not on the hour.
        FormatChanged: rows of another form.
    """
    form = isinstance(rows, list) and all(isinstance(row, list) and len(row) == len(names) for row in rows)
    if not form:
        raise FormatChanged(f"lists of {', '.join(names)} were expected, not {str(rows)[:80]}")
    raw = pd.DataFrame(rows, columns=list(names), dtype=object)
    frame = pd.DataFrame({"open_time": utc_from(numbers(raw, "open_time"), unit_microseconds)})
    for name in _COLUMNS:
        frame[name] = numbers(raw, name)
    frame = frame.sort_values("open_time", ignore_index=True)
    times = times_of(frame["open_time"])
    if (times % _HOUR != 0).any():
        raise IncompleteBody("candles do not begin on the hour")
    if (np.diff(times) == 0).any():
        raise IncompleteBody("candles are repeated")
    return frame
