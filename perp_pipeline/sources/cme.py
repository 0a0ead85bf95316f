"""CME bitcoin futures from files: a pinned public copy, or a user's own CSV declared in an archive list.

CME's own web JSON forbids scripts, so there is no request to CME here. Two forms of file are understood:

- by place on the curve: ``columns = { f1 = "...", f2 = "..." }`` with ``rolls``;
- by contract: ``columns = { contract = "...", settle = "..." }``, one line per contract and day.
"""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_prices import RAW_CME_FUTURES
from perp_pipeline.sources.base import Body
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.pinned import PinnedArchive, parse_archive
from perp_pipeline.sources.pinned_dataset import PinnedDataset

_PLACE = re.compile(r"f[12]")


def parse_futures(archive: PinnedArchive, body: Body) -> pd.DataFrame:
    """All prices of one file as rows of ``raw_cme_futures``.

    Raises:
        FormatChanged: the columns are of neither form, a value does not read, or a day is printed twice.
    """
    names = set(archive.columns)
    if names == {"contract", "settle"}:
        frame = parse_archive(archive, body.content, text=("contract",), allow_missing=True)
        frame = frame.rename(columns={"contract": "instrument"})
    elif names and all(_PLACE.fullmatch(name) for name in names):
        wide = parse_archive(archive, body.content, allow_missing=True)
        frame = wide.melt("time", list(archive.columns), "instrument", "settle")
    else:
        raise FormatChanged(
            f"{archive.label}: columns maps {', '.join(sorted(names))}; map f1 and f2, or contract and settle"
        )
    frame = frame.rename(columns={"time": "trade_date"}).dropna(subset=["settle"])
    repeated = frame.duplicated(["trade_date", "instrument"], keep=False)
    if repeated.any():
        row = frame[repeated].iloc[0]
        raise FormatChanged(
            f"{archive.label}: {row['instrument']} of {row['trade_date']:%Y-%m-%d} is printed twice"
        )
    return frame.assign(
        product=archive.symbol,
        archive=archive.name,
        roll_sessions=roll_sessions(archive, frame["trade_date"]).where(
            frame["instrument"].isin(["f1", "f2"])
        ),
        source_url=body.source_url,
        download_sha256=body.sha256,
    )[[column.name for column in RAW_CME_FUTURES.columns]].reset_index(drop=True)


def roll_sessions(archive: PinnedArchive, trade_dates: pd.Series) -> pd.Series:
    """The roll rule in force on each trade date (sessions; 0 where the archive declares none)."""
    rules = archive.rolls
    first = np.array([rule.first for rule in rules], dtype="datetime64[us]")
    sessions = np.array([0, *(rule.sessions for rule in rules)])
    place = np.searchsorted(first, trade_dates.to_numpy(dtype="datetime64[us]"), side="right")
    return pd.Series(sessions[place], index=trade_dates.index, dtype="Int32")


class FuturesArchives(PinnedDataset):
    """``raw_cme_futures`` from every declared file."""

    contract: ClassVar[Contract] = RAW_CME_FUTURES
    venue: ClassVar[str] = "cme"

    def rows(self, archive: PinnedArchive, body: Body) -> pd.DataFrame:
        """See :func:`parse_futures`."""
        return parse_futures(archive, body)
