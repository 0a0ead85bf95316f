"""Lending rates from pinned public copies of what pools on chain paid."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_lending import RAW_LENDING_RATES
from perp_pipeline.sources.base import Body
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.monthly import signed
from perp_pipeline.sources.pinned import PinnedArchive, parse_archive
from perp_pipeline.sources.pinned_dataset import PinnedDataset


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


class LendingArchives(PinnedDataset):
    """All declared copies of lending rates."""

    contract: ClassVar[Contract] = RAW_LENDING_RATES

    def rows(self, archive: PinnedArchive, body: Body) -> pd.DataFrame:
        """See :func:`parse_lending`."""
        return signed(parse_lending(archive, body.content), body)
