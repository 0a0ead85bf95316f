"""Binance: hourly bars of USD-M futures, perpetual and dated.

Archive files for closed months, REST (``/fapi/v1/klines``) for the open month and for what the archive
lacks. The last bar of a REST answer may still be running, and a dated contract goes on with flat bars after
its delivery.
"""

from __future__ import annotations

from typing import ClassVar

from perp_pipeline.contracts.delivery import RAW_BINANCE_FUTURES_KLINES
from perp_pipeline.contracts.model import Contract
from perp_pipeline.sources.binance_klines import BinanceKlines

KLINES = "https://fapi.binance.com/fapi/v1/klines"


class BinanceFuturesKlines(BinanceKlines):
    """Bars of the universe's Binance futures."""

    contract: ClassVar[Contract] = RAW_BINANCE_FUTURES_KLINES
    markets: ClassVar[tuple[str, ...]] = ("perpetual", "delivery")
    files: ClassVar[str] = "futures/um/monthly/klines"
    addresses: ClassVar[tuple[str, ...]] = (KLINES,)
    page: ClassVar[int] = 1500
