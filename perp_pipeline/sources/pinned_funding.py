"""Funding from pinned public copies: what stands in for a venue that has closed, and prices at the
payments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_funding import RAW_PINNED_FUNDING
from perp_pipeline.months import Span
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.monthly import signed
from perp_pipeline.sources.pinned import PinnedArchive, archives_for, fetch_archive, parse_archive

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http


def parse_pinned_funding(archive: PinnedArchive, content: bytes) -> pd.DataFrame:
    """A pinned copy of funding, which maps ``rate`` and may map ``interval_hours`` and ``price``.

    Returns:
        venue, symbol, timestamp (UTC), rate (fraction per payment), interval_hours and price (null where
        unknown).

    Raises:
        FormatChanged: another form, a missing rate, or a time that comes twice.
    """
    frame = parse_archive(archive, content, allow_missing=True).rename(columns={"time": "timestamp"})
    if "rate" not in frame or frame["rate"].isna().any():
        raise FormatChanged(f"{archive.label}: a funding copy has a rate in every row")
    if frame["timestamp"].duplicated().any():
        twice = frame.loc[frame["timestamp"].duplicated(), "timestamp"].iloc[0]
        raise FormatChanged(f"{archive.label}: two payments at {twice}")
    for column in ("interval_hours", "price"):
        if column not in frame:
            frame[column] = np.nan
    return frame.assign(venue=archive.venue, symbol=archive.symbol)


@dataclass(frozen=True)
class PinnedFunding:
    """All declared copies of funding."""

    archives: tuple[PinnedArchive, ...]

    @property
    def contract(self) -> Contract:
        """raw_pinned_funding."""
        return RAW_PINNED_FUNDING

    @property
    def venue(self) -> str:
        """pinned"""
        return "pinned"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per copy; see :class:`~perp_pipeline.sources.base.Dataset`."""
        for archive in archives_for(self.archives, self.contract.name):
            body = fetch_archive(http, archive)
            frame = parse_pinned_funding(archive, body.content)
            inside = (frame["timestamp"] >= span.start) & (frame["timestamp"] < span.end)
            if inside.any():
                yield signed(frame[inside], body)
