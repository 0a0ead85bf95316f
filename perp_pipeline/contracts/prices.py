"""Spot prices and returns, cleaned."""

from __future__ import annotations

import pandas as pd

from perp_pipeline.contracts.checks import (
    agrees_across,
    gap_free,
    increasing,
    no_jump,
    not_frozen,
    ohlc_ordered,
    on_grid,
    positive,
)
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity

SPOT_GAP = 0.02
"""A venue's hourly close further than this (fraction) from the median over venues is worth a look."""

CORE_SPOT_1H = Contract(
    name="core_spot_1h",
    doc=(
        "Hourly spot candles by venue. Bars with a zero price, bars that contradict themselves and "
        "repeated bars that differ are left out and named; hours without a bar are not filled."
    ),
    grain="one hour of one coin at one venue",
    key=("venue", "base", "bar_start"),
    time="bar_start",
    partition_by=("venue",),
    columns=(
        Column(
            "venue", "string", "Exchange: binance, bitstamp, gemini, coinbase, or the venue of a user's file."
        ),
        Column("base", "string", "Coin.", values=("BTC", "ETH")),
        Column("bar_start", "timestamp", "Start of the hour (UTC)."),
        Column("quote", "string", "Currency of the prices. USDT is not USD.", values=("USD", "USDT")),
        Column("open", "float64", "First price.", unit="quote currency per coin", low=1, high=10_000_000),
        Column("high", "float64", "Highest price.", unit="quote currency per coin", low=1, high=10_000_000),
        Column("low", "float64", "Lowest price.", unit="quote currency per coin", low=1, high=10_000_000),
        Column("close", "float64", "Last price.", unit="quote currency per coin", low=1, high=10_000_000),
        Column("volume_base", "float64", "Traded volume.", unit="coins", low=0),
    ),
    checks=(
        positive("open", "high", "low", "close"),
        ohlc_ordered(),
        on_grid("bar_start", 1.0),
        increasing("bar_start", by=("venue", "base")),
        gap_free("bar_start", by=("venue", "base"), hours=1.0),
        not_frozen("close", by=("venue", "base"), rows=12),
        no_jump("close", by=("venue", "base"), factor=1.35),
        agrees_across("close", "venue", at=("base", "bar_start"), limit=SPOT_GAP, relative=True),
    ),
)


def _return_is_of_the_closes(frame: pd.DataFrame) -> pd.Series:
    """ret_8h is the ratio of closes wherever the row before is of the same venue and 8 h earlier."""
    before = frame.shift()
    comparable = (
        (before["base"] == frame["base"])
        & (before["source_venue"] == frame["source_venue"])
        & (frame["window_end"] - before["window_end"] == pd.Timedelta(hours=8))
    )
    expected = frame["close"] / before["close"] - 1
    return ~comparable | ((frame["ret_8h"] - expected).abs() < 1e-9)


CORE_RETURNS_8H = Contract(
    name="core_returns_8h",
    doc=(
        "Spot returns on the 8-hour grid of funding. Both closes of a return are of one venue: binance "
        "where it has them, else bitstamp, else gemini, else coinbase. Where the venue changes from one "
        "window to the next, each return is still within its own: closes of two venues are never compared. A "
        "window that no venue has both closes of is left out."
    ),
    grain="one coin and 8-hour window (00, 08, 16 UTC, named by its end)",
    key=("base", "window_end"),
    time="window_end",
    columns=(
        Column("base", "string", "Coin.", values=("BTC", "ETH")),
        Column("window_end", "timestamp", "End of the window (UTC)."),
        Column(
            "close",
            "float64",
            "Last price of the hour that ends at window_end.",
            unit="quote currency of source_venue per coin",
            low=1,
            high=10_000_000,
        ),
        Column(
            "ret_8h",
            "float64",
            "close / close 8 hours before - 1, at one venue.",
            unit="fraction per 8 hours",
            low=-0.6,
            high=1.0,
        ),
        Column("source_venue", "string", "Venue of both closes."),
    ),
    checks=(
        positive("close"),
        on_grid("window_end", 8.0),
        increasing("window_end", by=("base",)),
        gap_free("window_end", by=("base",), hours=8.0),
        not_frozen("ret_8h", by=("base",), rows=3),
        RowCheck(
            "return_is_of_the_closes",
            "ret_8h is the ratio of the two closes.",
            _return_is_of_the_closes,
            "The builder mixed venues or windows.",
        ),
        RowCheck(
            "return_below_a_third",
            "The price moves by less than a third in 8 hours.",
            lambda frame: frame["ret_8h"].abs() < 1 / 3,
            "Rare but real (12 March 2020): compare with a second venue.",
            Severity.WARN,
        ),
    ),
)

TABLES = (CORE_SPOT_1H, CORE_RETURNS_8H)
