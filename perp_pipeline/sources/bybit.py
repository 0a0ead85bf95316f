"""Bybit: funding of linear perpetuals, from REST /v5/market/funding/history (newest first)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.contracts.raw_venues import RAW_BYBIT_FUNDING
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import FormatChanged, IncompleteBody
from perp_pipeline.sources.known_gaps import KnownGaps
from perp_pipeline.sources.monthly import milliseconds, utc_from
from perp_pipeline.sources.rest_funding import RestFunding
from perp_pipeline.sources.rows import numbers, object_rows, require_symbol
from perp_pipeline.sources.universe import Universe
from perp_pipeline.sources.unpack import parse_json

FUNDING = "https://api.bybit.com/v5/market/funding/history"
PAGE = 200
"""Most rows of an answer; a month has 93 payments."""

_EIGHT_HOURS = 8 * 3_600_000_000


def parse_bybit_funding(content: bytes, symbol: str) -> pd.DataFrame:
    """An answer of /v5/market/funding/history.

    Returns:
        timestamp (UTC, ascending), interval_hours (null: not said), rate (fraction per payment).

    Raises:
        TransientError: cut off, other symbols, out of order, or values that are not numbers.
        FormatChanged: another form, or a full page.
    """
    told: Any = parse_json(content)
    result = told.get("result") if isinstance(told, dict) else None
    if not isinstance(result, dict) or told.get("retCode") != 0:
        raise FormatChanged(f"an answer with retCode 0 was expected, the body begins with {content[:80]!r}")
    raw = object_rows(result.get("list"), ("symbol", "fundingRate", "fundingRateTimestamp"))
    require_symbol(raw, symbol)
    if len(raw) >= PAGE:
        raise FormatChanged(f"a month of {symbol} has {PAGE} payments or more: the page is full")
    stamps = numbers(raw, "fundingRateTimestamp")
    if (np.diff(stamps) >= 0).any():
        raise IncompleteBody("rows are not newest first, or repeated")
    frame = pd.DataFrame(
        {"timestamp": utc_from(stamps, 1000), "interval_hours": np.nan, "rate": numbers(raw, "fundingRate")}
    )
    return frame.iloc[::-1].reset_index(drop=True)


def bybit_funding(universe: Universe, gaps: KnownGaps) -> RestFunding:
    """Funding payments of the universe's Bybit instruments, which pay every 8 hours."""
    return RestFunding(
        RAW_BYBIT_FUNDING,
        "bybit",
        universe,
        gaps,
        _request,
        parse_bybit_funding,
        lambda times: np.full(len(times), _EIGHT_HOURS),
        timedelta(days=31),
        clock=("time",),
    )


def _request(symbol: str, start: datetime, end: datetime | None) -> Request:
    bounds = {"startTime": milliseconds(start)} | ({} if end is None else {"endTime": milliseconds(end) - 1})
    return Request(FUNDING, {"category": "linear", "symbol": symbol, **bounds, "limit": PAGE})
