"""Bitstamp: hourly candles of dollar pairs, from where the archived files end.

``/api/v2/ohlc/{pair}/`` answers at most 1000 candles, ascending. Of start and end, the documentation lets
the end count where both are given: an answer may begin before the month.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import FormatChanged, IncompleteBody
from perp_pipeline.sources.rows import object_rows
from perp_pipeline.sources.spot_candles import SpotCandles, candles
from perp_pipeline.sources.universe import Universe
from perp_pipeline.sources.unpack import parse_json

OHLC = "https://www.bitstamp.net/api/v2/ohlc"
PAGE = 1000

_MEMBERS = ("timestamp", "open", "high", "low", "close", "volume")
_NAMES = ("open_time", "open", "high", "low", "close", "volume_base")


def parse_bitstamp(content: bytes, symbol: str) -> pd.DataFrame:
    """An answer of /api/v2/ohlc/{pair}/: ``data.pair`` and ``data.ohlc``, rows of timestamp (s) and texts.

    Returns:
        As :func:`~perp_pipeline.sources.spot_candles.candles`.

    Raises:
        TransientError: not JSON, cut off, another pair, or values that are not numbers.
        FormatChanged: another form.
    """
    answer: Any = parse_json(content)
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or not {"pair", "ohlc"} <= data.keys():
        raise FormatChanged(f"data.pair and data.ohlc were expected, not {content[:80]!r}")
    pair = str(data["pair"])
    if pair.replace("/", "").upper() != symbol:
        raise IncompleteBody(f"candles of {pair} came where {symbol} was asked for")
    raw = object_rows(data["ohlc"], _MEMBERS)
    return candles(raw.to_numpy(dtype=object).tolist(), _NAMES, 1_000_000)


def _request(symbol: str, start: datetime, end: datetime) -> Request:
    bounds = {"start": int(start.timestamp()), "end": int(end.timestamp())}
    return Request(f"{OHLC}/{symbol.lower()}/", {"step": 3600, "limit": PAGE, **bounds})


def bitstamp_spot(universe: Universe) -> SpotCandles:
    """raw_spot_candles of Bitstamp. A month's 744 candles fit an answer."""
    return SpotCandles("bitstamp", universe, _request, parse_bitstamp, timedelta(days=31))
