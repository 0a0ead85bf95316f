"""Calendar months in UTC: the one partition definition of every time-partitioned table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import total_ordering

_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")


@total_ordering
@dataclass(frozen=True)
class Month:
    """One UTC calendar month, printed as ``YYYY-MM``."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read ``YYYY-MM``.

        Raises:
            ValueError: the text is not a month; the message shows the form.
        """
        match = _MONTH.match(text)
        if match is None:
            raise ValueError(f"{text!r} is not a month: write YYYY-MM, for example 2019-09")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, moment: datetime) -> Month:
        """The month that an aware time stamp falls in."""
        utc = moment.astimezone(UTC)
        return cls(utc.year, utc.month)

    @property
    def start(self) -> datetime:
        """First instant (UTC)."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """First instant of the next month (UTC)."""
        return (self + 1).start

    def is_closed(self, now: datetime) -> bool:
        """True once the month is over at ``now``."""
        return self.end <= now

    def __add__(self, months: int) -> Month:
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    def __sub__(self, months: int) -> Month:
        return self + -months

    def __lt__(self, other: Month) -> bool:
        return (self.year, self.month) < (other.year, other.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


FIRST_MONTH = Month(2016, 5)
"""Month of the first funding payment on record (BitMEX XBTUSD, 2016-05-14): where history starts."""


@dataclass(frozen=True)
class Span:
    """A run of months, both ends included."""

    first: Month
    last: Month

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"a span runs forward: {self.first}..{self.last} does not")

    @classmethod
    def parse(cls, first: str, last: str) -> Span:
        """Read two ``YYYY-MM`` texts."""
        return cls(Month.parse(first), Month.parse(last))

    @property
    def start(self) -> datetime:
        """First instant (UTC)."""
        return self.first.start

    @property
    def end(self) -> datetime:
        """First instant after the span (UTC)."""
        return self.last.end

    def widened(self, before: int, after: int) -> Span:
        """The span with months added on either side."""
        return Span(self.first - before, self.last + after)

    def __iter__(self) -> Iterator[Month]:
        month = self.first
        while month <= self.last:
            yield month
            month += 1

    def __len__(self) -> int:
        return (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1

    def __contains__(self, month: object) -> bool:
        return isinstance(month, Month) and self.first <= month <= self.last

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"
