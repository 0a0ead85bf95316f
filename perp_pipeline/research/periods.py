"""Periods over which results are stated: ``all``, ``2021``, ``2021-02`` or ``2019-09..2022-06``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from perp_pipeline.months import Month, Span

ESSAY_WINDOWS = (
    "2019-09..2022-06",
    "2018-08..2022-06",
    "2019-01..2024-05",
    "2023-01..2024-02",
    "2023",
    "2024-01..2024-05",
)
"""The windows that the essays state their numbers over."""


def parse_period(period: str) -> Span | None:
    """Months of a period, both ends included; None for ``all``.

    Raises:
        ValueError: the text is none of the four forms.
    """
    if period == "all":
        return None
    if re.fullmatch(r"\d{4}", period):
        return Span.parse(f"{period}-01", f"{period}-12")
    first, dots, last = period.partition("..")
    try:
        return Span(Month.parse(first), Month.parse(last if dots else first))
    except ValueError as error:
        raise ValueError(
            f"{period!r} is not a period: write all, 2021, 2021-02 or 2019-09..2022-06 ({error})"
        ) from None


def standard_periods(first: pd.Timestamp, last: pd.Timestamp, extra: Iterable[str] = ()) -> list[str]:
    """``all``, each calendar year touched, and the essays' and the user's windows that overlap the data.

    Args:
        first, last: first and last time stamp of the data.
        extra: periods asked for by the user, in any of the four forms.
    """
    years = [str(year) for year in range(first.year, last.year + 1)]
    asked = list(dict.fromkeys(["all", *years, *ESSAY_WINDOWS, *extra]))
    return [period for period in asked if _overlaps(period, first, last)]


def slice_period(frame: pd.DataFrame, time: str, period: str) -> pd.DataFrame:
    """Rows of ``frame`` whose ``time`` (aware or naive UTC) lies in the period."""
    span = parse_period(period)
    if span is None:
        return frame
    stamps = frame[time]
    start, end = pd.Timestamp(span.start), pd.Timestamp(span.end)
    if stamps.dt.tz is None:
        start, end = start.tz_localize(None), end.tz_localize(None)
    return frame[(stamps >= start) & (stamps < end)]


def period_spans(periods: Sequence[str]) -> dict[str, Span | None]:
    """Each period with its months."""
    return {period: parse_period(period) for period in periods}


def _overlaps(period: str, first: pd.Timestamp, last: pd.Timestamp) -> bool:
    span = parse_period(period)
    if span is None:
        return True
    utc_first = first.tz_localize("UTC") if first.tzinfo is None else first
    utc_last = last.tz_localize("UTC") if last.tzinfo is None else last
    return bool(pd.Timestamp(span.start) <= utc_last and utc_first < pd.Timestamp(span.end))
