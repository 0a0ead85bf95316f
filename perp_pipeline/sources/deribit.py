"""Deribit: funding of perpetuals by hour, from REST /public/get_funding_rate_history."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.contracts.raw_venues import RAW_DERIBIT_FUNDING
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import FormatChanged
from perp_pipeline.sources.known_gaps import KnownGaps
from perp_pipeline.sources.monthly import milliseconds, utc_from
from perp_pipeline.sources.rest_funding import RestFunding
from perp_pipeline.sources.rows import numbers, object_rows
from perp_pipeline.sources.universe import Universe
from perp_pipeline.sources.unpack import parse_json

FUNDING = "https://www.deribit.com/api/v2/public/get_funding_rate_history"
PAGE = 744
"""Most rows of an answer: 31 days of hours."""

_HOUR = 3_600_000_000


def parse_deribit_funding(content: bytes, symbol: str) -> pd.DataFrame:
    """An answer of get_funding_rate_history, whose rows name no instrument.

    Returns:
        timestamp (UTC, end of the hour), interval_hours (1), rate (interest_1h, fraction of notional),
        interest_8h (fraction per 8 hours), index_price (USD).

    Raises:
        TransientError: cut off, or values that are not numbers.
        FormatChanged: another form.
    """
    told: Any = parse_json(content)
    if not isinstance(told, dict) or "result" not in told:
        raise FormatChanged(f"an answer for {symbol} was expected, the body begins with {content[:80]!r}")
    raw = object_rows(told["result"], ("timestamp", "interest_1h", "interest_8h", "index_price"))
    return pd.DataFrame(
        {
            "timestamp": utc_from(numbers(raw, "timestamp"), 1000),
            "interval_hours": 1.0,
            "rate": numbers(raw, "interest_1h"),
            "interest_8h": numbers(raw, "interest_8h"),
            "index_price": numbers(raw, "index_price"),
        }
    )


def deribit_funding(universe: Universe, gaps: KnownGaps) -> RestFunding:
    """Hourly funding of the universe's Deribit instruments."""
    return RestFunding(
        RAW_DERIBIT_FUNDING,
        "deribit",
        universe,
        gaps,
        _request,
        parse_deribit_funding,
        lambda times: np.full(len(times), _HOUR),
        timedelta(hours=PAGE),
        clock=("usIn", "usOut", "usDiff"),
    )


def _request(symbol: str, start: datetime, end: datetime | None) -> Request:
    # The start is exclusive, the end inclusive.
    bounds = {"start_timestamp": milliseconds(start) - 1}
    if end is not None:
        bounds["end_timestamp"] = milliseconds(end) - 1
    return Request(FUNDING, {"instrument_name": symbol, **bounds})
