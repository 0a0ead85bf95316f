"""Is a month of a series whole? What every time series that is fetched month by month must prove.

Nothing here knows a venue: a series is its time stamps, the step that each row may be away from the one
before it, and what is known about its beginning, its end and its holes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from perp_pipeline.months import Month
from perp_pipeline.sources.errors import IncompleteBody
from perp_pipeline.sources.known_gaps import KnownGap
from perp_pipeline.sources.universe import Listed

SLACK = 60_000_000
"""Microseconds by which a stamp may be late: venues' clocks jitter by milliseconds, rarely by seconds."""


@dataclass(frozen=True)
class Window:
    """The month of a series that a body must fill.

    Attributes:
        now: the moment that the run takes for the present: it says which months are closed.
        gaps: holes of this series that are known.
        asked_at: when the question is asked, where that is later: a long run reaches its last venue hours
            after its start. Nothing may be stamped after both.
    """

    listed: Listed
    month: Month
    now: datetime
    gaps: tuple[KnownGap, ...] = ()
    asked_at: datetime | None = None

    @property
    def latest(self) -> datetime:
        """The last moment that rows may be of."""
        return self.now if self.asked_at is None else max(self.now, self.asked_at)

    @property
    def bounds(self) -> tuple[int, int]:
        """First microsecond of the month and the first after it."""
        return micros(self.month.start), micros(self.month.end)

    @property
    def promised(self) -> tuple[int, int] | None:
        """The part of a closed month in which rows must be there, in microseconds, its end included if it
        is a row's and not the month's; None where nothing is known, as in the open month."""
        known = self.listed.listed_to or self.listed.seen_to
        if known is None or not self.month.is_closed(self.now):
            return None
        start, end = max(self.month.start, self.listed.listed_from), min(self.month.end, known)
        return (micros(start), micros(end)) if start <= end and start < self.month.end else None


def micros(moment: datetime) -> int:
    """Microseconds since 1970 (UTC)."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def times_of(stamps: pd.Series) -> np.ndarray:
    """Microseconds since 1970 of a column of UTC stamps."""
    values: np.ndarray = pd.DatetimeIndex(stamps).as_unit("us").asi8
    return values


def text_of(time: int) -> str:
    """A moment in microseconds as ``YYYY-MM-DD HH:MM``."""
    return f"{datetime.fromtimestamp(time / 1e6, UTC):%Y-%m-%d %H:%M}"


def require_whole(times: np.ndarray, step: np.ndarray | int, window: Window) -> None:
    """Accept a month's rows, or say what is wrong with them.

    Args:
        times: stamps in the order of the body (microseconds).
        step: how far each row may be from the one before it, and the month's ends from its first and last row
            (microseconds).

    Raises:
        IncompleteBody: rows out of order, repeated, outside the month, in the future, or missing.
    """
    start, end = window.bounds
    promised = window.promised
    if len(times) == 0:
        if promised is not None and not _declared(*promised, window.gaps):
            raise IncompleteBody(f"no rows, although the history up to {text_of(promised[1])} is known")
        return
    if (back := np.diff(times) <= 0).any():
        at = int(np.flatnonzero(back)[0])
        what = "repeated" if times[at] == times[at + 1] else "out of order"
        raise IncompleteBody(f"rows {what} at {text_of(int(times[at + 1]))}")
    late = micros(window.latest) + SLACK
    if int(times[-1]) > late:
        raise IncompleteBody(f"rows in the future: {text_of(int(times[-1]))}")
    if int(times[0]) < start or int(times[-1]) >= end:
        outside = times[(times < start) | (times >= end)]
        raise IncompleteBody(
            f"{len(outside)} rows outside the month, the first at {text_of(int(outside[0]))}"
        )
    steps = np.broadcast_to(np.asarray(step, dtype="int64"), times.shape)
    for at in np.flatnonzero(np.diff(times) > steps[1:] + SLACK).tolist():
        _require_declared(int(times[at]), int(times[at + 1]), window.gaps)
    if promised is None:
        return
    first, last = promised
    if int(times[0]) - first >= int(steps[0]):
        # The row before a declared hole is of an earlier month, or it would be the first here.
        _require_declared(first, int(times[0]), [gap for gap in window.gaps if micros(gap.first) < first])
    # The end is the last known row's own stamp, or the end of the month, which comes up to a step after its
    # last row.
    if last - int(times[-1]) > (SLACK if last < end else int(steps[-1]) + SLACK):
        _require_declared(int(times[-1]), last, window.gaps)


def hole_between(before: int, after: int, step: int, gaps: Sequence[KnownGap]) -> str | None:
    """What is wrong between the last row of a month and the first of a later one; None where they join up."""
    if after - before <= step + SLACK or _declared(before, after, gaps):
        return None
    return f"no rows between {text_of(before)} and {text_of(after)}"


def _declared(before: int, after: int, gaps: Sequence[KnownGap]) -> bool:
    """Whether the hole lies inside a declared one."""
    return any(micros(gap.first) - SLACK <= before and after <= micros(gap.last) + SLACK for gap in gaps)


def _require_declared(before: int, after: int, gaps: Sequence[KnownGap]) -> None:
    if not _declared(before, after, gaps):
        hours = (after - before) / 3_600_000_000
        raise IncompleteBody(f"no rows between {text_of(before)} and {text_of(after)} ({hours:.1f} h)")
