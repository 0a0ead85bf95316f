"""US dollar reference rates from FRED's graph CSV.

``fredgraph.csv?id=DTB3&cosd=2020-01-01&coed=2020-01-31``: both ends included, ascending, percent. The
heading was ``DATE`` and a missing value ``.``; they are ``observation_date`` and empty now. Both are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_prices import RAW_FRED
from perp_pipeline.months import Month, Span
from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.errors import FormatChanged, IncompleteBody, NotServed
from perp_pipeline.sources.monthly import fetch_parsed

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

URL = "https://fred.stlouisfed.org/graph/fredgraph.csv"
PUBLICATION_LAG = timedelta(days=7)
"""A month is complete at FRED only some days after its end."""

SERIES_DAYS = {"DTB3": 5, "DFF": 7}
"""Days a week that FRED prints a line for, holidays included (their value is missing)."""

SEEN_TO = {"DTB3": np.datetime64("2026-03-26"), "DFF": np.datetime64("2026-01-29")}
"""A day up to which a series is known to be there: until then a month that comes empty or cut off is not
whole."""


def month_request(series: str, month: Month) -> Request:
    """The request for one calendar month."""
    last = (month.end - timedelta(days=1)).strftime("%Y-%m-%d")
    return Request(URL, {"id": series, "cosd": month.start.strftime("%Y-%m-%d"), "coed": last})


def parse_fred(series: str, content: bytes) -> pd.DataFrame:
    """Rows of one answer: ``day`` (naive date) and ``percent`` (NaN where missing), in the order printed.

    Raises:
        FormatChanged: the heading is not a known one.
        IncompleteBody: the heading names another series, a value or a date does not read, or days are not
            ascending.
    """
    lines = content.decode("utf-8", "replace").split()
    heading = lines[0] if lines else ""
    date_column, _, named = heading.partition(",")
    if date_column not in ("observation_date", "DATE"):
        raise FormatChanged(f"FRED {series}: heading {heading[:120]!r}, expected observation_date,{series}")
    if named != series:
        raise IncompleteBody(f"FRED {series}: the answer is of {named[:40]!r}")
    cells = [line.partition(",") for line in lines[1:]]
    try:
        days = np.array([day for day, _, _ in cells], dtype="datetime64[D]")
        values = np.array([np.nan if text in ("", ".") else float(text) for _, _, text in cells])
    except ValueError as error:
        raise IncompleteBody(f"FRED {series}: a date or a number does not read: {error}") from error
    for (day, _, text), value in zip(cells, values, strict=True):
        if not np.isfinite(value) and text not in ("", "."):
            raise IncompleteBody(f"FRED {series}: {day},{text} is not a date and a number")
    if (np.diff(days) <= np.timedelta64(0, "D")).any():
        raise IncompleteBody(f"FRED {series}: days are repeated or out of order")
    return pd.DataFrame({"day": days.astype("datetime64[us]"), "percent": values.astype("float64")})


def check_month(series: str, month: Month, content: bytes, *, closed: bool = False) -> pd.DataFrame:
    """Parse one month's answer and see that it holds no foreign day and skips none.

    A month after :data:`SEEN_TO` may be empty: whether it is shows only in the months around it.

    Args:
        closed: the month is over and published.

    Raises:
        FormatChanged, IncompleteBody: as :func:`parse_fred`.
        IncompleteBody: days are outside the month, or missing.
    """
    frame = parse_fred(series, content)
    days = frame["day"].to_numpy()
    start, end = (np.datetime64(moment.replace(tzinfo=None)) for moment in (month.start, month.end))
    if (outside := (days < start) | (days >= end)).any():
        raise IncompleteBody(f"FRED {series} {month}: {str(days[outside][0])[:10]} was not asked for")
    _require_every_day(f"FRED {series} {month}", series, days)
    if closed and series in SEEN_TO:
        first = np.busday_offset(start.astype("datetime64[D]"), 0, "forward", _week(series))
        last = min(end.astype("datetime64[D]") - 1, SEEN_TO[series])
        last = np.busday_offset(last, 0, "backward", _week(series))
        if first <= last and (not len(days) or days[0] > first or days[-1] < last):
            raise IncompleteBody(
                f"FRED {series} {month}: lines from {first} to {last} are known, not all came"
            )
    return frame


def _week(series: str) -> str:
    """The days that FRED prints a line for, Monday first, as numpy takes them."""
    return "1111100" if SERIES_DAYS.get(series) == 5 else "1111111"


def _require_every_day(label: str, series: str, days: np.ndarray) -> None:
    """Raises IncompleteBody where a day that FRED prints a line for is skipped."""
    printed = days.astype("datetime64[D]")
    steps = np.busday_count(printed[:-1], printed[1:], weekmask=_week(series))
    if (skips := np.flatnonzero(steps > 1)).size:
        raise IncompleteBody(f"{label}: no line between {printed[skips[0]]} and {printed[skips[0] + 1]}")


@dataclass(frozen=True)
class FredSeries:
    """``raw_fred``, one request per series and month.

    Attributes:
        series: FRED's names; they must be in :data:`SERIES_DAYS`.
    """

    series: tuple[str, ...] = tuple(SERIES_DAYS)

    @property
    def contract(self) -> Contract:
        """The raw table."""
        return RAW_FRED

    @property
    def venue(self) -> str:
        """Where it is from."""
        return "fred"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per series.

        Raises:
            SourceError: an answer is unusable, or days are missing between two answers (which are then asked
                for again in the next run).
        """
        for series in self.series:
            months = [self._month(http, series, month, now) for month in span if month.start <= now]
            held = [frame for _, frame in months if len(frame)]
            if not held:
                continue
            frame = pd.concat(held, ignore_index=True)
            try:
                _require_every_day(f"fred raw_fred {span} {series}", series, frame["day"].to_numpy())
            except IncompleteBody as error:
                self._forget_around_holes(http, series, months)
                raise IncompleteBody(
                    f"{error}; the answers around it were set aside: run again to download them again"
                ) from error
            yield frame.assign(series=series)[[column.name for column in RAW_FRED.columns]]

    def _month(self, http: Http, series: str, month: Month, now: datetime) -> tuple[Request, pd.DataFrame]:
        request = month_request(series, month)
        label = f"fred raw_fred {month} {series}"
        final = month.end + PUBLICATION_LAG <= now

        def ask(check: BodyCheck) -> Body | None:
            return http.fetch(request, final=final, check=check, label=label)

        found = fetch_parsed(
            http, (request,), ask, lambda content: check_month(series, month, content, closed=final)
        )
        if found is None:
            raise NotServed(f"{label}: FRED has no such series")
        body, frame = found
        return request, frame.assign(source_url=body.source_url, download_sha256=body.sha256)

    def _forget_around_holes(
        self, http: Http, series: str, months: list[tuple[Request, pd.DataFrame]]
    ) -> None:
        """Set aside the empty answers between others, and the answers that do not meet their neighbours."""
        held = [place for place, (_, frame) in enumerate(months) if len(frame)]
        for before, after in pairwise(held):
            days = pd.concat([months[before][1]["day"].iloc[-1:], months[after][1]["day"].iloc[:1]])
            try:
                _require_every_day("", series, days.to_numpy())
            except IncompleteBody:
                for request, _ in months[before : after + 1]:
                    http.forget(request)
