"""Binance: recorded bodies, bad bodies, and the replay server with and without faults."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from funding_wire import NOW, download, http_at, only, stored

from perp_pipeline.contracts.raw_funding import RAW_BINANCE_FUNDING, RAW_BINANCE_SPOT_1H
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.binance import (
    FUNDING_RATE,
    BinanceFunding,
    parse_funding_archive,
    parse_funding_rest,
)
from perp_pipeline.sources.binance_archive import parse_klines
from perp_pipeline.sources.binance_spot import BinanceSpot
from perp_pipeline.sources.errors import (
    FormatChanged,
    IncompleteBody,
    NotServed,
    PermanentError,
    SourceError,
    TransientError,
)
from perp_pipeline.sources.known_gaps import KnownGaps, load_known_gaps

HEADER = "calc_time,funding_interval_hours,last_funding_rate\n"


def zipped(text: str | bytes, name: str = "BTCUSDT-fundingRate-2020-01.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def rest(*rows: dict[str, Any]) -> bytes:
    return json.dumps([{"symbol": "BTCUSDT", "markPrice": "", **row} for row in rows]).encode()


# --- parsers


@pytest.mark.parametrize(
    ("file", "rows", "intervals"),
    [
        ("BTCUSDT-fundingRate-2020-01.csv", 93, {8.0}),
        ("ETHUSDT-fundingRate-2022-06.csv", 90, {8.0}),
        ("AXSUSDT-fundingRate-2026-01.csv", 292, {1.0, 4.0, 8.0}),
        ("IMXUSDT-fundingRate-2023-10.csv", 152, {4.0, 8.0}),
    ],
)
def test_recorded_archive_files(shared: Path, file: str, rows: int, intervals: set[float]) -> None:
    text = (shared / "wire" / "binance" / file).read_bytes()
    frame = parse_funding_archive(zipped(text, file), file.split("-", maxsplit=1)[0])
    assert len(frame) == rows
    assert set(frame["interval_hours"]) == intervals
    by_hand = pd.read_csv(io.BytesIO(text))
    assert frame["rate"].tolist() == by_hand["last_funding_rate"].tolist()
    milliseconds = frame["calc_time"].astype("int64") // 1000
    assert milliseconds.tolist() == by_hand["calc_time"].tolist()


@pytest.mark.parametrize(
    "text",
    [
        "1577836800000,8,-0.00012359\n",
        "calc_time,funding_interval_hours,last_funding_rate,rate_type\n1577836800000,8,-0.00012359,Regular\n",
        "fundingTime,fundingIntervalHours,fundingRate\n1577836800000,8,-0.00012359\n",
        HEADER.replace("\n", "\r\n") + "1577836800000,8,-0.00012359\r\n",
    ],
    ids=["no header", "one more column", "other names", "line ends"],
)
def test_header_variants(text: str) -> None:
    frame = parse_funding_archive(zipped(text), "BTCUSDT")
    assert frame["rate"].tolist() == [-0.00012359]
    assert frame["calc_time"].tolist() == [pd.Timestamp("2020-01-01", tz="UTC")]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("time,interval,rate\n1,8,0\n", FormatChanged),
        ("1577836800000,8\n", FormatChanged),
        ("", IncompleteBody),
        (HEADER + "1577836800000,7,0.0001\n", FormatChanged),
        (HEADER + "1577836800000,8,NaN\n", IncompleteBody),
        (HEADER + "1577836800000,8,\n", IncompleteBody),
    ],
)
def test_bad_archive_files(text: str, error: type[SourceError]) -> None:
    with pytest.raises(error):
        parse_funding_archive(zipped(text), "BTCUSDT")


def test_a_zip_of_another_symbol_or_no_zip() -> None:
    with pytest.raises(IncompleteBody, match="DOGEUSDT"):
        parse_funding_archive(zipped(HEADER, "DOGEUSDT-fundingRate-2020-01.csv"), "BTCUSDT")
    with pytest.raises(TransientError):
        parse_funding_archive(zipped(HEADER)[:-10], "BTCUSDT")


@pytest.mark.parametrize(
    ("file", "rows"),
    [
        ("fapi_fundingRate_2026-06-22.json", 2),
        ("fapi_fundingRate_2026-08-15.json", 2),
        ("fapi_fundingRate_2026-09-15.json", 3),
        ("fapi_fundingRate_doc_example.json", 2),
        ("fapi_fundingRate_empty_markprice.json", 1),
    ],
)
def test_recorded_rest_bodies(shared: Path, file: str, rows: int) -> None:
    content = (shared / "wire" / "binance" / file).read_bytes()
    frame = parse_funding_rest(content, "BTCUSDT")
    told = json.loads(content)
    assert len(frame) == rows
    assert frame["rate"].tolist() == [float(row["fundingRate"]) for row in told]
    assert frame["mark_price"].isna().tolist() == [row["markPrice"] == "" for row in told]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'[{"symbol":"BTCUSDT","fundingTime":1', TransientError),
        (b'{"code":-1003,"msg":"Too many requests"}', FormatChanged),
        (b"[[1577836800000,1]]", FormatChanged),
        (b'[{"symbol":"BTCUSDT","time":1}]', FormatChanged),
        (rest({"symbol": "DOGEUSDT", "fundingTime": 1, "fundingRate": "0"}), IncompleteBody),
        (rest({"fundingTime": 1, "fundingRate": "NaN"}), IncompleteBody),
        (rest({"fundingTime": 1, "fundingRate": None}), IncompleteBody),
        (rest({"fundingTime": 1, "fundingRate": "0", "markPrice": "NaN"}), IncompleteBody),
        (rest(*[{"fundingTime": at, "fundingRate": "0"} for at in range(1000)]), FormatChanged),
    ],
    ids=["cut", "error", "arrays", "other members", "symbol", "nan", "null", "nan price", "full page"],
)
def test_bad_rest_bodies(content: bytes, error: type[SourceError]) -> None:
    with pytest.raises(error):
        parse_funding_rest(content, "BTCUSDT")


def test_klines_with_and_without_header(shared: Path) -> None:
    bare = (shared / "wire" / "binance" / "vision_um_kline_1h_spot_noheader.csv").read_bytes()
    headed = (shared / "wire" / "binance" / "vision_cm_kline_1h_header.csv").read_bytes()
    name = "BTCUSDT-1h-2023-10.csv"
    frame = parse_klines(zipped(bare, name), "BTCUSDT")
    assert frame["open_time"].tolist() == list(
        pd.to_datetime(["2023-10-27 00:00", "2023-10-27 01:00"], utc=True)
    )
    assert frame[["open", "close", "volume_base"]].iloc[0].tolist() == [34151.66, 34015.27, 908.27901]
    assert parse_klines(zipped(headed, name), "BTCUSDT")["open_time"].tolist() == frame["open_time"].tolist()


def test_kline_times_change_from_milliseconds_to_microseconds() -> None:
    tail = ",1,2,0.5,1.5,7,0,0,0,0,0,0\n"
    for stamp in ("1735689600000", "1735689600000000"):
        frame = parse_klines(zipped(stamp + tail, "BTCUSDT-1h-2025-01.csv"), "BTCUSDT")
        assert frame["open_time"].tolist() == [pd.Timestamp("2025-01-01", tz="UTC")]
    with pytest.raises(FormatChanged):
        parse_klines(zipped("1735689600000,1,2\n", "BTCUSDT-1h-2025-01.csv"), "BTCUSDT")


# --- against the replay server


@pytest.fixture
def funding() -> BinanceFunding:
    return BinanceFunding(only("binance", "BTCUSDT"), load_known_gaps())


@pytest.fixture
def spot() -> BinanceSpot:
    return BinanceSpot(only("binance", "BTCUSDT"), load_known_gaps())


def test_rest_before_2020_and_archive_since(replay: Any, funding: BinanceFunding, tmp_path: Path) -> None:
    with http_at(replay.url, tmp_path) as http:
        frame = download(funding, http, "2019-08", "2020-02")
    assert len(frame) == 62 + 93 + 90 + 93 + 93 + 87
    assert frame["source_url"].str.startswith(FUNDING_RATE).sum() == 62 + 93 + 90 + 93
    assert frame["interval_hours"].isna().sum() == 62 + 93 + 90 + 93
    assert frame["calc_time"].min() == pd.Timestamp("2019-09-10 08:00", tz="UTC")
    assert frame["download_sha256"].str.len().eq(64).all()
    assert len(to_arrow(RAW_BINANCE_FUNDING, frame)) == len(frame)


def test_intervals_that_change_inside_a_month(replay: Any, tmp_path: Path) -> None:
    witnesses = BinanceFunding(only("binance", "AXSUSDT", "IMXUSDT"), load_known_gaps())
    with http_at(replay.url, tmp_path) as http:
        frame = download(witnesses, http, "2019-09", "2026-06")
    assert frame.groupby("symbol").size().to_dict() == {"AXSUSDT": 292, "IMXUSDT": 152}


def test_the_open_month_and_the_end_of_history(replay: Any, funding: BinanceFunding, tmp_path: Path) -> None:
    middle = NOW.replace(month=6, day=20)
    with http_at(replay.url, tmp_path, now=middle) as http:
        replay.faults([{"match": "fapi", "kind": "future_rows"}])
        with pytest.raises(IncompleteBody):
            download(funding, http, "2026-05", "2026-06", middle)
        assert stored(http, ["fundingRate-2026-05.zip"])
        replay.faults([])
        # The replay answers the whole of June although the clock stands at the 20th: those are future rows.
        with pytest.raises(IncompleteBody, match="future"):
            download(funding, http, "2026-05", "2026-06", middle)
    with http_at(replay.url, tmp_path) as http:
        later = download(funding, http, "2026-06", "2026-11")
        assert later["calc_time"].max().strftime("%Y-%m-%d %H:%M") == "2026-06-30 16:00"
        asked = http.counters.requests
        assert len(download(funding, http, "2026-06", "2026-10")) == len(later)
        assert http.counters.requests - asked <= 1  # the probe of another span


def test_the_second_run_asks_nothing_and_offline_is_the_same(
    replay, spot: BinanceSpot, tmp_path: Path
) -> None:
    with http_at(replay.url, tmp_path) as http:
        first = download(spot, http, "2024-12", "2025-01")
    replay.reset()
    with http_at(replay.url, tmp_path) as http:
        assert download(spot, http, "2024-12", "2025-01").equals(first)
        assert http.counters.requests == 0
    with http_at(None, tmp_path, offline=True) as http:
        assert download(spot, http, "2024-12", "2025-01").equals(first)
    assert len(first) == 2 * 744
    assert (first["open_time"].diff().iloc[1:] == pd.Timedelta("1h")).all()
    assert len(to_arrow(RAW_BINANCE_SPOT_1H, first)) == len(first)


def test_real_gaps_are_declared_and_undeclared_ones_are_errors(
    replay, spot: BinanceSpot, tmp_path: Path
) -> None:
    with http_at(replay.url, tmp_path / "a") as http:
        assert len(download(spot, http, "2019-05", "2019-05")) == 744 - 10
        assert len(download(spot, http, "2026-06", "2026-07")) == 720 + 742
    strict = BinanceSpot(spot.universe, KnownGaps())
    with http_at(replay.url, tmp_path / "b") as http:
        with pytest.raises(IncompleteBody, match="2019-05-15 02:00 and 2019-05-15 13:00"):
            download(strict, http, "2019-05", "2019-05")
        assert not [url for url in stored(http, ["2019-05"]) if url.endswith(".zip")]


ROW_FAULTS = [
    "drop_rows",
    "duplicate_rows",
    "nan_values",
    "future_rows",
    "empty_list",
    "wrong_symbol",
    "reorder_rows",
]


@pytest.mark.parametrize("kind", [*ROW_FAULTS, "short_json", "html_200", "truncate", "reset"])
def test_rest_faults(replay: Any, funding: BinanceFunding, tmp_path: Path, kind: str) -> None:
    """A fault that stays is a clear error and leaves nothing; one that comes and goes leaves no trace."""
    with http_at(replay.url, tmp_path / "good") as http:
        good = download(funding, http, "2019-10", "2019-12")
    replay.faults([{"match": "fapi.*fundingRate", "kind": kind}])
    with http_at(replay.url, tmp_path / "bad") as http:
        with pytest.raises(TransientError, match="raw_binance_funding 2019-10 BTCUSDT"):
            download(funding, http, "2019-10", "2019-12")
        assert not stored(http, [""])
        replay.faults([])
        assert download(funding, http, "2019-10", "2019-12").equals(good)
    replay.faults([{"match": "fapi.*fundingRate", "kind": kind, "every": 3}])
    with http_at(replay.url, tmp_path / "now and then") as http:
        assert download(funding, http, "2019-10", "2019-12").equals(good)
        assert http.counters.retries > 0


@pytest.mark.parametrize(
    "kind",
    [
        "bad_zip",
        "bad_checksum",
        "drop_rows",
        "duplicate_rows",
        "nan_values",
        "empty_list",
        "truncate",
        "huge",
    ],
)
def test_archive_faults(replay: Any, funding: BinanceFunding, tmp_path: Path, kind: str) -> None:
    with http_at(replay.url, tmp_path / "good") as http:
        good = download(funding, http, "2020-03", "2020-05")
    replay.faults([{"match": "fundingRate", "kind": kind, "mb": 70}])
    with http_at(replay.url, tmp_path / "bad") as http:
        with pytest.raises(TransientError, match="raw_binance_funding 2020-03 BTCUSDT"):
            download(funding, http, "2020-03", "2020-05")
        assert not [url for url in stored(http, ["zip"]) if url.endswith(".zip")]
        replay.faults([])
        assert download(funding, http, "2020-03", "2020-05").equals(good)
    replay.faults([{"match": "fundingRate", "kind": kind, "every": 3, "mb": 70}])
    with http_at(replay.url, tmp_path / "now and then") as http:
        assert download(funding, http, "2020-03", "2020-05").equals(good)


@pytest.mark.parametrize("kind", ["drop_rows", "duplicate_rows", "nan_values", "reorder_rows"])
def test_spot_faults(replay: Any, spot: BinanceSpot, tmp_path: Path, kind: str) -> None:
    replay.faults([{"match": "klines", "kind": kind}])
    with http_at(replay.url, tmp_path) as http:
        with pytest.raises(TransientError, match="raw_binance_spot_1h 2021-06 BTCUSDT"):
            download(spot, http, "2021-06", "2021-07")
        replay.faults([])
        assert len(download(spot, http, "2021-06", "2021-07")) == 720 + 744


def test_a_geo_block_is_permanent(replay: Any, funding: BinanceFunding, tmp_path: Path) -> None:
    replay.faults([{"match": "fapi", "kind": "status_451"}])
    with http_at(replay.url, tmp_path) as http:
        with pytest.raises(PermanentError, match="refuses to answer"):
            download(funding, http, "2019-10", "2019-10")
        assert http.counters.requests == 1


def test_a_missing_file_of_a_known_month_is_an_error(replay: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    universe = only("binance", "BTCUSDT")
    spot = BinanceSpot(
        replace(universe, bars=tuple(replace(b, seen_to=NOW) for b in universe.bars)), load_known_gaps()
    )
    with http_at(replay.url, tmp_path) as http:
        with pytest.raises(NotServed, match="2026-09 BTCUSDT"):
            download(spot, http, "2026-09", "2026-09")
        assert not list(http.store.entries()), "the next run asks again"


def test_a_month_whose_file_was_missing_once_is_asked_for_again(replay: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    universe = only("binance", "BTCUSDT")
    seen_to = datetime(2026, 3, 31, 23, tzinfo=UTC)
    spot = BinanceSpot(
        replace(universe, bars=tuple(replace(b, seen_to=seen_to) for b in universe.bars)), load_known_gaps()
    )
    missing = "https://data.binance.vision/data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2026-04.zip"
    with http_at(replay.url, tmp_path) as http:
        http.store.put_absence(Request(f"{missing}.CHECKSUM"), status=404, fetched_at=NOW, final=True)
        with pytest.raises(IncompleteBody, match=r"2026-04: the month came without rows.*2026-05-01"):
            download(spot, http, "2026-03", "2026-06")
        assert len(download(spot, http, "2026-03", "2026-06")) == (31 + 30 + 31 + 30) * 24


def test_a_stored_body_that_no_longer_passes_is_asked_for_again(
    replay, funding: BinanceFunding, tmp_path: Path
) -> None:
    with http_at(replay.url, tmp_path) as http:
        good = download(funding, http, "2019-10", "2019-10")
        entry = next(e for e in http.store.entries() if "fundingRate" in e.url)
        rows = json.loads(http.store.get(entry.request)[1])
        request = Request(entry.url, params=dict(entry.params))
        http.store.put(
            request, json.dumps(rows[:40]).encode(), status=200, fetched_at=NOW, etag="", final=True
        )
        assert download(funding, http, "2019-10", "2019-10").equals(good)


def test_whole_history_against_plain_pandas(replay: Any, shared: Path, tmp_path: Path) -> None:
    """The second route: the replay's own tables, read by pandas alone."""
    both = BinanceFunding(only("binance", "BTCUSDT", "ETHUSDT"), load_known_gaps())
    with http_at(replay.url, tmp_path) as http:
        frame = download(both, http, "2019-09", "2026-11")
    plain = pd.read_csv(shared / "replay" / "data" / "binance_fapi_funding.csv.gz")
    plain = plain.sort_values(["symbol", "fundingTime"])
    frame = frame.sort_values(["symbol", "calc_time"])
    assert frame.groupby("symbol").size().to_dict() == {"BTCUSDT": 7457, "ETHUSDT": 7223}
    assert np.array_equal(frame["rate"].to_numpy(), plain["fundingRate"].to_numpy())
    assert np.array_equal(
        frame["calc_time"].astype("int64").to_numpy() // 1000, plain["fundingTime"].to_numpy()
    )
