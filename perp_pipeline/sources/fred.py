"""US dollar reference rates from FRED's graph CSV.

``fredgraph.csv?id=DTB3&cosd=2020-01-01&coed=2020-01-31``: both ends included, ascending, percent. The
heading was ``DATE`` and a missing value ``.``; they are ``observation_date`` and empty now. Both are read.
"""

from __future__ import annotations

import io
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
from perp_pipeline.sources.base import Body, Request
from perp_pipeline.sources.errors import FormatChanged, IncompleteBody

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

URL = "https://fred.stlouisfed.org/graph/fredgraph.csv"
PUBLICATION_LAG = timedelta(days=7)
"""A month is complete at FRED only some days after its end."""

SERIES_DAYS = {"DTB3": 5, "DFF": 7}
"""Days a week that FRED prints a line for, holidays included (their value is missing)."""


def month_request(series: str, month: Month) -> Request:
    """The request for one calendar month."""
    last = (month.end - timedelta(days=1)).strftime("%Y-%m-%d")
    return Request(URL, {"id": series, "cosd": month.start.strftime("%Y-%m-%d"), "coed": last})


def parse_fred(series: str, content: bytes) -> pd.DataFrame:
    """Rows of one answer: ``day`` (naive date) and ``percent`` (NaN where missing), in the order printed.

    Raises:
        FormatChanged: the heading is not a known one or names another series.
        IncompleteBody: a value or a date does not read, days are not ascending, or a value is NaN in words.
    """
    try:
        raw = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise FormatChanged(f"FRED {series}: not CSV: {error}") from error
    heading = list(raw.columns)
    if len(heading) != 2 or heading[0] not in ("observation_date", "DATE") or heading[1] != series:
        raise FormatChanged(
            f"FRED {series}: heading {', '.join(heading)[:120]!r}, expected observation_date,{series}"
        )
    days = pd.to_datetime(raw[heading[0]], format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")
    text = raw[series]
    missing = text.isin(["", "."])
    values = pd.to_numeric(text.mask(missing), errors="coerce").astype("float64")
    bad = days.isna() | (~np.isfinite(values) & ~missing)
    if bad.any():
        row = raw[bad].iloc[0]
        raise IncompleteBody(f"FRED {series}: {row.iloc[0]!r},{row.iloc[1]!r} is not a date and a number")
    if not (days.diff().dropna() > pd.Timedelta(0)).all():
        raise IncompleteBody(f"FRED {series}: days are repeated or out of order")
    return pd.DataFrame({"day": days, "percent": values})


def check_month(series: str, month: Month, content: bytes) -> pd.DataFrame:
    """Parse one month's answer and see that it holds no foreign day and skips none.

    An empty month passes: whether it may be empty shows only in the months around it.

    Raises:
        FormatChanged, IncompleteBody: as :func:`parse_fred`; or days are outside the month, or missing
            between others.
    """
    frame = parse_fred(series, content)
    if frame.empty:
        return frame
    days = frame["day"]
    start, end = (pd.Timestamp(moment).tz_localize(None) for moment in (month.start, month.end))
    if (outside := (days < start) | (days >= end)).any():
        raise IncompleteBody(f"FRED {series} {month}: {days[outside].iloc[0]:%Y-%m-%d} was not asked for")
    expected = _printed_days(series, days.iloc[0], days.iloc[-1])
    if len(skipped := expected.difference(pd.DatetimeIndex(days))):
        raise IncompleteBody(f"FRED {series} {month}: no line for {skipped[0]:%Y-%m-%d}")
    return frame


def _printed_days(series: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    return pd.date_range(first, last, freq="B" if SERIES_DAYS.get(series) == 5 else "D")


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
            SourceError: an answer is unusable, or days are missing between two answers (both are asked for
                again in the next run).
        """
        for series in self.series:
            parts: list[tuple[Month, Body, pd.DataFrame]] = []
            for month in span:
                if month.start > now:
                    break
                body = self._month(http, series, month, now)
                frame = check_month(series, month, body.content)
                parts.append(
                    (month, body, frame.assign(source_url=body.source_url, download_sha256=body.sha256))
                )
            self._require_no_hole(http, series, parts)
            frames = [frame for _, _, frame in parts if len(frame)]
            if frames:
                whole = pd.concat(frames, ignore_index=True).assign(series=series)
                yield whole[[column.name for column in RAW_FRED.columns]]

    def _month(self, http: Http, series: str, month: Month, now: datetime) -> Body:
        request = month_request(series, month)

        def check(content: bytes) -> None:
            check_month(series, month, content)

        body: Body | None = http.fetch(
            request,
            final=month.end + PUBLICATION_LAG <= now,
            check=check,
            label=f"fred raw_fred {month} {series}",
        )
        if body is None:
            raise IncompleteBody(f"fred raw_fred {month} {series}: no body")
        return body

    def _require_no_hole(
        self, http: Http, series: str, parts: list[tuple[Month, Body, pd.DataFrame]]
    ) -> None:
        """Days run on from month to month; only the end of the history may be empty."""
        held = [(month, body, frame["day"]) for month, body, frame in parts if len(frame)]
        for (month, body, days), (later, next_body, next_days) in pairwise(held):
            between = _printed_days(series, days.iloc[-1], next_days.iloc[0])[1:-1]
            if len(between):
                suspects = [body, next_body, *(b for m, b, f in parts if month < m < later)]
                for suspect in suspects:
                    http.forget(suspect.request)
                raise IncompleteBody(
                    f"fred raw_fred {month}..{later} {series}: no line for {between[0]:%Y-%m-%d}; the "
                    "answers were set aside, run again to download them again"
                )
