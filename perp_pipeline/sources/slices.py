"""Months that do not fit one answer, and histories that begin later at one source than at another."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.complete import Window, hole_between, micros, require_whole, times_of
from perp_pipeline.sources.errors import IncompleteBody, NotInStore, NotServed, PermanentError
from perp_pipeline.sources.monthly import MonthRows, fetch_parsed, signed
from perp_pipeline.sources.universe import Listed

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Parser = Callable[[bytes], pd.DataFrame]
Steps = Callable[[np.ndarray], np.ndarray]
"""From stamps to how far each row may be from the one before it (both in microseconds)."""
Follows = TypeVar("Follows", bound=Listed)


@dataclass(frozen=True)
class Slice(Window):
    """A part of a month that one body must fill: from ``start`` to before ``end``."""

    start: datetime = _EPOCH
    end: datetime = _EPOCH

    @property
    def bounds(self) -> tuple[int, int]:
        """First microsecond of the slice and the first after it."""
        return micros(self.start), micros(self.end)

    @property
    def promised(self) -> tuple[int, int] | None:
        """The part of the month's promise that lies in the slice."""
        month = Window(self.listed, self.month, self.now).promised
        if month is None:
            return None
        start, end = max(month[0], self.bounds[0]), min(month[1], self.bounds[1])
        return (start, end) if start <= end and start < self.bounds[1] else None


def slices(window: Window, longest: timedelta) -> Iterator[Slice]:
    """A month in parts of whole days of at most ``longest``, the same whenever they are asked for."""
    days = max(1, longest // timedelta(days=1))
    start = window.month.start
    about = (window.listed, window.month, window.now, window.gaps, window.asked_at)
    while start < min(window.month.end, window.now):
        end = min(start + timedelta(days=days), window.month.end)
        yield Slice(*about, start, end)
        start = end


def fetch_slices(
    http: Http,
    window: Window,
    longest: timedelta,
    ask: Callable[[Slice], Request],
    parse: Parser,
    steps: Steps,
    time: str,
    label: str,
    bar: timedelta = timedelta(0),
    clock: tuple[str, ...] = (),
) -> MonthRows:
    """A month asked for in parts, each checked, and seen to join up.

    Args:
        longest: the longest part whose rows fit one answer.
        ask: the request for a part.
        parse: rows of an answer in time order, with the column ``time``.
        label: venue and table, for messages.
        bar: length of the bars that rows are; one that was still running is left out.
        clock: members of an answer's envelope that say when it was given; see :func:`without_clock`.

    Raises:
        IncompleteBody: a part is not whole, or parts do not join; the bodies are set aside.
        SourceError: a part could not be had.
    """
    frames: list[pd.DataFrame] = []
    requests: list[Request] = []
    last: int | None = None
    edges: list[int] = []
    what = f"{label} {window.month} {window.listed.symbol}"
    for part in slices(window, longest):
        request = ask(part)
        body, frame = _fetch(http, request, part, parse, steps, time, what)
        requests.append(request)
        frame = frame[frame[time] + bar <= pd.Timestamp(body.fetched_at)] if bar else frame
        if frame.empty:
            continue
        times = times_of(frame[time])
        allowed = steps(times)
        if last is not None:
            problem = hole_between(last, int(times[0]), int(allowed[0]), window.gaps)
            if problem is not None:
                for made in requests:
                    http.forget(made)
                raise IncompleteBody(f"{what}: {problem}, between two answers. Run again to ask anew")
        last = int(times[-1])
        edges += [int(allowed[0]), int(allowed[-1])]
        frames.append(signed(frame, without_clock(body, clock), symbol=window.listed.symbol))
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return MonthRows(whole, tuple(requests), *((edges[0], edges[-1]) if edges else ()))


def without_clock(body: Body, clock: tuple[str, ...]) -> Body:
    """The body under the digest of what it says, whenever it was said.

    Some venues print the time of the answer beside the rows: the same question is then never answered with
    the same bytes, and a table that carried their digest could not be rebuilt from a second download.
    """
    if not clock:
        return body
    answer = {name: part for name, part in json.loads(body.content).items() if name not in clock}
    return replace(body, sha256=hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest())


def _fetch(
    http: Http, request: Request, part: Slice, parse: Parser, steps: Steps, time: str, what: str
) -> tuple[Body, pd.DataFrame]:
    def read(content: bytes) -> pd.DataFrame:
        frame = parse(content)
        times = times_of(frame[time])
        require_whole(times, steps(times), part)
        return frame

    def fetch(check: BodyCheck) -> Body | None:
        return http.fetch(request, final=part.month.is_closed(part.now), check=check, label=what)

    found = fetch_parsed(http, (request,), fetch, read)
    if found is None:
        raise NotServed(f"{what}: no answer to {request.full_url}")
    return found


def begun(http: Http, listed: Follows, request: Request, parse: Parser, time: str, label: str) -> Follows:
    """The listing, beginning with the first row that the source has.

    A venue may keep less than its whole history, and a mirror may have part of it: what comes before its
    first row is not missing. A source that refuses to say is taken to begin with the listing.

    Args:
        request: asks for the first rows from the listing on; the same in every run.
    """

    def read(content: bytes) -> pd.DataFrame:
        frame = parse(content)
        if frame.empty:
            raise IncompleteBody(f"no rows at all of {listed.symbol} since {listed.listed_from:%Y-%m-%d}")
        times = times_of(frame[time])
        if (np.diff(times) <= 0).any() or times[0] < micros(listed.listed_from):
            raise IncompleteBody("rows out of order, repeated, or before the first")
        return frame

    def fetch(check: BodyCheck) -> Body | None:
        return http.fetch(request, final=True, check=check, label=f"{label} {listed.symbol} first row")

    try:
        found = fetch_parsed(http, (request,), fetch, read)
    except NotInStore:
        raise
    except PermanentError as refusal:
        _log.warning("%s %s: where its history begins is not known: %s", label, listed.symbol, refusal)
        return listed
    if found is None:
        return listed
    first = found[1][time].iloc[0].floor("s").to_pydatetime()
    return replace(listed, listed_from=max(first, listed.listed_from))


def first_row(http: Http, request: Request, parse: Parser, time: str, label: str) -> int | None:
    """The earliest stamp (microseconds) in an answer, None where it has no rows."""
    body = http.fetch(request, final=True, check=lambda content: _parses(parse, content), label=label)
    rows = pd.DataFrame() if body is None else parse(body.content)
    return int(times_of(rows[time]).min()) if len(rows) else None


def _parses(parse: Parser, content: bytes) -> None:
    parse(content)
