"""Tables that only declared archives fill: daily statistics of venues, perp beside spot prices, trades.

No archive of these is declared in the project; ``archives.toml`` says how an entry of a user's own looks.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_declared import (
    DAY_QUANTITIES,
    RAW_PERP_PRICES,
    RAW_TRADES,
    RAW_VENUE_DAYS,
)
from perp_pipeline.sources.base import Body
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.monthly import signed
from perp_pipeline.sources.pinned import PinnedArchive, parse_archive
from perp_pipeline.sources.pinned_dataset import PinnedDataset


def parse_venue_days(archive: PinnedArchive, content: bytes) -> pd.DataFrame:
    """A file of a venue's volume or locked value by day.

    Returns:
        venue, quantity, day (naive date), value (USD); days without a value are left out.

    Raises:
        FormatChanged: another form, a column that is no quantity, a negative value, or a day twice.
    """
    wide = parse_archive(archive, content, allow_missing=True)
    if unknown := sorted(set(wide.columns) - {"time", *DAY_QUANTITIES}):
        raise FormatChanged(
            f"{archive.label}: the table has {', '.join(DAY_QUANTITIES)}, the entry maps {', '.join(unknown)}"
        )
    wide["day"] = wide.pop("time").dt.tz_localize(None).dt.normalize().astype("datetime64[us]")
    if (twice := wide["day"].duplicated()).any():
        raise FormatChanged(f"{archive.label}: {wide['day'][twice].iloc[0]:%Y-%m-%d} comes twice")
    rows = wide.melt(id_vars="day", var_name="quantity", value_name="value").dropna(subset=["value"])
    if (rows["value"] < 0).any():
        raise FormatChanged(f"{archive.label}: a value below zero")
    return rows.astype({"quantity": "str"}).assign(venue=archive.venue).reset_index(drop=True)


def parse_perp_prices(archive: PinnedArchive, content: bytes) -> pd.DataFrame:
    """A file of a perpetual's price beside spot.

    Returns:
        venue, symbol, base, time (UTC), perp_price, spot_price.

    Raises:
        FormatChanged: another form, a price that is not above zero, or a moment that comes twice.
    """
    rows = _based(archive, parse_archive(archive, content, text=("base",)), "perp_price", "spot_price")
    if (twice := rows["time"].duplicated()).any():
        raise FormatChanged(f"{archive.label}: {rows['time'][twice].iloc[0]} comes twice")
    return rows


def parse_trades(archive: PinnedArchive, content: bytes) -> pd.DataFrame:
    """A file of trades, oldest or newest first.

    Returns:
        venue, symbol, base, time (UTC), place, price.

    Raises:
        FormatChanged: another form, or a price that is not above zero.
    """
    rows = _based(archive, parse_archive(archive, content, text=("base",)), "price")
    if rows["time"].iloc[0] > rows["time"].iloc[-1]:
        rows = rows[::-1]
    rows = rows.sort_values("time", kind="stable", ignore_index=True)
    return rows.assign(place=np.arange(len(rows), dtype=np.int64))


def _based(archive: PinnedArchive, rows: pd.DataFrame, *prices: str) -> pd.DataFrame:
    """Rows with their venue and symbol, and the prices that the table must have."""
    if missing := [name for name in ("base", *prices) if name not in rows]:
        raise FormatChanged(
            f"{archive.label}: the archive's entry maps no {', '.join(missing)} (columns or constants)"
        )
    if (rows[list(prices)] <= 0).any(axis=None):
        raise FormatChanged(f"{archive.label}: a price that is not above zero")
    return rows[["base", "time", *prices]].assign(venue=archive.venue, symbol=archive.symbol)


class VenueDays(PinnedDataset):
    """All declared files of daily statistics."""

    contract: ClassVar[Contract] = RAW_VENUE_DAYS

    def rows(self, archive: PinnedArchive, body: Body) -> pd.DataFrame:
        """See :func:`parse_venue_days`."""
        return signed(parse_venue_days(archive, body.content), body)


class PerpPrices(PinnedDataset):
    """All declared files of perp and spot prices."""

    contract: ClassVar[Contract] = RAW_PERP_PRICES

    def rows(self, archive: PinnedArchive, body: Body) -> pd.DataFrame:
        """See :func:`parse_perp_prices`."""
        return signed(parse_perp_prices(archive, body.content), body)


class Trades(PinnedDataset):
    """All declared files of trades."""

    contract: ClassVar[Contract] = RAW_TRADES

    def rows(self, archive: PinnedArchive, body: Body) -> pd.DataFrame:
        """See :func:`parse_trades`."""
        return signed(parse_trades(archive, body.content), body)
