"""Funding from pinned public copies: what stands in for a venue that has closed, and prices at the
payments."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_funding import RAW_PINNED_FUNDING
from perp_pipeline.sources.base import Body
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.monthly import signed
from perp_pipeline.sources.pinned import PinnedArchive, parse_archive
from perp_pipeline.sources.pinned_dataset import PinnedDataset


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


class PinnedFunding(PinnedDataset):
    """All declared copies of funding."""

    contract: ClassVar[Contract] = RAW_PINNED_FUNDING

    def rows(self, archive: PinnedArchive, body: Body) -> pd.DataFrame:
        """See :func:`parse_pinned_funding`."""
        return signed(parse_pinned_funding(archive, body.content), body)
