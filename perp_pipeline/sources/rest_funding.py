"""Funding that a venue answers by symbol and span of time: what such venues share.

A venue of this kind is a parser, a request and a schedule; see :mod:`perp_pipeline.sources.bybit` for the
shortest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Span
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.complete import Window
from perp_pipeline.sources.known_gaps import KnownGaps
from perp_pipeline.sources.monthly import MonthRows, Series, fetch_series
from perp_pipeline.sources.slices import Steps, begun, fetch_slices, first_row
from perp_pipeline.sources.universe import Instrument, Universe

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http


@dataclass(frozen=True)
class RestFunding:
    """Funding payments of the universe's instruments of one venue.

    Attributes:
        contract: the raw table: symbol, timestamp, interval_hours, rate and the venue's own columns.
        request: asks for the payments of a symbol from a moment to before another; None: no end.
        parse: rows of an answer for a symbol, ascending, with all columns but symbol and provenance.
        steps: how far each payment may be from the one before it.
        longest: the longest span whose rows fit one answer.
        clock: members of an answer that say when it was given.
        ascending: an answer without an end begins with the oldest rows, so that it shows where the history
            begins.
    """

    contract: Contract
    venue: str
    universe: Universe
    gaps: KnownGaps
    request: Callable[[str, datetime, datetime | None], Request]
    parse: Callable[[bytes, str], pd.DataFrame]
    steps: Steps
    longest: timedelta
    ascending: bool = False
    clock: tuple[str, ...] = ()

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames by symbol and month; see :class:`~perp_pipeline.sources.base.Dataset`."""
        for instrument in self.universe.instruments_of(self.venue):
            if instrument.months(span, now):
                yield from fetch_series(http, self.series(http, instrument), span, now)

    def series(self, http: Http, instrument: Instrument) -> Series:
        """One instrument's months."""
        symbol, table = instrument.symbol, self.contract.name
        label = f"{self.venue} {table}"

        def parse(content: bytes) -> pd.DataFrame:
            return self.parse(content, symbol)

        def load(window: Window) -> MonthRows:
            return fetch_slices(
                http,
                window,
                self.longest,
                lambda part: self.request(symbol, part.start, part.end),
                parse,
                self.steps,
                "timestamp",
                label,
                clock=self.clock,
            )

        def probe(start: datetime, end: datetime) -> int | None:
            request = self.request(symbol, start, end)
            return first_row(http, request, parse, "timestamp", f"{label} {symbol} from {start:%Y-%m}")

        listed = instrument
        if self.ascending:
            first = self.request(symbol, instrument.listed_from, None)
            listed = begun(http, instrument, first, parse, "timestamp", label)
        return Series(table, listed, "timestamp", self.gaps.of(table, self.venue, symbol), load, probe)
