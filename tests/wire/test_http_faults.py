"""The HTTP layer against the replay server, made to fail in every way venues fail."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perp_pipeline.sources.base import BodyCheck, Request
from perp_pipeline.sources.checksums import fetch_with_checksum
from perp_pipeline.sources.errors import (
    ChecksumMismatch,
    IncompleteBody,
    NotServed,
    PermanentError,
    SourceError,
    TransientError,
)
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.store import BodyStore
from perp_pipeline.sources.unpack import parse_json, unzip_single

BINANCE = Request(
    "https://fapi.binance.com/fapi/v1/fundingRate",
    params={"symbol": "BTCUSDT", "startTime": 1577836800000, "endTime": 1580515199999, "limit": 1000},
)
BITMEX = Request(
    "https://www.bitmex.com/api/v1/funding",
    params={"symbol": "XBTUSD", "count": 93, "startTime": "2020-01-01T00:00:00Z"},
)
DERIBIT = Request(
    "https://www.deribit.com/api/v2/public/get_funding_rate_history",
    params={
        "instrument_name": "BTC-PERPETUAL",
        "start_timestamp": 1577836800000,
        "end_timestamp": 1578441600000,
    },
)
BYBIT = Request(
    "https://api.bybit.com/v5/market/funding/history",
    params={"category": "linear", "symbol": "BTCUSDT", "startTime": 1609459200000, "endTime": 1612137599999},
)
HYPERLIQUID = Request(
    "https://api.hyperliquid.xyz/info",
    method="POST",
    payload={"type": "fundingHistory", "coin": "BTC", "startTime": 1687000000000, "endTime": 1688000000000},
)
FRED = Request("https://fred.stlouisfed.org/graph/fredgraph.csv", params={"id": "DTB3"})
ZIP = Request(
    "https://data.binance.vision/data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2020-01.zip"
)
ZIP_CHECKSUM = Request(ZIP.url + ".CHECKSUM")
VENUES = {
    "binance": BINANCE,
    "bitmex": BITMEX,
    "deribit": DERIBIT,
    "bybit": BYBIT,
    "hyperliquid": HYPERLIQUID,
    "fred": FRED,
    "archive": ZIP,
}


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def http(replay: Any, tmp_path: Path, slept: list[float]) -> Iterator[Http]:
    with Http(
        BodyStore(tmp_path / "store"),
        gateway=replay.url,
        sleep=slept.append,
        attempts=3,
        body_attempts=3,
        read_timeout=5.0,
    ) as opened:
        yield opened


def settled(replay: Any, requests: int) -> dict[str, Any]:
    """The server's counts once it has booked so many requests: it books each after it was answered."""
    for _ in range(200):
        stats: dict[str, Any] = replay.stats()
        if stats["total"]["requests"] >= requests:
            break
        time.sleep(0.01)
    return stats


def has_rows(content: bytes) -> None:
    if not parse_json(content):
        raise IncompleteBody("no rows")


def rows(content: bytes) -> Any:
    """The data of a body, without the server's clock that Deribit and Bybit write beside them."""
    return parse_json(content)["result"] if content.startswith(b"{") else content


def is_json(content: bytes) -> None:
    parse_json(content)


def is_good_zip(content: bytes) -> None:
    unzip_single(content, cap=20 * 2**20)


CHECKS: dict[str, BodyCheck] = {"fred": lambda content: None, "archive": is_good_zip}


PASSING = [
    "status_429",
    "status_418",
    "status_500",
    "status_503",
    "reset",
    "truncate",
    "html_200",
    "short_json",
]
# A shorter CSV is still a CSV: only a check that knows where it must end can tell.
UNSEEN = {("fred", "short_json")}


