"""Fetching a series month by month, and proof that the months join up."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perp_pipeline.months import Month, Span
from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.complete import Window, hole_between, micros, text_of, times_of
from perp_pipeline.sources.errors import (
    IncompleteBody,
    NotInStore,
    PermanentError,
    SourceError,
    Unreachable,
)
from perp_pipeline.sources.known_gaps import KnownGap
from perp_pipeline.sources.universe import Listed

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

PUBLISHED_AFTER = timedelta(days=7)
"""How long after a month its archive file may appear. A file that is absent after that is believed to be
absent."""


@dataclass(frozen=True)
class MonthRows:
    """One month of one series.

    Attributes:
        frame: rows in time order; empty where the venue has none.
        requests: what was asked, so that a body that proves bad can be forgotten.
        first_step, last_step: microseconds that the first and last row may be from their neighbours outside.
    """

    frame: pd.DataFrame
    requests: tuple[Request, ...]
    first_step: int = 0
    last_step: int = 0


@dataclass(frozen=True)
class Series:
    """One series of one raw table.

    Attributes:
        time: the frame's column of time stamps.
        load: the rows of one month, checked against its :class:`Window`.
        probe: the first stamp (microseconds) that the venue has between two moments, or None. It settles
        whether a
            silent month is the end of the history.
    """

    table: str
    listed: Listed
    time: str
    gaps: tuple[KnownGap, ...]
    load: Callable[[Window], MonthRows]
    probe: Callable[[datetime, datetime], int | None]

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.listed.venue} {self.table} {self.listed.symbol}"


def fetch_series(http: Http, series: Series, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
    """The months of a series, each handed on when the month after it has been seen to join up.

    A closed month without rows beyond the known history is believed once a second question, for everything
    after it, is answered with nothing as well.

    Raises:
        IncompleteBody: a hole between months; the bodies on both sides of it are forgotten.
        SourceError: a month could not be had.
    """
    held: MonthRows | None = None
    last = 0
    silent = unstored = False
    for month in series.listed.months(span, now):
        closed = month.is_closed(now)
        if silent and closed:
            continue
        window = Window(series.listed, month, now, series.gaps, asked_at=http.clock())
        try:
            rows = series.load(window)
        except NotInStore:
            # A month after the known history that no online run asked for, because the venue had fallen
            # silent.
            if window.promised is not None:
                raise
            if not unstored:
                _log.warning("%s: %s is not in the store, and not known to exist", series.label, month)
            unstored = True
            continue
        except (PermanentError, Unreachable):
            if held is not None:
                yield held.frame
            raise
        if rows.frame.empty:
            if closed and window.promised is None:
                silent = _is_silent(http, series, rows, month, _last_closed(span, now), last)
            continue
        times = times_of(rows.frame[series.time])
        if held is not None:
            step = max(held.last_step, rows.first_step)
            _require_joined(http, series, hole_between(last, int(times[0]), step, series.gaps), held, rows)
            yield held.frame
        held, last = rows, int(times[-1])
    if held is not None:
        yield held.frame


def _last_closed(span: Span, now: datetime) -> Month:
    return min(span.last, Month.of(now) - 1)


def _is_silent(
    http: Http, series: Series, rows: MonthRows, month: Month, last_month: Month, before: int
) -> bool:
    """Whether the history ended before a month that came empty; False where a declared hole explains it."""
    try:
        later = series.probe(month.start, last_month.end)
    except NotInStore:
        later = None
    if later is None:
        # Said once, in the run that sees the end, and not in every refresh of the months after it.
        level = logging.WARNING if before else logging.INFO
        _log.log(level, "%s: nothing from %s on, taken for the end of the history", series.label, month)
        return True
    if before and hole_between(before, later, 0, series.gaps) is None:
        return False
    for request in rows.requests:
        http.forget(request)
    raise IncompleteBody(
        f"{series.label} {month}: the month came without rows, but the venue has some from {text_of(later)} "
        "on. Run again; if the hole is real, declare it as a [[gap]] in a universe file"
    )


def _require_joined(
    http: Http, series: Series, problem: str | None, before: MonthRows, after: MonthRows
) -> None:
    if problem is None:
        return
    for request in (*before.requests, *after.requests):
        http.forget(request)
    raise IncompleteBody(
        f"{series.label}: {problem}, between two months. Their bodies are set aside: run again to ask for "
        "them anew; if the hole is real, declare it as a [[gap]] in a universe file"
    )


def fetch_parsed(
    http: Http,
    requests: tuple[Request, ...],
    ask: Callable[[BodyCheck], Body | None],
    read: Callable[[bytes], pd.DataFrame],
) -> tuple[Body, pd.DataFrame] | None:
    """A body and what ``read`` makes of it, parsed once; None where the venue has no such file.

    A stored body that no longer passes is set aside and asked for again.

    Args:
        requests: those that ``ask`` makes.
        ask: fetches, with the check that it is given.
        read: parses and verifies; raises a SourceError for a body that must not be stored.
    """
    made: dict[str, pd.DataFrame] = {}

    def check(content: bytes) -> None:
        made[hashlib.sha256(content).hexdigest()] = read(content)

    body = ask(check)
    if body is None:
        return None
    if body.sha256 in made:
        return body, made[body.sha256]
    try:
        return body, read(body.content)
    except SourceError:
        if http.offline:
            raise
    for request in requests:
        http.forget(request)
    body = ask(check)
    return None if body is None else (body, made.get(body.sha256, pd.DataFrame()))


def signed(frame: pd.DataFrame, body: Body, **constants: str) -> pd.DataFrame:
    """The frame with constant columns, and with where it came from: ``source_url`` and
    ``download_sha256``."""
    return frame.assign(**constants, source_url=body.source_url, download_sha256=body.sha256)


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970 (UTC)."""
    return micros(moment) // 1000


def utc_from(values: pd.Series | np.ndarray, unit_microseconds: int) -> pd.Series:
    """Epoch numbers as UTC stamps with microseconds.

    Args:
        unit_microseconds: how many microseconds one of the numbers is worth.
    """
    numbers = np.asarray(values).astype("int64") * unit_microseconds
    return pd.Series(numbers.astype("datetime64[us]")).dt.tz_localize("UTC")
