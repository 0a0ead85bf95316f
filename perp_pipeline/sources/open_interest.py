"""Open interest by side from pinned public copies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_open_interest import RAW_GMX_OPEN_INTEREST
from perp_pipeline.months import Span
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.monthly import signed
from perp_pipeline.sources.pinned import PinnedArchive, archives_for, available, fetch_archive, parse_archive

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http


def parse_open_interest(archive: PinnedArchive, content: bytes) -> pd.DataFrame:
    """A pinned copy that maps ``chain``, ``long_usd`` and ``short_usd``.

    Returns:
        chain, day (naive date), long_usd, short_usd.

    Raises:
        FormatChanged: another form, a negative amount, or a chain's day that comes twice.
    """
    frame = parse_archive(archive, content, text=("chain",)).rename(columns={"time": "day"})
    if (frame[["long_usd", "short_usd"]] < 0).any(axis=None):
        raise FormatChanged(f"{archive.label}: open interest below zero")
    if (twice := frame.duplicated(["chain", "day"])).any():
        first = frame[twice].iloc[0]
        raise FormatChanged(f"{archive.label}: {first['chain']} {first['day']:%Y-%m-%d} comes twice")
    return frame[["chain", "day", "long_usd", "short_usd"]]


@dataclass(frozen=True)
class OpenInterestArchives:
    """All declared copies of open interest."""

    archives: tuple[PinnedArchive, ...]

    @property
    def contract(self) -> Contract:
        """raw_gmx_open_interest."""
        return RAW_GMX_OPEN_INTEREST

    @property
    def venue(self) -> str:
        """pinned"""
        return "pinned"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per copy; see :class:`~perp_pipeline.sources.base.Dataset`."""
        first, end = (pd.Timestamp(moment).tz_localize(None) for moment in (span.start, span.end))
        for archive in archives_for(self.archives, self.contract.name):
            if not available(http, archive):
                continue
            body = fetch_archive(http, archive)
            rows = parse_open_interest(archive, body.content)
            inside = (rows["day"] >= first) & (rows["day"] < end)
            if inside.any():
                yield signed(rows[inside].reset_index(drop=True), body)