@pytest.mark.parametrize(("venue", "kind"), [(v, k) for v in VENUES for k in PASSING if (v, k) not in UNSEEN])
def test_a_passing_fault_ends_in_the_same_body(
    http: Http, replay: Any, slept: list[float], venue: str, kind: str
) -> None:
    request, check = VENUES[venue], CHECKS.get(venue, is_json)
    truth = http.fetch(request, final=True, check=check)
    assert truth is not None
    http.forget(request)
    replay.faults([{"match": "", "kind": kind, "first": 2, "retry_after": 3}])
    body = http.fetch(request, final=True, check=check)
    assert body is not None and rows(body.content) == rows(truth.content)
    assert len(slept) == 2
    states_a_term = {
        ("binance", "status_429"),
        ("binance", "status_418"),
        ("bitmex", "status_429"),
        ("deribit", "status_429"),
        ("bybit", "status_429"),
        ("fred", "status_429"),
        ("fred", "status_503"),
    }
    if (venue, kind) in states_a_term:
        assert all(2.5 < pause < 4 for pause in slept), "the venue's own term of 3 s, whatever its unit"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("status_429", TransientError),
        ("status_418", TransientError),
        ("status_403", PermanentError),
        ("status_451", PermanentError),
        ("status_500", TransientError),
        ("status_503", TransientError),
        ("reset", TransientError),
        ("truncate", TransientError),
        ("short_json", TransientError),
        ("html_200", TransientError),
        ("empty_list", IncompleteBody),
    ],
)
def test_a_fault_that_stays_is_a_clear_error_and_nothing_is_kept(
    http: Http, replay: Any, kind: str, error: type[SourceError]
) -> None:
    replay.faults([{"match": "fapi", "kind": kind}])
    label = "binance raw_binance_funding 2020-01 BTCUSDT"
    with pytest.raises(error) as caught:
        http.fetch(BINANCE, final=True, check=has_rows, label=label)
    assert str(caught.value).startswith(label)
    assert BINANCE.full_url in str(caught.value)
    assert http.store.manifest().empty
    attempts = 3 if issubclass(error, TransientError) else 1
    assert settled(replay, attempts)["total"]["requests"] == attempts == http.counters.requests


def test_a_server_that_does_not_answer_is_given_up(replay: Any, tmp_path: Path) -> None:
    replay.faults([{"match": "fapi", "kind": "timeout", "hold_s": 1}])
    with (
        Http(
            BodyStore(tmp_path), gateway=replay.url, sleep=lambda s: None, attempts=2, read_timeout=0.1
        ) as http,
        pytest.raises(TransientError, match="ReadTimeout"),
    ):
        http.fetch(BINANCE, final=True)


def test_bybit_403_is_its_rate_limit(http: Http, replay: Any, slept: list[float]) -> None:
    replay.faults([{"match": "bybit", "kind": "status_403", "first": 1}])
    assert http.fetch(BYBIT, final=True) is not None
    assert slept and slept[0] >= 600


@pytest.mark.parametrize("first", [1, 99])
def test_a_huge_answer_is_cut_off_early(replay: Any, tmp_path: Path, first: int) -> None:
    replay.faults([{"match": "bitmex|fred", "kind": "huge", "mb": 200, "first": first}])
    store = BodyStore(tmp_path)
    with Http(store, gateway=replay.url, sleep=lambda s: None, max_body_bytes=2**20, body_attempts=2) as http:
        if first == 1:
            assert http.fetch(BITMEX, final=True, check=has_rows) is not None
            return
        with pytest.raises(TransientError, match="larger than 1,048,576 bytes"):
            http.fetch(FRED, final=True)
    assert store.manifest().empty
    received = settled(replay, 2)["total"]["bytes"]
    assert received < 50 * 2**20, "the rest of the 200 MB was never taken"


@pytest.mark.parametrize("kind", ["bad_zip", "huge", "truncate", "reset", "html_200"])
def test_a_damaged_archive_is_asked_for_again(http: Http, replay: Any, kind: str) -> None:
    truth = fetch_with_checksum(http, ZIP, ZIP_CHECKSUM, final=True, check=is_good_zip)
    assert truth is not None
    http.forget(ZIP)
    replay.faults([{"match": r"\.zip$", "kind": kind, "first": 2, "mb": 30}])
    body = fetch_with_checksum(http, ZIP, ZIP_CHECKSUM, final=True, check=is_good_zip)
    assert body is not None and body.content == truth.content
    for request in (ZIP, ZIP_CHECKSUM):
        http.forget(request)
    replay.faults([{"match": r"\.zip$", "kind": kind, "mb": 30}])
    with pytest.raises(TransientError):
        fetch_with_checksum(http, ZIP, ZIP_CHECKSUM, final=True, check=is_good_zip)
    assert http.store.get(ZIP) is None


