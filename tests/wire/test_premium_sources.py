"""Premium index of Binance; funding of Hyperliquid, Bybit and Deribit: bodies, and the replay server."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from funding_wire import NOW, download, http_at, only, stored

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_venues import RAW_BYBIT_FUNDING, RAW_DERIBIT_FUNDING, RAW_HYPERLIQUID_FUNDING
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.sources.base import Dataset
from perp_pipeline.sources.binance_premium import (
    PREMIUM_KLINES,
    BinancePremium,
    parse_premium_archive,
    parse_premium_rest,
)
from perp_pipeline.sources.bybit import bybit_funding, parse_bybit_funding
from perp_pipeline.sources.deribit import deribit_funding, parse_deribit_funding
from perp_pipeline.sources.errors import (
    FormatChanged,
    IncompleteBody,
    PermanentError,
    SourceError,
    TransientError,
)
from perp_pipeline.sources.hyperliquid import hyperliquid_funding, parse_hyperliquid_funding
from perp_pipeline.sources.known_gaps import KnownGaps, load_known_gaps

HOUR = 3_600_000_000


def bar(opened: int, *prices: Any) -> list[Any]:
    return [
        opened,
        *(prices or ("0.1", "0.2", "-0.1", "0.15")),
        "0",
        opened + 3_599_999,
        "0",
        0,
        "0",
        "0",
        "0",
    ]


def body(rows: Any) -> bytes:
    return json.dumps(rows).encode()


def bybit_body(*rows: dict[str, Any], code: int = 0) -> bytes:
    return body({"retCode": code, "retMsg": "OK", "result": {"category": "linear", "list": list(rows)}})


def bybit_row(time: int, rate: str = "0.0001", symbol: str = "BTCUSDT") -> dict[str, Any]:
    return {"symbol": symbol, "fundingRate": rate, "fundingRateTimestamp": str(time)}


def zipped(text: str, name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


# --- parsers


def test_premium_bars_of_the_documentation(shared: Path) -> None:
    content = (shared / "wire" / "binance" / "premiumIndexKlines_doc_example.json").read_bytes()
    frame = parse_premium_rest(content, 60_000_000)
    assert frame.iloc[0].tolist() == [
        pd.Timestamp("2023-08-09 17:57", tz="UTC"), -0.00042931, -0.00023641, -0.00059406, -0.00043659,
    ]  # fmt: skip
    with pytest.raises(IncompleteBody, match="grid of 60 minutes"):
        parse_premium_rest(content, HOUR)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"[[1691603820000,", TransientError),
        (b'{"code":-1120,"msg":"Invalid interval."}', FormatChanged),
        (body([{"openTime": 0}]), FormatChanged),
        (body([[0, "1"]]), FormatChanged),
        (body([bar(0, "NaN", "1", "1", "1")]), IncompleteBody),
        (body([bar(0, None, "1", "1", "1")]), IncompleteBody),
    ],
)
def test_bad_premium_bodies(content: bytes, error: type[SourceError]) -> None:
    with pytest.raises(error):
        parse_premium_rest(content, HOUR)


def test_an_archive_of_another_interval_or_symbol() -> None:
    text = ",".join(map(str, bar(1688169600000))) + "\n"
    good = parse_premium_archive(zipped(text, "BTCUSDT-1h-2023-07.csv"), "BTCUSDT", "1h")
    assert good[["open", "close"]].to_numpy().tolist() == [[0.1, 0.15]]
    for name in ("ETHUSDT-1h-2023-07.csv", "BTCUSDT-8h-2023-07.csv"):
        with pytest.raises(IncompleteBody):
            parse_premium_archive(zipped(text, name), "BTCUSDT", "1h")


def test_recorded_hyperliquid_bodies(shared: Path) -> None:
    rows = [
        {"coin": "BTC", "fundingRate": "-0.00061334", "premium": "-0.00091334", "time": 1683849600048},
        {"coin": "BTC", "fundingRate": "0.0000125", "premium": "0.0002", "time": 1686186000012},
    ]
    frame = parse_hyperliquid_funding(body(rows), "BTC")
    assert frame["interval_hours"].tolist() == [8.0, 1.0]
    assert frame["premium"].tolist() == [-0.00091334, 0.0002]
    sparse = (shared / "wire" / "hyperliquid" / "nautilus_http_funding_history.json").read_bytes()
    assert parse_hyperliquid_funding(sparse, "BTC")["premium"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'[{"coin":"BTC","fund', TransientError),
        (b'{"error":"x"}', FormatChanged),
        (body([{"coin": "BTC", "time": 1}]), FormatChanged),
        (body([{"coin": "ETH", "fundingRate": "0", "time": 1}]), IncompleteBody),
        (body([{"coin": "BTC", "fundingRate": "NaN", "time": 1}]), IncompleteBody),
        (body([{"coin": "BTC", "fundingRate": "0", "premium": "x", "time": 1}]), IncompleteBody),
    ],
)
def test_bad_hyperliquid_bodies(content: bytes, error: type[SourceError]) -> None:
    with pytest.raises(error):
        parse_hyperliquid_funding(content, "BTC")


def test_recorded_bybit_body_is_turned_round(shared: Path) -> None:
    content = (shared / "wire" / "bybit" / "http_get_funding_history.json").read_bytes()
    frame = parse_bybit_funding(content, "BTCUSDT")
    assert frame["rate"].tolist() == [0.00015, 0.0001]
    assert frame["timestamp"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (bybit_body(bybit_row(2), bybit_row(1))[:-9], TransientError),
        (bybit_body(code=10001), FormatChanged),
        (body({"retCode": 0, "result": {}}), FormatChanged),
        (bybit_body(bybit_row(1), bybit_row(2)), IncompleteBody),
        (bybit_body(bybit_row(1), bybit_row(1)), IncompleteBody),
        (bybit_body(bybit_row(1, symbol="ETHUSDT")), IncompleteBody),
        (bybit_body(bybit_row(1, rate="nan")), IncompleteBody),
        (bybit_body(*(bybit_row(200 - at) for at in range(200))), FormatChanged),
    ],
)
def test_bad_bybit_bodies(content: bytes, error: type[SourceError]) -> None:
    with pytest.raises(error):
        parse_bybit_funding(content, "BTCUSDT")


def test_deribit_accrues_the_hour_not_the_eight(shared: Path) -> None:
    content = (shared / "wire" / "deribit" / "funding_history_shape.json").read_bytes()
    told = json.loads(content)["result"]
    frame = parse_deribit_funding(content, "BTC-PERPETUAL")
    assert frame["rate"].tolist() == [row["interest_1h"] for row in told]
    assert frame["interest_8h"].tolist() == [row["interest_8h"] for row in told]
    for bad in (b'{"error":{}}', b'{"result":{}}', b'{"result":[{"timestamp":1}]}'):
        with pytest.raises(FormatChanged):
            parse_deribit_funding(bad, "BTC-PERPETUAL")
    with pytest.raises(TransientError):
        parse_deribit_funding(content[:-20], "BTC-PERPETUAL")


# --- against the replay server


def premium(*intervals: str) -> BinancePremium:
    return BinancePremium(only("binance", "BTCUSDT"), load_known_gaps(), intervals or ("1h",))


def test_archives_and_rest_give_the_same_bars(replay: Any, tmp_path: Path) -> None:
    with http_at(replay.url, tmp_path / "a") as http:
        archived = download(premium(), http, "2025-02", "2025-03")
    assert archived["source_url"].str.endswith(".zip").all()
    assert archived["open_time"].max() == pd.Timestamp("2025-03-10", tz="UTC")
    open_month = NOW.replace(year=2025, month=3, day=12)
    with http_at(replay.url, tmp_path / "b") as http:
        asked = download(premium(), http, "2025-02", "2025-03", open_month)
    by_rest = asked["source_url"].str.startswith(PREMIUM_KLINES)
    assert by_rest.tolist() == (asked["open_time"] >= "2025-03-01").tolist()
    told = ["open_time", "open", "high", "low", "close"]
    assert asked[told].equals(archived[told])
    early = NOW.replace(year=2024, month=3, day=31)
    # The replay answers for the whole of March although the clock stands at the 31st: those are future bars.
    with (
        http_at(replay.url, tmp_path / "c", now=early) as http,
        pytest.raises(IncompleteBody, match="future"),
    ):
        download(premium(), http, "2024-03", "2024-03", early)


def test_the_history_begins_where_the_venue_says(replay: Any, tmp_path: Path) -> None:
    with http_at(replay.url, tmp_path) as http:
        frame = download(premium("1h", "8h"), http, "2020-01", "2023-07")
    sizes = frame.groupby("interval")["open_time"].agg(["size", "min"])
    assert sizes["size"].to_dict() == {"1h": 61 * 24, "8h": 61 * 3}
    assert (sizes["min"] == pd.Timestamp("2023-06-01", tz="UTC")).all()
    hourly = frame[frame["interval"] == "1h"].set_index("open_time")
    whole = frame[(frame["interval"] == "8h")].set_index("open_time")
    last = hourly["close"].resample("8h").last()
    assert np.array_equal(last.to_numpy(), whole["close"].to_numpy())


def test_an_interval_that_is_not_served(replay: Any, tmp_path: Path) -> None:
    with http_at(replay.url, tmp_path) as http, pytest.raises(PermanentError):
        download(premium("5m"), http, "2024-02", "2024-02")
    with pytest.raises(ValueError, match="3h"):
        premium("3h")


@pytest.mark.parametrize("kind", ["drop_rows", "duplicate_rows", "nan_values", "reorder_rows", "empty_list"])
def test_faulty_premium_archives(replay: Any, tmp_path: Path, kind: str) -> None:
    with http_at(replay.url, tmp_path / "good") as http:
        good = download(premium(), http, "2024-02", "2024-03")
    replay.faults([{"match": r"premiumIndexKlines.*zip", "kind": kind}])
    with http_at(replay.url, tmp_path / "bad") as http:
        with pytest.raises(TransientError, match="raw_binance_premium 2024-02 BTCUSDT"):
            download(premium(), http, "2024-02", "2024-03")
        assert not [url for url in stored(http, ["zip"]) if url.endswith(".zip")]
        replay.faults([])
        assert download(premium(), http, "2024-02", "2024-03").equals(good)


Make = Callable[[Any, KnownGaps], Dataset]
VENUES = [
    ("hyperliquid", "BTC", hyperliquid_funding, "2023-05", "2023-07", 1038, RAW_HYPERLIQUID_FUNDING),
    ("bybit", "ETHUSDT", bybit_funding, "2021-01", "2021-03", 270, RAW_BYBIT_FUNDING),
    ("deribit", "BTC-PERPETUAL", deribit_funding, "2020-07", "2020-09", 2208 - 2, RAW_DERIBIT_FUNDING),
]
IDS = [venue[0] for venue in VENUES]


@pytest.mark.parametrize(("venue", "symbol", "make", "first", "last", "rows", "contract"), VENUES, ids=IDS)
def test_funding_of_a_venue(
    replay, tmp_path: Path, venue: str, symbol: str, make: Make, first: str, last: str, rows: int,
    contract: Contract,
) -> None:  # fmt: skip
    dataset = make(only(venue, symbol), load_known_gaps())
    with http_at(replay.url, tmp_path) as http:
        frame = download(dataset, http, first, last)
        asked = http.counters.requests
        assert download(dataset, http, first, last).equals(frame)
        assert http.counters.requests == asked
    assert len(frame) == rows
    assert frame["timestamp"].is_monotonic_increasing
    assert len(to_arrow(contract, frame)) == rows
    if venue == "deribit":
        strict = make(only(venue, symbol), KnownGaps())
        hole = pytest.raises(IncompleteBody, match="2020-08-27 05:00 and 2020-08-27 08:00")
        with http_at(replay.url, tmp_path / "strict") as http, hole:
            download(strict, http, first, last)


FAULTS = ["drop_rows", "duplicate_rows", "nan_values", "reorder_rows", "empty_list", "short_json", "reset"]


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize(("venue", "symbol", "make", "first", "last", "rows", "contract"), VENUES, ids=IDS)
def test_faults_of_a_venue(
    replay, tmp_path: Path, venue: str, symbol: str, make: Make, first: str, last: str, rows: int,
    contract: Contract, kind: str,
) -> None:  # fmt: skip
    dataset = make(only(venue, symbol), load_known_gaps())
    replay.faults([{"match": venue, "kind": kind}])
    with http_at(replay.url, tmp_path / "bad") as http:
        with pytest.raises(TransientError, match=f"raw_{venue}_funding"):
            download(dataset, http, first, last)
        # Where the history begins may be known by now: no row is taken from that answer.
        kept = [e.request for e in http.store.entries() if e.final]
        assert all("endTime" not in request.payload for request in kept)
        replay.faults([])
        assert len(download(dataset, http, first, last)) == rows
    replay.faults([{"match": venue, "kind": kind, "every": 3}])
    with http_at(replay.url, tmp_path / "now and then") as http:
        assert len(download(dataset, http, first, last)) == rows


def test_a_hole_in_the_mirror_is_declared_and_the_history_goes_on(replay: Any, tmp_path: Path) -> None:
    dataset = hyperliquid_funding(only("hyperliquid", "BTC", "ETH"), load_known_gaps())
    with http_at(replay.url, tmp_path) as http:
        frame = download(dataset, http, "2023-06", "2025-09")
    first = frame.groupby("symbol")["timestamp"].min().dt.round("h")
    assert first.to_dict() == {
        "BTC": pd.Timestamp("2023-06-01", tz="UTC"),
        "ETH": pd.Timestamp("2025-08-21 05:00", tz="UTC"),
    }
    months = set(frame["timestamp"].dt.strftime("%Y-%m"))
    assert months == {"2023-06", "2023-07", "2025-08", "2025-09"}
