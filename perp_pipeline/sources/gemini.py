"""Gemini: recent hourly candles of dollar pairs.

``/v2/candles/{symbol}/1hr`` takes no range: it answers the last two months or so, and what is older is lost
unless it was stored in time. So that each month keeps an answer of its own, the month is written behind a
``#``, the part of an address that is not sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.spot_candles import SpotCandles, candles
from perp_pipeline.sources.universe import Universe
from perp_pipeline.sources.unpack import parse_json

CANDLES = "https://api.gemini.com/v2/candles"
REACH = timedelta(days=62)
"""Months that ended longer ago are not asked for. The documentation does not say how far answers go back."""

_NAMES = ("open_time", "open", "high", "low", "close", "volume_base")


def parse_gemini(content: bytes, symbol: str) -> pd.DataFrame:
    """An answer of /v2/candles/{symbol}/1hr: time (ms), open, high, low, close, volume, newest first.

    Returns:
        As :func:`~perp_pipeline.sources.spot_candles.candles`.

    Raises:
        TransientError: not JSON, cut off, or values that are not numbers.
        FormatChanged: another form.
    """
    return candles(parse_json(content), _NAMES, 1000)


def _request(symbol: str, start: datetime, end: datetime) -> Request:
    return Request(f"{CANDLES}/{symbol.lower()}/1hr#{start:%Y-%m}")


def gemini_spot(universe: Universe) -> SpotCandles:
    """raw_spot_candles of Gemini, a part of which is a month."""
    return SpotCandles("gemini", universe, _request, parse_gemini, timedelta(days=31), REACH)
