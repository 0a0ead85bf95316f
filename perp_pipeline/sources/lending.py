"""Lending rates from pinned public copies of what pools on chain paid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_lending import RAW_LENDING_RATES
from perp_pipeline.months import Span
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.monthly import signed
from perp_pipeline.sources.pinned import PinnedArchive, archives_for, fetch_archive, parse_archive

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http


def parse_lending(archive: PinnedArchive, content: bytes) -> pd.DataFrame:
    """A pinned copy whose mapped columns are series of annual rates.

    Returns:
        series, time (UTC), rate (fraction a year); moments at which a series has no value are left out.

    Raises:
        FormatChanged: another form, a rate outside 0..2, or times that repeat or run backwards.
    """
    wide = parse_archive(archive, content, allow_missing=True)
    if (wide["time"].diff() <= pd.Timedelta(0)).any():
        raise FormatChanged(f"{archive.label}: times are repeated or out of order")
    rows = wide.melt(id_vars="time", var_name="series", value_name="rate").dropna(subset=["rate"])
    if (wrong := ~rows["rate"].between(0.0, 2.0)).any():
        first = rows[wrong].iloc[0]
        raise FormatChanged(
            f"{archive.label}: {first['series']} = {first['rate']} at {first['time']} is no annual fraction"
        )
    rows["series"] = rows["series"].astype("str")
    return rows[["series", "time", "rate"]].reset_index(drop=True)


@dataclass(frozen=True)
class LendingArchives:
    """All declared copies of lending rates."""

    archives: tuple[PinnedArchive, ...]

    @property
    def contract(self) -> Contract:
        """raw_lending_rates."""
        return RAW_LENDING_RATES

    @property
    def venue(self) -> str:
        """pinned"""
        return "pinned"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per copy; see :class:`~perp_pipeline.sources.base.Dataset`."""
        for archive in archives_for(self.archives, self.contract.name):
            body = fetch_archive(http, archive)
            rows = parse_lending(archive, body.content)
            inside = (rows["time"] >= span.start) & (rows["time"] < span.end)
            if inside.any():
                yield signed(rows[inside].reset_index(drop=True), body)
