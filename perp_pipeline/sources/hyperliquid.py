"""Hyperliquid: funding with the premium that set it, from POST /info fundingHistory."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.contracts.raw_venues import RAW_HYPERLIQUID_FUNDING
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.complete import times_of
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.known_gaps import KnownGaps
from perp_pipeline.sources.monthly import milliseconds, utc_from
from perp_pipeline.sources.rest_funding import RestFunding
from perp_pipeline.sources.rows import json_rows, numbers, require_symbol
from perp_pipeline.sources.universe import Universe
from perp_pipeline.sources.unpack import parse_json

INFO = "https://api.hyperliquid.xyz/info"
PAGE = 500
"""Most rows of an answer."""

HOURLY_AFTER = pd.Timestamp("2023-06-08 00:00", tz="UTC")
"""The last payment for 8 hours; hourly ones follow."""

_LONGEST = timedelta(days=16)
"""Half a month: 384 hourly rows."""

_HOUR = 3_600_000_000
_HOURLY_FROM = int(HOURLY_AFTER.timestamp()) * 1_000_000 + _HOUR // 2


def parse_hyperliquid_funding(content: bytes, coin: str) -> pd.DataFrame:
    """An answer of fundingHistory.

    Returns:
        timestamp (UTC), interval_hours, rate (fraction per payment), premium (fraction of the index; null
        where the row has none).

    Raises:
        TransientError: cut off, another coin, or values that are not numbers.
        FormatChanged: another form.
    """
    rows: Any = parse_json(content)
    if not isinstance(rows, list):
        raise FormatChanged(f"a list of rows was expected, the body begins with {content[:80]!r}")
    raw = json_rows(content, ("coin", "fundingRate", "time")).rename(columns={"coin": "symbol"})
    require_symbol(raw, coin)
    raw["premium"] = pd.Series([row.get("premium") for row in rows], index=raw.index, dtype=object)
    stamps = utc_from(numbers(raw, "time"), 1000)
    return pd.DataFrame(
        {
            "timestamp": stamps,
            "interval_hours": np.where(times_of(stamps) < _HOURLY_FROM, 8.0, 1.0),
            "rate": numbers(raw, "fundingRate"),
            "premium": numbers(raw, "premium", missing=(None,)),
        }
    )


def steps_of(times: np.ndarray) -> np.ndarray:
    """Microseconds from the payment before, by the venue's schedule at the time, and half an hour in the
    months of 8-hour payments: the one of 2023-05-23 08:00 is stamped 08:23."""
    return np.where(times < _HOURLY_FROM, 8 * _HOUR + _HOUR // 2, _HOUR)


def hyperliquid_funding(universe: Universe, gaps: KnownGaps) -> RestFunding:
    """Funding payments of the universe's Hyperliquid instruments."""
    return RestFunding(
        RAW_HYPERLIQUID_FUNDING,
        "hyperliquid",
        universe,
        gaps,
        _request,
        parse_hyperliquid_funding,
        steps_of,
        _LONGEST,
        ascending=True,
    )


def _request(coin: str, start: datetime, end: datetime | None) -> Request:
    bounds = {"startTime": milliseconds(start)}
    if end is not None:
        bounds["endTime"] = milliseconds(end) - 1
    return Request(INFO, method="POST", payload={"type": "fundingHistory", "coin": coin, **bounds})
