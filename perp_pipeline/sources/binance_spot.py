"""Binance: hourly spot bars.

Archive files for closed months; REST (``/api/v3/klines``, at most 1000 bars an answer, weight 2) for the open
month and for the first days after a month, when its file is not out yet.
"""

from __future__ import annotations

from typing import ClassVar

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_funding import RAW_BINANCE_SPOT_1H
from perp_pipeline.sources.binance_klines import BinanceKlines

HOSTS = ("api.binance.com", "data-api.binance.vision")
"""The API, which does not answer some countries (451), and the keyless address for market data alone that
its documentation names: the same paths and bodies."""


class BinanceSpot(BinanceKlines):
    """Hourly spot bars of the universe's Binance pairs."""

    contract: ClassVar[Contract] = RAW_BINANCE_SPOT_1H
    markets: ClassVar[tuple[str, ...]] = ("spot",)
    files: ClassVar[str] = "spot/monthly/klines"
    addresses: ClassVar[tuple[str, ...]] = tuple(f"https://{host}/api/v3/klines" for host in HOSTS)
    page: ClassVar[int] = 1000
