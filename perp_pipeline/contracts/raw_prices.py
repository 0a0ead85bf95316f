"""Raw tables of prices and rates: candles from files and by REST, futures closes, FRED."""

from __future__ import annotations

import pandas as pd

from perp_pipeline.contracts.checks import gap_free, not_frozen, ohlc_ordered, on_grid, positive
from perp_pipeline.contracts.model import Column, Contract, RowCheck, Severity

SOURCE_URL = Column("source_url", "string", "Address that the body came from.")
DOWNLOAD_SHA256 = Column("download_sha256", "string", "SHA-256 of the body, in hex.")

_CANDLE_SERIES = ("venue", "symbol", "bin_size", "archive")


def _one_bar_a_time(frame: pd.DataFrame) -> pd.Series:
    first: pd.Series = frame["occurrence"] == 0
    return first


def _one_bar_a_day(frame: pd.DataFrame) -> pd.Series:
    day = frame["open_time"].dt.floor("D")
    daily = frame["bin_size"] == "1d"
    keys = frame[list(_CANDLE_SERIES)].assign(day=day)
    doubled: pd.Series = daily & keys.duplicated(keep=False)
    return ~doubled


def _day_starts_at_midnight(frame: pd.DataFrame) -> pd.Series:
    good: pd.Series = (frame["bin_size"] != "1d") | (frame["open_time"].dt.hour == 0)
    return good


def _volumes_in_order(frame: pd.DataFrame) -> pd.Series:
    """Quote volume over base volume is the average price, so it lies inside the bar."""
    vwap = frame["volume_quote"] / frame["volume_base"].where(frame["volume_base"] > 0)
    return vwap.isna() | ((vwap > frame["low"] * 0.5) & (vwap < frame["high"] * 2))


