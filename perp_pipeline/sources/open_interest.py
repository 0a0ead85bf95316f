"""Open interest by side from pinned public copies."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_open_interest import RAW_GMX_OPEN_INTEREST
from perp_pipeline.sources.base import Body
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.monthly import signed
from perp_pipeline.sources.pinned import PinnedArchive, parse_archive
from perp_pipeline.sources.pinned_dataset import PinnedDataset


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


class OpenInterestArchives(PinnedDataset):
    """All declared copies of open interest."""

    contract: ClassVar[Contract] = RAW_GMX_OPEN_INTEREST

    def rows(self, archive: PinnedArchive, body: Body) -> pd.DataFrame:
        """See :func:`parse_open_interest`."""
        return signed(parse_open_interest(archive, body.content), body)
