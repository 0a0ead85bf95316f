"""The list of pinned archives, a user's own list, and reading of files."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from perp_pipeline.contracts.raw_prices import TABLES
from perp_pipeline.sources.base import Body, Request
from perp_pipeline.sources.cme import parse_futures, roll_sessions
from perp_pipeline.sources.cryptodatadownload import parse_candles
from perp_pipeline.sources.databento import settlements, write_settlements
from perp_pipeline.sources.errors import ChecksumMismatch, FormatChanged, PermanentError
from perp_pipeline.sources.pinned import (
    PinnedArchive,
    archives_for,
    fetch_archive,
    load_archives,
    parse_archive,
    read_list,
)

OFFLINE = cast(Any, None)
RATES = PinnedArchive(
    name="rates",
    table="raw_pinned_funding",
    venue="bitmex",
    symbol="XBTUSD",
    url="https://example.com/rates.csv",
    sha256="0" * 64,
    time_column="timestamp",
    time_unit="s",
    time_means="instant",
    columns={"rate": "funding_rate"},
)
ENTRY = """
[[archive]]
name = "own"
table = "raw_cdd_candles"
venue = "kraken"
symbol = "BTCUSD"
bin_size = "1h"
url = "own.csv"
time_column = "when"
time_unit = "text"
time_format = "%d.%m.%Y %H:%M"
time_zone = "Europe/Berlin"
time_means = "bar_close"
columns = { open = "o", high = "h", low = "l", close = "c", volume_base = "v" }
"""
ROWS = "when,o,h,l,c,v\n01.07.2024 02:00,10,12,9,11,3\n01.01.2024 01:00,10,12,9,11,3\n"


@pytest.fixture
def own_list(tmp_path: Path) -> Path:
    (tmp_path / "own.csv").write_text(ROWS)
    path = tmp_path / "archives.toml"
    path.write_text(ENTRY)
    return path


def only(archives: tuple[PinnedArchive, ...]) -> PinnedArchive:
    (archive,) = (item for item in archives if item.name == "own")
    return archive


def candles(archive: PinnedArchive) -> pd.DataFrame:
    return parse_candles(archive, fetch_archive(OFFLINE, archive))


def test_the_declared_list_is_complete() -> None:
    archives = load_archives()
    assert len({archive.name for archive in archives}) == len(archives) > 10
    assert all(len(archive.sha256) == 64 and archive.url.startswith("https://") for archive in archives)
    hourly = archives_for(archives, "raw_cdd_candles", "gemini", "ETHUSD")
    assert [archive.columns["volume_base"] for archive in hourly] == ["Volume ETH"]
    for table in TABLES[:2]:
        names = {column.name for column in table.columns} | {"f1", "f2"}
        assert all(set(archive.columns) <= names for archive in archives_for(archives, table.name))


def test_a_users_file_is_a_source_like_any_other(own_list: Path) -> None:
    frame = candles(only(load_archives(own_list)))
    # Bar ends in Berlin: 2 hours ahead of UTC in July, 1 in January; the raw table has bar starts.
    assert [str(time) for time in frame["open_time"]] == [
        "2024-06-30 23:00:00+00:00",
        "2023-12-31 23:00:00+00:00",
    ]
    assert frame["source_url"].str.startswith("file://").all()


def test_an_entry_of_the_same_name_replaces_the_declared_one(own_list: Path) -> None:
    own_list.write_text(ENTRY.replace('"own"', '"cdd_gemini_btcusd_1h"'))
    load_archives.cache_clear()
    archives = load_archives(own_list)
    assert len(archives) == len(load_archives())
    assert next(a for a in archives if a.name == "cdd_gemini_btcusd_1h").venue == "kraken"


def test_a_changed_local_file_is_refused(own_list: Path) -> None:
    archive = replace(only(load_archives(own_list)), sha256=hashlib.sha256(ROWS.encode()).hexdigest())
    assert len(candles(archive)) == 2
    (own_list.parent / "own.csv").write_text(ROWS.replace("11", "12"))
    with pytest.raises(ChecksumMismatch, match=r"archive own.*own\.csv"):
        candles(archive)


def test_a_missing_local_file_is_a_clear_error(own_list: Path) -> None:
    (own_list.parent / "own.csv").unlink()
    with pytest.raises(PermanentError, match="cannot read"):
        candles(only(load_archives(own_list)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('time_zone = "Europe/Berlin"|time_zone = "Mars/Olympus"', "unknown time_zone"),
        ('time_unit = "text"|time_unit = "minutes"', "not one of s, ms"),
        ('url = "own.csv"|url = "https://example.com/own.csv"', "needs its sha256"),
        ('venue = "kraken"|vneue = "kraken"', "unknown field vneue"),
        ('symbol = "BTCUSD"|', "symbol"),
    ],
)
def test_a_malformed_entry_is_named(change: str, message: str) -> None:
    before, after = change.split("|")
    with pytest.raises(ValueError, match=message) as caught:
        read_list(ENTRY.replace(before, after), origin="mine.toml")
    assert "mine.toml" in str(caught.value)
    assert "own" in str(caught.value)


def test_an_hour_that_the_clock_repeats_is_refused(own_list: Path) -> None:
    archive = only(load_archives(own_list))
    with pytest.raises(FormatChanged, match=r"line 2: when = '27.10.2024 02:30'"):
        parse_archive(archive, b"when,o,h,l,c,v\n27.10.2024 02:30,1,1,1,1,1\n")


def test_seconds_and_milliseconds_in_one_file() -> None:
    archive = replace(RATES, time_unit="s_or_ms", columns={"rate": "rate"})
    frame = parse_archive(archive, b"timestamp,rate\n1609286400000,0.1\n1444309200,0.2\n")
    assert [str(time) for time in frame["time"]] == ["2020-12-30 00:00:00+00:00", "2015-10-08 13:00:00+00:00"]


@pytest.mark.parametrize(
    "body", [b"", b"a,b\n1,2\n", b"timestamp,funding_rate\n", b"<html><body>Sorry</body></html>"]
)
def test_what_is_not_the_declared_file_is_refused(body: bytes) -> None:
    with pytest.raises(FormatChanged, match="archive rates"):
        parse_archive(RATES, body)


def test_a_value_that_does_not_read_is_named_by_line() -> None:
    with pytest.raises(FormatChanged, match=r"line 3: funding_rate = 'n/a'"):
        parse_archive(RATES, b"timestamp,funding_rate\n1463227200,0.1\n1463227201,n/a\n")


def body_of(text: str) -> Body:
    content = text.encode()
    return Body(Request(RATES.url), content, hashlib.sha256(content).hexdigest(), 200, datetime.now(UTC))


def futures_archive(**changes: Any) -> PinnedArchive:
    (archive,) = archives_for(load_archives(), "raw_cme_futures")
    return replace(archive, **changes)


def test_futures_by_place_carry_the_roll_rule_of_their_date() -> None:
    archive = futures_archive()
    frame = parse_futures(
        archive, body_of("date,f1_close,f2_close\n2020-01-02,7000,7050\n2021-01-04,32000,\n")
    )
    assert frame[["instrument", "settle"]].values.tolist() == [
        ["f1", 7000.0],
        ["f1", 32000.0],
        ["f2", 7050.0],
    ]
    assert frame["roll_sessions"].tolist() == [2, 1, 2]
    assert roll_sessions(replace(archive, rolls=()), frame["trade_date"]).tolist() == [0, 0, 0]


def test_futures_by_contract_need_no_roll_rule() -> None:
    archive = futures_archive(columns={"contract": "sym", "settle": "px"})
    frame = parse_futures(archive, body_of("date,sym,px\n2024-01-10,BTCF4,46000\n"))
    assert frame[["instrument", "settle"]].values.tolist() == [["BTCF4", 46000.0]]
    assert frame["roll_sessions"].isna().all()


def test_futures_of_no_known_form_or_printed_twice_are_refused() -> None:
    with pytest.raises(FormatChanged, match="map f1 and f2, or contract and settle"):
        parse_futures(
            futures_archive(columns={"price": "f1_close"}), body_of("date,f1_close\n2024-01-10,1\n")
        )
    with pytest.raises(FormatChanged, match="f1 of 2024-01-10 is printed twice"):
        parse_futures(futures_archive(), body_of("date,f1_close,f2_close\n2024-01-10,1,2\n2024-01-10,1,2\n"))


def statistics(**columns: Any) -> pd.DataFrame:
    defaults = {
        "ts_event": pd.Timestamp("2024-01-10 22:00", tz="UTC"),
        "ts_ref": pd.Timestamp("2024-01-10", tz="UTC"),
        "price": 46_000.0,
        "stat_type": 3,
        "update_action": 1,
        "stat_flags": 0,
        "symbol": "BTCF4",
    }
    return pd.DataFrame(defaults | columns)


def test_databento_final_settlements_win_over_later_preliminary_ones() -> None:
    frame = statistics(
        price=[46_000.0, 46_005.0, 46_010.0, 1.0, 2.0, 3.0],
        stat_flags=[0, 1, 0, 0, 8, 0],
        ts_event=pd.date_range("2024-01-10 20:00", periods=6, freq="h", tz="UTC"),
        symbol=["BTCF4"] * 3 + ["BTCF4-BTCG4", "BTCF4", "BTCF4"],
        stat_type=[3, 3, 3, 3, 3, 8],
    )
    assert settlements(frame, "BTC")["settle"].tolist() == [46_005.0]


def test_databento_rows_become_a_declared_file(tmp_path: Path) -> None:
    rows = settlements(statistics(symbol=["BTCF4", "BTCG4"], price=[46_000.0, 46_400.0]), "BTC")
    entry = write_settlements(rows, "BTC", tmp_path / "btc.csv")
    (archive,) = read_list(entry, origin="written")
    frame = parse_futures(archive, fetch_archive(OFFLINE, archive))
    assert frame[["instrument", "settle"]].values.tolist() == [["BTCF4", 46_000.0], ["BTCG4", 46_400.0]]


def test_databento_frames_of_another_form_are_refused() -> None:
    with pytest.raises(FormatChanged, match="no column ts_ref"):
        settlements(statistics(symbol=["BTCF4"]).drop(columns="ts_ref"), "BTC")
    with pytest.raises(FormatChanged, match="has no trade date"):
        settlements(statistics(symbol=["BTCF4"], ts_ref=pd.NaT), "BTC")