RAW_CDD_CANDLES = Contract(
    name="raw_cdd_candles",
    doc="Candles of archived CSV files (CryptoDataDownload, a user's own), as the files print them.",
    grain="one line of one file",
    key=(*_CANDLE_SERIES, "open_time", "occurrence"),
    time="open_time",
    columns=(
        Column("venue", "string", "Exchange that the prices are of."),
        Column("symbol", "string", "The venue's symbol."),
        Column("bin_size", "string", "Length of the bar.", values=("1h", "1d")),
        Column("archive", "string", "Name of the file in the list of pinned archives."),
        Column("open_time", "timestamp", "Start of the bar, UTC, converted from the file's unit and zone."),
        Column(
            "occurrence",
            "int32",
            "0 for the first line of the file with this time, 1 for the second, and so on.",
            unit="count",
            low=0,
        ),
        Column("open", "float64", "First price.", unit="quote currency per coin"),
        Column("high", "float64", "Highest price.", unit="quote currency per coin"),
        Column("low", "float64", "Lowest price.", unit="quote currency per coin"),
        Column("close", "float64", "Last price.", unit="quote currency per coin"),
        Column(
            "volume_base",
            "float64",
            "Traded volume, from the column that the file's heading calls the coin's.",
            unit="coins",
            low=0,
        ),
        Column(
            "volume_quote",
            "float64",
            "Traded value, from the column that the file's heading calls the quote currency's.",
            unit="quote currency",
            nullable=True,
            low=0,
        ),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
    checks=(
        positive("open", "high", "low", "close", severity=Severity.WARN),
        ohlc_ordered(severity=Severity.WARN),
        on_grid("open_time", 1.0),
        not_frozen("close", by=_CANDLE_SERIES, rows=12),
        RowCheck(
            "one_bar_a_time",
            "No line repeats the time of an earlier line of the file.",
            _one_bar_a_time,
            "The file repeats rows; core_spot_1h keeps one of equal ones and leaves out those that differ.",
            Severity.WARN,
        ),
        RowCheck(
            "one_bar_a_day",
            "A daily file has one row a day.",
            _one_bar_a_day,
            "Two days of different boundaries overlap: use the hourly file.",
            Severity.WARN,
        ),
        RowCheck(
            "day_starts_at_midnight",
            "Daily bars start at 00:00 UTC.",
            _day_starts_at_midnight,
            "The file changes its day boundary: its daily closes are not of one hour; use the hourly file.",
            Severity.WARN,
        ),
        RowCheck(
            "volumes_in_order",
            "Quote volume over base volume is near the price.",
            _volumes_in_order,
            "The two volume columns are swapped at the source; core_spot_1h puts them right.",
            Severity.WARN,
        ),
    ),
)


RAW_SPOT_CANDLES = Contract(
    name="raw_spot_candles",
    doc=(
        "Hourly candles of dollar spot venues by REST: Coinbase from its listings on, Bitstamp from where "
        "its archived files end, Gemini as far back as it answered. Bars that are over only; hours that a "
        "venue leaves out are missing."
    ),
    grain="one bar of one pair",
    key=("venue", "symbol", "open_time"),
    time="open_time",
    columns=(
        Column("venue", "string", "Exchange.", values=("coinbase", "bitstamp", "gemini")),
        Column("symbol", "string", "The venue's symbol."),
        Column("open_time", "timestamp", "Start of the bar (UTC)."),
        Column("open", "float64", "First price.", unit="quote currency per coin"),
        Column("high", "float64", "Highest price.", unit="quote currency per coin"),
        Column("low", "float64", "Lowest price.", unit="quote currency per coin"),
        Column("close", "float64", "Last price.", unit="quote currency per coin"),
        Column("volume_base", "float64", "Traded volume.", unit="coins", low=0),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
    checks=(
        positive("open", "high", "low", "close", severity=Severity.WARN),
        ohlc_ordered(severity=Severity.WARN),
        on_grid("open_time", 1.0),
        gap_free("open_time", by=("venue", "symbol"), hours=1.0),
        not_frozen("close", by=("venue", "symbol"), rows=12),
    ),
)


def _same_price_as_before(frame: pd.DataFrame) -> pd.Series:
    series = ["product", "archive", "instrument"]
    order = frame.sort_values([*series, "trade_date"])
    frozen = order["settle"].eq(order.groupby(series, sort=False)["settle"].shift())
    # Equal closes of one series happen; those of all series of a file on one day are a copied row.
    days = [order["product"], order["archive"], order["trade_date"]]
    copied = frozen.groupby(days).transform("all") & (frozen.groupby(days).transform("size") > 1)
    return ~copied.reindex(frame.index)


RAW_CME_FUTURES = Contract(
    name="raw_cme_futures",
    doc=(
        "Daily settlement prices of CME bitcoin futures, by contract or by place on the curve, as the file "
        "says: a pinned public copy, a user's own CSV, or settlements bought from Databento."
    ),
    grain="one price of one instrument on one trade date in one file",
    key=("product", "trade_date", "archive", "instrument"),
    time="trade_date",
    columns=(
        Column("product", "string", "Product code, for example BTC (5 bitcoin) or MBT (0.1)."),
        Column("trade_date", "date", "Date that the file prints; see core_cme_curve for what it means."),
        Column("archive", "string", "Name of the file in the list of pinned archives."),
        Column("instrument", "string", "f1, f2 (first and second month) or a contract such as BTCZ24."),
        Column("settle", "float64", "Settlement price.", unit="USD per bitcoin"),
        Column(
            "roll_sessions",
            "int32",
            "For f1, f2: so many sessions before a contract's last trading day f1 is the next one already.",
            unit="sessions",
            nullable=True,
            low=-1,
            high=10,
        ),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
    checks=(
        positive("settle", severity=Severity.WARN),
        RowCheck(
            "row_not_copied",
            "The prices of a day are not all equal to those of the day before.",
            _same_price_as_before,
            "A copied row, or a quiet day with a tick of 5 USD: compare with the spot of both days.",
            Severity.WARN,
        ),
    ),
)


RAW_FRED = Contract(
    name="raw_fred",
    doc="US dollar reference rates as FRED prints them, days without a value included.",
    grain="one day of one series",
    key=("series", "day"),
    time="day",
    columns=(
        Column("series", "string", "FRED's name: DTB3 (3-month bill, bank discount) or DFF (federal funds)."),
        Column("day", "date", "Day of the observation."),
        Column(
            "percent",
            "float64",
            "The rate; missing on days without an observation.",
            unit="percent a year",
            nullable=True,
            low=-2,
            high=25,
        ),
        SOURCE_URL,
        DOWNLOAD_SHA256,
    ),
)

TABLES = (RAW_CDD_CANDLES, RAW_SPOT_CANDLES, RAW_CME_FUTURES, RAW_FRED)
