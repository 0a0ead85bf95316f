"""Raw tables that only declared archives fill: what no venue serves, and somebody may have a file of."""

from __future__ import annotations

from typing import Final

from perp_pipeline.contracts.checks import increasing, positive
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity
from perp_pipeline.contracts.raw_prices import DOWNLOAD_SHA256, SOURCE_URL

DAY_QUANTITIES: Final = ("volume_usd", "locked_value_usd")
"""Daily statistics of a venue, and the columns that an archive of raw_venue_days may map."""

_VENUE = Column("venue", "string", "Lower-case venue name, as the archive's entry says.")
_SYMBOL = Column("symbol", "string", "The venue's symbol, as the archive's entry says.")
_BASE = Column("base", "string", "Asset whose price it follows (BTC, ETH).")

RAW_VENUE_DAYS = Contract(
    name="raw_venue_days",
    doc=(
        "What a venue traded and held by day, all its markets together: volume_usd, locked_value_usd. From "
        'declared archives alone (table = "raw_venue_days", columns volume_usd and locked_value_usd).'
    ),
    grain="one quantity of one venue on one day",
    key=("venue", "quantity", "day"),
    time="day",
    columns=(
        _VENUE,
        Column("quantity", "string", "What is measured.", values=DAY_QUANTITIES),
        Column("day", "date", "Day as the file prints it."),
        Column("value", "float64", "The day's value.", unit="USD", low=0.0),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
    may_be_empty=True,
    checks=(increasing("day", by=("venue", "quantity")),),
)

RAW_PERP_PRICES = Contract(
    name="raw_perp_prices",
    doc=(
        "Prices of a perpetual beside the spot or index price of the same moment, for venues without a "
        'source of their own. From declared archives alone (table = "raw_perp_prices", columns perp_price '
        "and spot_price, constants base)."
    ),
    grain="one moment of one symbol",
    key=("venue", "symbol", "time"),
    time="time",
    columns=(
        _VENUE,
        _SYMBOL,
        _BASE,
        Column("time", "timestamp", "Moment of both prices."),
        Column("perp_price", "float64", "The perpetual.", unit="USD"),
        Column("spot_price", "float64", "Spot or index.", unit="USD"),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
    may_be_empty=True,
    checks=(
        increasing("time", by=("venue", "symbol")),
        positive("perp_price", "spot_price"),
        RowCheck(
            "perp_near_spot",
            "The perpetual is within a fifth of spot.",
            lambda frame: (frame["perp_price"] / frame["spot_price"] - 1.0).abs() < 0.2,
            "Columns mapped wrongly, or prices in different units.",
            Severity.WARN,
        ),
    ),
)

RAW_TRADES = Contract(
    name="raw_trades",
    doc=(
        "Single trades in the order in which they were made. From declared archives alone (table = "
        '"raw_trades", column price, constants base).'
    ),
    grain="one trade",
    key=("venue", "symbol", "time", "place"),
    time="time",
    columns=(
        _VENUE,
        _SYMBOL,
        _BASE,
        Column("time", "timestamp", "When it was made."),
        Column(
            "place", "int64", "Its place in the file, oldest first: trades of one moment keep their order."
        ),
        Column("price", "float64", "Price.", unit="quote currency per unit of base"),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
    may_be_empty=True,
    checks=(positive("price"),),
)

TABLES: tuple[Contract, ...] = (RAW_VENUE_DAYS, RAW_PERP_PRICES, RAW_TRADES)
