"""Raw tables of the funding venues: what Binance and BitMEX said, and the pinned public copies."""

from __future__ import annotations

import pandas as pd

from perp_pipeline.contracts.checks import (
    gap_free,
    no_jump,
    not_frozen,
    ohlc_ordered,
    on_grid,
    one_of,
    positive,
)
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity

INTERVALS = (1.0, 2.0, 4.0, 8.0, 24.0)
"""Hours between payments that perpetual swaps have had."""

LARGEST_RATE = 0.03
"""The widest cap either venue has published: 3 % a payment (Binance altcoins); BTC and ETH stay inside 0.75
%."""

LARGEST_ANYWHERE = 0.04
"""Bound of the venues without a published cap, and of Hyperliquid, whose cap is 4 % an hour."""

_SOURCE_URL = Column("source_url", "string", "Address that the body came from.")
_DOWNLOAD_SHA256 = Column("download_sha256", "string", "SHA-256 of the body, in hex.")
_SYMBOL = Column("symbol", "string", "The venue's symbol.")


def _rate(doc: str) -> Column:
    return Column(
        "rate",
        "float64",
        doc,
        unit="fraction of notional per payment",
        low=-LARGEST_RATE,
        high=LARGEST_RATE,
    )


def _interval(doc: str, nullable: bool) -> Column:
    return Column("interval_hours", "float64", doc, unit="hours", nullable=nullable)


def _price(name: str, doc: str, nullable: bool = False) -> Column:
    return Column(name, "float64", doc, unit="quote currency per unit of base", nullable=nullable)


RAW_BINANCE_FUNDING = Contract(
    name="raw_binance_funding",
    doc=(
        "Funding payments of Binance USD-M perpetuals: monthly archive files of data.binance.vision from "
        "2020-01, REST before that, for the open month and where there is no file."
    ),
    grain="one payment of one symbol",
    key=("symbol", "calc_time"),
    time="calc_time",
    columns=(
        _SYMBOL,
        Column("calc_time", "timestamp", "When the rate was computed and paid; late by up to some 50 ms."),
        _interval(
            "Interval that the archive file states; from a row on at which the interval changes it is the "
            "new one. Null from REST, which does not say.",
            nullable=True,
        ),
        _rate("Rate paid at this time, positive when longs pay shorts."),
        Column(
            "mark_price",
            "float64",
            "Mark price at the payment. Null in archive files, and from REST on old rows.",
            unit="USDT per unit of base",
            nullable=True,
        ),
        _SOURCE_URL,
        _DOWNLOAD_SHA256,
    ),
    checks=(
        on_grid("calc_time", 1.0, tolerance_seconds=60.0, severity=Severity.WARN),
        one_of("interval_hours", INTERVALS),
        positive("mark_price"),
        gap_free("calc_time", by=("symbol",), hours=8.0, slack_seconds=60.0),
    ),
)


def _daily_rate_agrees(frame: pd.DataFrame) -> pd.Series:
    """BitMEX prints the daily rate with six decimals in some years."""
    expected = frame["rate"] * 24 / frame["interval_hours"]
    return frame["rate_daily"].isna() | ((frame["rate_daily"] - expected).abs() <= 2e-6)


RAW_BITMEX_FUNDING = Contract(
    name="raw_bitmex_funding",
    doc="Funding payments of BitMEX perpetuals, from REST /api/v1/funding.",
    grain="one payment of one symbol",
    key=("symbol", "timestamp"),
    time="timestamp",
    columns=(
        _SYMBOL,
        Column("timestamp", "timestamp", "When the rate was paid; it was fixed one interval before."),
        _interval(
            "Interval that the venue states: 24 h for XBTUSD to 2016-06-04 12:00, 8 h since.", nullable=False
        ),
        _rate("Rate paid at this time, positive when longs pay shorts."),
        Column("rate_daily", "float64", "The venue's own rate a day.", unit="fraction of notional a day"),
        _SOURCE_URL,
        _DOWNLOAD_SHA256,
    ),
    # A closed or blocked venue leaves nothing; the pinned copies stand in.
    may_be_empty=True,
    checks=(
        on_grid("timestamp", 8.0, offset_hours=4.0),
        one_of("interval_hours", INTERVALS),
        gap_free("timestamp", by=("symbol",), hours="interval_hours"),
        RowCheck(
            "rate_daily_agrees",
            "rate_daily is rate times 24 over interval_hours.",
            _daily_rate_agrees,
            "The interval or the rate of the row is not what the venue applied: compare with its neighbours.",
            Severity.WARN,
        ),
    ),
)


def _close_in_range(frame: pd.DataFrame) -> pd.Series:
    return (frame["low"] <= frame["close"]) & (frame["close"] <= frame["high"])


