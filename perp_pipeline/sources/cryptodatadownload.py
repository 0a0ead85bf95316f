"""Candles from archived files: CryptoDataDownload's copies of Gemini and Bitstamp, and files of a user's own.

The files are newest first, some with a banner line, some with seconds and milliseconds in one column, some
with repeated lines. All lines are kept here; ``core_spot_1h`` cleans.
"""

from __future__ import annotations

from typing import ClassVar

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_prices import RAW_CDD_CANDLES
from perp_pipeline.sources.base import Body
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.pinned import PinnedArchive, parse_archive
from perp_pipeline.sources.pinned_dataset import PinnedDataset

_BINS = {"1h": pd.Timedelta(hours=1), "1d": pd.Timedelta(days=1)}


def parse_candles(archive: PinnedArchive, body: Body) -> pd.DataFrame:
    """All lines of one file as rows of ``raw_cdd_candles``, in file order.

    Raises:
        FormatChanged: bars do not start on an hour, a declared column is missing, a value does not read, or
            the list declares no known bin_size.
    """
    if archive.bin_size not in _BINS:
        raise FormatChanged(f"{archive.label}: bin_size = {archive.bin_size!r}; declare 1h or 1d")
    frame = parse_archive(archive, body.content).rename(columns={"time": "open_time"})
    if archive.time_means == "bar_close":
        frame["open_time"] -= _BINS[archive.bin_size]
    times = frame["open_time"]
    if (off_hour := times.dt.floor("h") != times).any():
        raise FormatChanged(
            f"{archive.label}: {int(off_hour.sum())} of {len(times)} bars do not start on an hour, first "
            f"{times[off_hour].iloc[0]:%Y-%m-%d %H:%M:%S}: a spreadsheet may have rounded the times"
        )
    frame["occurrence"] = frame.groupby("open_time").cumcount().astype("int32")
    if "volume_quote" not in frame:
        frame["volume_quote"] = float("nan")
    return frame.assign(
        venue=archive.venue,
        symbol=archive.symbol,
        bin_size=archive.bin_size,
        archive=archive.name,
        source_url=body.source_url,
        download_sha256=body.sha256,
    )[[column.name for column in RAW_CDD_CANDLES.columns]]


class CandleArchives(PinnedDataset):
    """``raw_cdd_candles`` from every declared file; the rows name the exchange."""

    contract: ClassVar[Contract] = RAW_CDD_CANDLES
    venue: ClassVar[str] = "cryptodatadownload"

    def rows(self, archive: PinnedArchive, body: Body) -> pd.DataFrame:
        """See :func:`parse_candles`."""
        return parse_candles(archive, body)
