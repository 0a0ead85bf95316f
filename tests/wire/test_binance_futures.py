"""Binance futures bars: recorded bodies, bad bodies, and the replay server with and without faults."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from funding_wire import NOW, download, http_at

from perp_pipeline.contracts.delivery import RAW_BINANCE_FUTURES_KLINES
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.sources.binance_futures import KLINES, BinanceFuturesKlines
from perp_pipeline.sources.binance_klines import parse_klines_rest
from perp_pipeline.sources.errors import FormatChanged, SourceError, TransientError
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.known_gaps import KnownGaps
from perp_pipeline.sources.store import BodyStore
from perp_pipeline.sources.universe import Universe, load_universe

PAGE = BinanceFuturesKlines.page


def followed(*symbols: str) -> Universe:
    known = load_universe()
    markets = BinanceFuturesKlines.markets
    bars = tuple(b for m in markets for b in known.bars_of("binance", m) if b.symbol in symbols)
    assert len(bars) == len(symbols)
    return Universe((), bars)


def dataset(*symbols: str) -> BinanceFuturesKlines:
    return BinanceFuturesKlines(followed(*symbols), KnownGaps())


def bar(hour: int, price: Any = "100.0") -> list[Any]:
    opened = 1_696_118_400_000 + hour * 3_600_000  # 2023-10-01
    return [opened, price, "101.0", "99.0", "100.5", "7.5", opened + 3_599_999, "750", 12, "3", "300", "0"]


def test_recorded_bars(shared: Path) -> None:
    frame = parse_klines_rest((shared / "wire/binance/fapi_klines_1h_2026-08-15.json").read_bytes(), PAGE)
    assert frame["open_time"].tolist() == list(
        pd.to_datetime(["2026-08-15 18:00", "2026-08-15 19:00"], utc=True)
    )
    assert frame.iloc[0, 1:].tolist() == [63043.40, 63083.00, 63011.60, 63026.30, 1116.068]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html></html>", SourceError),
        (json.dumps([bar(0), bar(1)]).encode()[:-9], TransientError),
        (json.dumps({"code": -1121, "msg": "Invalid symbol."}).encode(), FormatChanged),
        (json.dumps([bar(0)[:11]]).encode(), FormatChanged),
        (json.dumps([bar(0, "NaN")]).encode(), TransientError),
        (json.dumps([bar(hour) for hour in range(PAGE)]).encode(), FormatChanged),
    ],
)
def test_bad_bars(body: bytes, error: type[SourceError]) -> None:
    with pytest.raises(error):
        parse_klines_rest(body, PAGE)


def test_a_contract_from_its_first_bar_to_delivery(replay: Any, tmp_path: Path) -> None:
    both = dataset("BTCUSDT_230929", "ETHUSDT_240329")
    with http_at(replay.url, tmp_path) as http:
        frame = download(both, http, "2023-01", "2024-12")
        asked = http.counters.requests
        assert download(both, http, "2023-01", "2024-12").equals(frame)
        assert http.counters.requests == asked
    spans = frame.groupby("symbol")["open_time"].agg(["min", "max", "size"])
    assert spans["size"].to_dict() == {"BTCUSDT_230929": 2310, "ETHUSDT_240329": 4365}
    assert spans.loc["BTCUSDT_230929", "min"] == pd.Timestamp("2023-06-25 02:00", tz="UTC")
    assert spans.loc["BTCUSDT_230929", "max"] == pd.Timestamp("2023-09-29 07:00", tz="UTC")
    assert len(to_arrow(RAW_BINANCE_FUTURES_KLINES, frame)) == len(frame)
    with http_at(None, tmp_path, offline=True) as http:
        assert download(both, http, "2023-01", "2024-12").equals(frame)


def test_a_history_that_ends_before_delivery(replay: Any, tmp_path: Path) -> None:
    with http_at(replay.url, tmp_path) as http:
        frame = download(dataset("BTCUSDT", "BTCUSDT_250627"), http, "2025-01", "2026-06")
    assert frame["open_time"].max() == pd.Timestamp("2025-03-11 14:00", tz="UTC")
    assert set(frame["symbol"]) == {"BTCUSDT", "BTCUSDT_250627"}


def test_rest_stands_in_for_a_missing_file(replay: Any, tmp_path: Path) -> None:
    one = dataset("BTCUSDT_230929")
    with http_at(replay.url, tmp_path / "archive") as http:
        archived = download(one, http, "2023-07", "2023-07")
    in_july = datetime(2023, 7, 20, 12, 30, tzinfo=UTC)
    replay.faults([{"match": "klines", "kind": "future_rows", "first": 1}])
    later = replace(one.universe.bars[0], seen_to=None, listed_to=None)
    open_month = BinanceFuturesKlines(Universe((), (later,)), KnownGaps())
    with (
        http_at(replay.url, tmp_path / "open", now=in_july) as http,
        pytest.raises(TransientError, match="future"),
    ):
        # The replay does not know that the clock stands in July.
        download(open_month, http, "2023-07", "2023-07", in_july)
    assert len(archived) == 744
    assert archived["source_url"].str.endswith(".zip").all()


def test_a_bar_that_is_not_over_is_left_out(tmp_path: Path) -> None:
    """Also when the stored answer is read again later."""
    now = datetime(2023, 10, 1, 2, 30, tzinfo=UTC)
    answer = json.dumps([bar(0), bar(1), bar(2)]).encode()
    listed = replace(followed("BTCUSDT_231229").bars[0], listed_from=now.replace(hour=0, minute=0))
    open_month = BinanceFuturesKlines(Universe((), (listed,)), KnownGaps())
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=answer))
    with Http(BodyStore(tmp_path), transport=transport, now=lambda: now) as http:
        frame = download(open_month, http, "2023-10", "2023-10", now)
    assert frame["open_time"].dt.hour.tolist() == [0, 1]
    assert frame["source_url"].str.startswith(KLINES).all()
    with http_at(None, tmp_path, offline=True) as http:
        assert len(download(open_month, http, "2023-10", "2023-10", now.replace(day=2))) == 2


@pytest.mark.parametrize(
    "kind", ["bad_zip", "bad_checksum", "drop_rows", "duplicate_rows", "nan_values", "empty_list", "truncate"]
)
def test_archive_faults(replay: Any, tmp_path: Path, kind: str) -> None:
    one = dataset("BTCUSDT_230929")
    with http_at(replay.url, tmp_path / "good") as http:
        good = download(one, http, "2023-08", "2023-09")
    replay.faults([{"match": "klines", "kind": kind}])
    with http_at(replay.url, tmp_path / "bad") as http:
        with pytest.raises(TransientError, match="raw_binance_futures_klines 2023-08 BTCUSDT_230929"):
            download(one, http, "2023-08", "2023-09")
        replay.faults([])
        assert download(one, http, "2023-08", "2023-09").equals(good)


@pytest.mark.parametrize(
    "kind", ["drop_rows", "duplicate_rows", "nan_values", "reorder_rows", "short_json", "html_200", "reset"]
)
def test_rest_faults(replay: Any, tmp_path: Path, kind: str) -> None:
    """The archive's file is kept away, so that REST answers."""
    one = dataset("BTCUSDT_230929")
    universe = Universe((), (replace(one.universe.bars[0], listed_from=datetime(2023, 8, 1, tzinfo=UTC)),))
    rest = BinanceFuturesKlines(universe, KnownGaps())
    window = {"first": "2023-08", "last": "2023-08"}

    def no_files(store: Path) -> Http:
        from urllib.request import urlopen

        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.host == "data.binance.vision":
                return httpx.Response(404)
            path = f"{replay.url}/{request.url.host}{request.url.raw_path.decode()}"
            try:
                with urlopen(path, timeout=5) as body:
                    return httpx.Response(body.status, content=body.read())
            except OSError as error:
                raise httpx.ReadError(str(error)) from error

        return Http(BodyStore(store), transport=httpx.MockTransport(answer), sleep=lambda _: None)

    with no_files(tmp_path / "good") as http:
        good = download(rest, http, **window)
    assert len(good) == 744
    replay.faults([{"match": "fapi.*klines", "kind": kind}])
    with no_files(tmp_path / "bad") as http:
        with pytest.raises(TransientError, match="raw_binance_futures_klines 2023-08 BTCUSDT_230929"):
            download(rest, http, **window)
        replay.faults([])
        assert download(rest, http, **window).equals(good)


def test_the_clock_of_the_tests_is_after_every_delivery() -> None:
    assert all(bars.listed_to is None or bars.listed_to < NOW for bars in load_universe().bars)