def _bar_on_its_grid(frame: pd.DataFrame) -> pd.Series:
    stamps = frame["timestamp"]
    hourly = (frame["bin_size"] == "1h") & (stamps == stamps.dt.floor("h"))
    good: pd.Series = hourly | (stamps == stamps.dt.floor("D"))
    return good


RAW_BITMEX_BUCKETED = Contract(
    name="raw_bitmex_bucketed",
    doc=(
        "Trade bars of BitMEX perpetuals, from REST /api/v1/trade/bucketed. The open of a bar is the close "
        "of the one before it, not its first trade, so it can lie outside low and high; an empty bar "
        "repeats the last close."
    ),
    grain="one bar of one symbol",
    key=("symbol", "bin_size", "timestamp"),
    time="timestamp",
    columns=(
        _SYMBOL,
        Column("bin_size", "string", "Length of the bar.", values=("1h", "1d")),
        Column("timestamp", "timestamp", "END of the bar."),
        _price("open", "Close of the bar before."),
        _price("high", "Highest trade."),
        _price("low", "Lowest trade."),
        _price("close", "Last trade."),
        Column("trades", "int64", "Number of trades.", unit="count", low=0),
        Column("volume", "float64", "Contracts traded.", unit="contracts", low=0),
        _price("vwap", "Average price weighted by size; null in a bar without trades.", nullable=True),
        Column(
            "home_notional", "float64", "Volume in the base asset.", unit="base asset", nullable=True, low=0
        ),
        Column(
            "foreign_notional",
            "float64",
            "Volume in the quote currency.",
            unit="quote currency",
            nullable=True,
            low=0,
        ),
        _SOURCE_URL,
        _DOWNLOAD_SHA256,
    ),
    may_be_empty=True,
    checks=(
        positive("open", "high", "low", "close"),
        RowCheck(
            "bar_on_its_grid",
            "Hourly bars end on the hour, daily bars at 00:00 UTC.",
            _bar_on_its_grid,
            "The time stamp is of another unit or zone.",
        ),
        RowCheck(
            "close_in_range",
            "low <= close <= high.",
            _close_in_range,
            "The bar contradicts itself: compare with a second source.",
            Severity.WARN,
        ),
        not_frozen("close", by=("symbol", "bin_size"), rows=12),
        no_jump("close", by=("symbol", "bin_size"), factor=2.0),
    ),
)

RAW_BINANCE_SPOT_1H = Contract(
    name="raw_binance_spot_1h",
    doc=(
        "Hourly bars of the Binance spot market: from the monthly archive files of data.binance.vision, and "
        "by REST for the open month and until a month's file is out. Bars that are over only."
    ),
    grain="one bar of one symbol",
    key=("symbol", "open_time"),
    time="open_time",
    columns=(
        _SYMBOL,
        Column("open_time", "timestamp", "START of the bar."),
        _price("open", "First trade."),
        _price("high", "Highest trade."),
        _price("low", "Lowest trade."),
        _price("close", "Last trade."),
        Column("volume_base", "float64", "Volume.", unit="base asset", low=0),
        _SOURCE_URL,
        _DOWNLOAD_SHA256,
    ),
    checks=(
        on_grid("open_time", 1.0),
        positive("open", "high", "low", "close"),
        positive("volume_base", severity=Severity.WARN),
        ohlc_ordered(),
        gap_free("open_time", by=("symbol",), hours=1.0),
        not_frozen("close", by=("symbol",), rows=6),
        no_jump("close", by=("symbol",), factor=1.5),
    ),
)

RAW_PINNED_FUNDING = Contract(
    name="raw_pinned_funding",
    doc=(
        "Funding payments from pinned public copies: what stands in for a closed venue, a second opinion on "
        "the others, and the perpetual's price at the payment."
    ),
    grain="one payment of one symbol",
    key=("venue", "symbol", "timestamp"),
    time="timestamp",
    columns=(
        Column("venue", "string", "Venue that paid."),
        _SYMBOL,
        Column("timestamp", "timestamp", "When the rate was paid."),
        _interval("Interval between payments; null where the copy does not say.", nullable=True),
        _rate("Rate paid at this time, positive when longs pay shorts."),
        _price("price", "Price of the perpetual at the payment, as the copy has it.", nullable=True),
        _SOURCE_URL,
        _DOWNLOAD_SHA256,
    ),
    may_be_empty=True,
    checks=(
        on_grid("timestamp", 1.0, tolerance_seconds=60.0),
        one_of("interval_hours", INTERVALS),
        positive("price", severity=Severity.WARN),
        not_frozen("price", by=("venue", "symbol"), rows=5),
        no_jump("price", by=("venue", "symbol"), factor=2.0),
    ),
)

TABLES: tuple[Contract, ...] = (
    RAW_BINANCE_FUNDING,
    RAW_BITMEX_FUNDING,
    RAW_BITMEX_BUCKETED,
    RAW_BINANCE_SPOT_1H,
    RAW_PINNED_FUNDING,
)