def test_a_zip_bomb_is_not_unpacked(http: Http, replay: Any) -> None:
    replay.faults([{"match": r"\.zip$", "kind": "huge", "mb": 30}])
    with pytest.raises(TransientError, match="unpacks to more than"):
        http.fetch(ZIP, final=True, check=is_good_zip)


def test_a_bad_checksum_that_passes_is_overcome_and_one_that_stays_is_an_error(
    http: Http, replay: Any
) -> None:
    replay.faults([{"match": "CHECKSUM", "kind": "bad_checksum", "first": 1}])
    body = fetch_with_checksum(http, ZIP, ZIP_CHECKSUM, final=True, check=is_good_zip)
    assert body is not None and b"calc_time" in unzip_single(body.content)
    for request in (ZIP, ZIP_CHECKSUM):
        http.forget(request)
    replay.faults([{"match": "CHECKSUM", "kind": "bad_checksum"}])
    with pytest.raises(ChecksumMismatch):
        fetch_with_checksum(http, ZIP, ZIP_CHECKSUM, final=True, check=is_good_zip)
    assert http.store.manifest().empty


def test_a_second_run_asks_nothing_for_what_is_final(http: Http, replay: Any, tmp_path: Path) -> None:
    for request in VENUES.values():
        http.fetch(request, final=True)
    before = {p: p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file()}
    settled(replay, len(VENUES))
    replay.reset()
    with Http(BodyStore(tmp_path / "store"), gateway=replay.url) as again:
        for request in VENUES.values():
            assert again.fetch(request, final=True) is not None
        assert again.counters.requests == 0
    assert replay.stats()["total"]["requests"] == 0
    assert {p: p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file()} == before


def test_a_file_with_an_etag_is_sent_once(http: Http, replay: Any) -> None:
    first = http.fetch(ZIP, final=False)
    assert http.fetch(ZIP, final=False) == first
    assert http.counters.unchanged == 1
    for _ in range(200):
        # an answer that an earlier test gave up on may be booked late, at another endpoint
        endpoints = replay.stats()["endpoints"].items()
        outcomes = [e["outcomes"] for name, e in endpoints if name.startswith("data.binance.vision")]
        if outcomes and sum(outcomes[0].values()) == 2:
            break
        time.sleep(0.01)
    assert outcomes == [{"200": 1, "304": 1}]


def test_a_month_that_the_archive_lacks_is_an_absence(http: Http) -> None:
    future = Request(ZIP.url.replace("2020-01", "2031-01"))
    assert http.fetch(future, final=False, absent_ok=True) is None
    with pytest.raises(NotServed):
        http.fetch(future, final=False)


def test_a_symbol_that_binance_lacks_is_not_served(http: Http) -> None:
    with pytest.raises(NotServed):
        http.fetch(Request(BINANCE.url, params={"symbol": "NOSUCHUSDT"}), final=False)


def test_a_dead_gateway_is_named_as_a_possible_cause(tmp_path: Path) -> None:
    http = Http(BodyStore(tmp_path), gateway="http://127.0.0.1:9", sleep=lambda s: None, attempts=2)
    with http, pytest.raises(TransientError, match=r"ConnectError.*Check the connection and the gateway"):
        http.fetch(BINANCE, final=False)


def test_bodies_are_what_the_server_sent(http: Http, fetch_plain: Callable[[Request], bytes]) -> None:
    for request in (BINANCE, BITMEX, FRED, ZIP):
        body = http.fetch(request, final=True)
        assert body is not None and body.content == fetch_plain(request)
    rows = json.loads(fetch_plain(BINANCE))
    assert len(rows) == 93


@pytest.fixture
def fetch_plain(replay: Any) -> Callable[[Request], bytes]:
    import urllib.request

    def fetch(request: Request) -> bytes:
        with urllib.request.urlopen(replay.url + "/" + request.full_url.removeprefix("https://")) as answer:
            content: bytes = answer.read()
            return content

    return fetch
