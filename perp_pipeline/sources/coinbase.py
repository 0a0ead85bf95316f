"""Coinbase Exchange: hourly candles of dollar pairs, from their listing on.

``/products/{id}/candles`` answers at most 300 candles and refuses to be asked for more; some may lie before
the asked start. Hours without a trade are left out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.spot_candles import SpotCandles, candles
from perp_pipeline.sources.universe import Universe
from perp_pipeline.sources.unpack import parse_json

PRODUCTS = "https://api.exchange.coinbase.com/products"
LONGEST = timedelta(days=12)
"""289 candles with both ends, of 300 at most."""

_NAMES = ("open_time", "low", "high", "open", "close", "volume_base")


def parse_coinbase(content: bytes, symbol: str) -> pd.DataFrame:
    """An answer of /products/{id}/candles: lists of time (s), low, high, open, close, volume, newest first.

    Returns:
        As :func:`~perp_pipeline.sources.spot_candles.candles`.

    Raises:
        TransientError: not JSON, cut off, or values that are not numbers.
        FormatChanged: another form.
    """
    return candles(parse_json(content), _NAMES, 1_000_000)


def _request(symbol: str, start: datetime, end: datetime) -> Request:
    bounds = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    return Request(f"{PRODUCTS}/{symbol}/candles", {"granularity": 3600, **bounds})


def coinbase_spot(universe: Universe) -> SpotCandles:
    """raw_spot_candles of Coinbase."""
    return SpotCandles("coinbase", universe, _request, parse_coinbase, LONGEST)
