"""Binance futures bars, and futures that deliver beside the perpetual."""

from __future__ import annotations

import pandas as pd

from perp_pipeline.contracts.checks import (
    gap_free,
    no_jump,
    not_frozen,
    ohlc_ordered,
    on_grid,
    ordered,
    positive,
)
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.raw_prices import DOWNLOAD_SHA256, SOURCE_URL

_SYMBOL = Column(
    "symbol", "string", "The venue's symbol; a dated contract ends in its delivery day, _YYMMDD."
)


def _price(name: str, doc: str, nullable: bool = False) -> Column:
    return Column(name, "float64", doc, unit="USDT per unit of base", nullable=nullable)


RAW_BINANCE_FUTURES_KLINES = Contract(
    name="raw_binance_futures_klines",
    doc=(
        "Hourly bars of Binance USD-M futures, perpetual and dated: monthly archive files of "
        "data.binance.vision, REST for the open month and where there is no file. Bars that were not over "
        "when they were asked for are left out; bars after delivery, which the venue prints flat, are kept."
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
        Column("volume_base", "float64", "Volume; 0 in copies that lack it.", unit="base asset", low=0),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
    may_be_empty=True,
    checks=(
        on_grid("open_time", 1.0),
        positive("open", "high", "low", "close"),
        ohlc_ordered(),
        gap_free("open_time", by=("symbol",), hours=1.0),
        not_frozen("close", by=("symbol",), rows=12),
        no_jump("close", by=("symbol",), factor=1.5),
    ),
)


def _before_delivery(frame: pd.DataFrame) -> pd.Series:
    return frame["bar_end"] <= frame["expiry"]


def _rate_near(frame: pd.DataFrame) -> pd.Series:
    basis = frame["close"] / frame["spot"] - 1
    return basis.isna() | (basis.abs() < 0.02 + 0.6 * frame["days_to_expiry"] / 365)


CORE_DELIVERY_FUTURES = Contract(
    name="core_delivery_futures",
    doc=(
        "Futures that deliver, every 8 hours (00, 08, 16 UTC) and every hour of the last day, to delivery "
        "at 08:00 UTC, with the spot and the perpetual's price of the same moment at the same venue. "
        "rate_annual = (close / spot - 1) * 365 / days_to_expiry. Delivery itself is not at the last trade "
        "but at the average of the venue's index over the last hour (over the last half hour since "
        "2024-11-11): the last price that is not partly known already is that of 07:00."
    ),
    grain="one contract at one moment",
    key=("venue", "symbol", "bar_end"),
    time="bar_end",
    partition_by=("venue",),
    columns=(
        Column("venue", "string", "Lower-case venue name."),
        _SYMBOL,
        Column("bar_end", "timestamp", "The moment: end of the hourly bars whose closes are taken."),
        Column("base", "string", "Asset that is delivered against."),
        Column("expiry", "timestamp", "Delivery."),
        _price("close", "Price of the future."),
        _price("spot", "Spot price of the same moment; null where the venue has no bar.", nullable=True),
        _price("perp_close", "Price of the perpetual of the same base.", nullable=True),
        Column("days_to_expiry", "float64", "Days to delivery.", unit="days", low=0, high=400),
        Column(
            "rate_annual",
            "float64",
            "Rate that the future implies; null at delivery and where spot is unknown.",
            unit="fraction a year",
            nullable=True,
        ),
    ),
    may_be_empty=True,
    checks=(
        positive("close", "spot", "perp_close"),
        RowCheck(
            "before_delivery",
            "Nothing is later than delivery.",
            _before_delivery,
            "Flat bars after delivery entered: see the rows that the builder keeps out.",
        ),
        RowCheck(
            "future_near_spot",
            "The basis is inside 2 % plus 60 % a year.",
            _rate_near,
            "A wrong contract, or a bar of another hour.",
            Severity.WARN,
        ),
        on_grid("bar_end", 1.0),
        ordered("bar_end", "expiry"),
    ),
)

TABLES: tuple[Contract, ...] = (RAW_BINANCE_FUTURES_KLINES, CORE_DELIVERY_FUTURES)
