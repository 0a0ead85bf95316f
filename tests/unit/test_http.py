"""The HTTP layer against a transport that answers as told: no network, no waiting."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.checksums import fetch_with_checksum
from perp_pipeline.sources.errors import (
    ChecksumMismatch,
    FormatChanged,
    IncompleteBody,
    NotInStore,
    NotServed,
    PermanentError,
    TransientError,
)
from perp_pipeline.sources.http import Counters, Event, Http
from perp_pipeline.sources.pacing import PACES, POLITE, Pace, Pacer
from perp_pipeline.sources.store import BodyStore
from perp_pipeline.sources.unpack import parse_json, unzip_single

NOW = datetime(2024, 3, 5, 12, tzinfo=UTC)
RATES = Request("https://fapi.binance.com/fapi/v1/fundingRate", params={"symbol": "BTCUSDT", "limit": 3})
LABEL = "binance raw_binance_funding 2020-01 BTCUSDT"
GOOD = httpx.Response(200, json=[1, 2, 3])

Reply = httpx.Response | Exception


class Venue(httpx.BaseTransport):
    """Answers one prepared reply after the other, the last one for ever; remembers what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


class Clock:
    """Sleeping that takes no time and is written down."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_http(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Http]]:
    opened: list[Http] = []

    def make(transport: httpx.BaseTransport | None = None, **settings: Any) -> Http:
        store = BodyStore(tmp_path / "store")
        http = Http(store, transport=transport, sleep=clock.sleep, now=lambda: NOW, **settings)
        opened.append(http)
        return http

    yield make
    for http in opened:
        http.close()


def refuse(content: bytes) -> None:
    raise IncompleteBody("rows are missing between 08:00 and 16:00")


# storing and serving


def test_a_body_is_fetched_once_and_served_ever_after(open_http: Callable[..., Http]) -> None:
    venue = Venue(GOOD)
    http = open_http(venue)
    first = http.fetch(RATES, final=True, label=LABEL)
    second = http.fetch(RATES, final=True, label=LABEL)
    assert first == second
    assert first is not None and first.content == GOOD.content
    assert first.sha256 == hashlib.sha256(GOOD.content).hexdigest()
    assert (first.status, first.fetched_at) == (200, NOW)
    assert first.source_url == "https://fapi.binance.com/fapi/v1/fundingRate?symbol=BTCUSDT&limit=3"
    assert [str(r.url) for r in venue.asked] == [first.source_url]
    assert http.counters == Counters(requests=1, from_store=1, bytes=len(GOOD.content))


def test_a_body_that_is_not_final_is_asked_for_each_time_online(open_http: Callable[..., Http]) -> None:
    venue = Venue(httpx.Response(200, json=[1]), httpx.Response(200, json=[1, 2]))
    http = open_http(venue)
    http.fetch(RATES, final=False)
    body = http.fetch(RATES, final=False)
    assert body is not None and json.loads(body.content) == [1, 2]
    offline = open_http(Venue(ConnectionError()), offline=True).fetch(RATES, final=False)
    assert offline == body


def test_the_body_of_a_month_that_closed_is_asked_for_once_more(open_http: Callable[..., Http]) -> None:
    venue = Venue(httpx.Response(200, json=[1]), httpx.Response(200, json=[1, 2]))
    http = open_http(venue)
    http.fetch(RATES, final=False)
    for _ in range(2):
        body = http.fetch(RATES, final=True)
        assert body is not None and json.loads(body.content) == [1, 2]
    assert len(venue.asked) == 2


def test_an_etag_saves_the_download(open_http: Callable[..., Http]) -> None:
    venue = Venue(httpx.Response(200, json=[1], headers={"ETag": '"v1"'}), httpx.Response(304))
    http = open_http(venue)
    first = http.fetch(RATES, final=False)
    second = http.fetch(RATES, final=True)
    assert second == first
    assert "if-none-match" not in venue.asked[0].headers
    assert venue.asked[1].headers["if-none-match"] == '"v1"'
    http.fetch(RATES, final=True)
    assert len(venue.asked) == 2, "confirmed as final by the 304"
    assert http.counters.unchanged == 1


def test_a_confirmed_body_that_fails_the_check_is_asked_for_in_full(open_http: Callable[..., Http]) -> None:
    def two_rows(content: bytes) -> None:
        if len(json.loads(content)) < 2:
            raise IncompleteBody("one row is missing")

    venue = Venue(
        httpx.Response(200, json=[1], headers={"ETag": '"v1"'}),
        httpx.Response(304),
        httpx.Response(200, json=[1, 2], headers={"ETag": '"v2"'}),
    )
    http = open_http(venue)
    http.fetch(RATES, final=False)
    body = http.fetch(RATES, final=True, check=two_rows)
    assert body is not None and json.loads(body.content) == [1, 2]
    assert "if-none-match" not in venue.asked[2].headers


def test_a_304_that_nobody_asked_for_is_refused(open_http: Callable[..., Http]) -> None:
    with pytest.raises(PermanentError, match="304"):
        open_http(Venue(httpx.Response(304))).fetch(RATES, final=False)


def test_offline_says_which_request_is_missing(open_http: Callable[..., Http]) -> None:
    http = open_http(Venue(ConnectionError()), offline=True)
    with pytest.raises(NotInStore) as caught:
        http.fetch(RATES, final=True, label=LABEL)
    assert str(caught.value).startswith(LABEL)
    assert RATES.full_url in str(caught.value)
    assert "Run once without --offline" in str(caught.value)
    assert http.counters.requests == 0


def test_a_damaged_body_is_fetched_again_online_and_an_error_offline(
    open_http: Callable[..., Http], tmp_path: Path
) -> None:
    venue = Venue(GOOD)
    http = open_http(venue)
    http.fetch(RATES, final=True)
    stored = next((tmp_path / "store" / "fapi.binance.com").glob("*.gz"))
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-5])
    with pytest.raises(NotInStore):
        open_http(offline=True).fetch(RATES, final=True)
    http.fetch(RATES, final=True)
    assert len(venue.asked) == 2
    assert stored.read_bytes() == whole


def test_forget_makes_the_next_fetch_ask_again(open_http: Callable[..., Http]) -> None:
    venue = Venue(GOOD)
    http = open_http(venue)
    http.fetch(RATES, final=True)
    http.forget(RATES)
    http.fetch(RATES, final=True)
    assert len(venue.asked) == 2


def test_a_post_sends_its_payload_and_is_known_by_it(open_http: Callable[..., Http]) -> None:
    venue = Venue(GOOD)
    http = open_http(venue)
    for coin in ("BTC", "ETH", "BTC"):
        request = Request("https://api.hyperliquid.xyz/info", method="POST", payload={"coin": coin})
        http.fetch(request, final=True)
    assert [json.loads(r.content) for r in venue.asked] == [{"coin": "BTC"}, {"coin": "ETH"}]
    assert venue.asked[0].headers["content-type"] == "application/json"


def test_transport_compression_is_undone_before_storing(open_http: Callable[..., Http]) -> None:
    packed = httpx.Response(
        200,
        headers={"Content-Encoding": "gzip", "Content-Type": "text/csv"},
        content=gzip.compress(b"a,b\n1,2\n"),
    )

    class Packed(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(
                200, headers=packed.headers, stream=httpx.ByteStream(gzip.compress(b"a,b\n1,2\n"))
            )

    body = open_http(Packed()).fetch(RATES, final=True)
    assert body is not None and body.content == b"a,b\n1,2\n"


# addresses


def test_a_gateway_gets_host_and_path_and_the_store_keeps_the_original(
    open_http: Callable[..., Http],
) -> None:
    venue = Venue(GOOD)
    http = open_http(venue, gateway="http://127.0.0.1:8900/")
    body = http.fetch(RATES, final=True)
    assert str(venue.asked[0].url) == (
        "http://127.0.0.1:8900/fapi.binance.com/fapi/v1/fundingRate?symbol=BTCUSDT&limit=3"
    )
    assert body is not None and body.source_url == RATES.full_url
    assert list(http.store.manifest()["url"]) == [RATES.url]


def test_a_user_agent_says_who_asks(open_http: Callable[..., Http]) -> None:
    venue = Venue(GOOD)
    open_http(venue).fetch(RATES, final=True)
    assert venue.asked[0].headers["user-agent"].startswith("perp-pipeline")


def test_redirects_are_not_followed(open_http: Callable[..., Http]) -> None:
    venue = Venue(httpx.Response(302, headers={"Location": "https://elsewhere.example/"}))
    with pytest.raises(PermanentError, match=r"moved to https://elsewhere\.example/"):
        open_http(venue).fetch(RATES, final=True)
    assert len(venue.asked) == 1


# absences


def test_an_absent_closed_month_is_recorded_and_not_asked_again(open_http: Callable[..., Http]) -> None:
    venue = Venue(httpx.Response(404, text="NoSuchKey"))
    http = open_http(venue)
    for _ in range(2):
        assert http.fetch(RATES, final=True, absent_ok=True) is None
    assert len(venue.asked) == 1
    assert open_http(offline=True).fetch(RATES, final=True, absent_ok=True) is None


def test_an_absence_that_is_not_final_is_asked_again_and_known_offline(
    open_http: Callable[..., Http],
) -> None:
    venue = Venue(httpx.Response(404), GOOD)
    http = open_http(venue)
    assert http.fetch(RATES, final=False, absent_ok=True) is None
    assert open_http(offline=True).fetch(RATES, final=False, absent_ok=True) is None
    with pytest.raises(NotServed, match="had no such file"):
        open_http(offline=True).fetch(RATES, final=False)
    assert http.fetch(RATES, final=False, absent_ok=True) is not None


def test_an_absence_is_an_error_unless_it_may_be(open_http: Callable[..., Http]) -> None:
    venue = Venue(httpx.Response(404))
    http = open_http(venue)
    assert http.fetch(RATES, final=True, absent_ok=True) is None
    with pytest.raises(NotServed, match=LABEL):
        http.fetch(RATES, final=True, label=LABEL)
    assert len(venue.asked) == 2


def test_a_check_may_find_that_the_venue_has_nothing(open_http: Callable[..., Http]) -> None:
    def unknown(content: bytes) -> None:
        raise NotServed("unknown symbol BTCUSDX")

    venue = Venue(GOOD)
    http = open_http(venue)
    assert http.fetch(RATES, final=True, absent_ok=True, check=unknown) is None
    with pytest.raises(NotServed, match="BTCUSDX"):
        http.fetch(RATES, final=True, check=unknown)


def test_binance_names_an_unknown_symbol_with_a_400(open_http: Callable[..., Http]) -> None:
    venue = Venue(httpx.Response(400, json={"code": -1121, "msg": "Invalid symbol."}))
    with pytest.raises(NotServed, match="Invalid symbol"):
        open_http(venue).fetch(RATES, final=True)


# trouble that passes


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(500, text="oops"),
        httpx.Response(503, text="<html><body>Service Unavailable</body></html>"),
        httpx.Response(429, json={"code": -1003}),
        httpx.Response(418),
        httpx.Response(200, html="<html><body>502 Bad Gateway</body></html>"),
        httpx.Response(200, text="\n <!DOCTYPE html><title>maintenance</title>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, headers={"Content-Type": "application/json"}, content=b'[{"rate": 0.1}, {"ra'),
        httpx.Response(200, json={"retCode": 10006, "retMsg": "Too many visits!", "result": {}}),
        httpx.Response(200, json={"code": "50011", "msg": "Too Many Requests", "data": []}),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("connect"),
        httpx.ReadTimeout("read"),
        httpx.ReadError("reset by peer"),
        httpx.RemoteProtocolError("peer closed connection"),
    ],
    ids=lambda t: f"{t.status_code}" if isinstance(t, httpx.Response) else type(t).__name__,
)
def test_trouble_that_passes_is_retried_and_an_error_when_it_stays(
    open_http: Callable[..., Http], clock: Clock, trouble: Reply
) -> None:
    http = open_http(Venue(trouble, trouble, GOOD))
    body = http.fetch(RATES, final=True, label=LABEL)
    assert body is not None and body.content == GOOD.content
    assert (http.counters.requests, http.counters.retries) == (3, 2)
    assert len(clock.slept) == 2

    http.forget(RATES)
    with pytest.raises(TransientError) as caught:
        open_http(Venue(trouble)).fetch(RATES, final=True, label=LABEL)
    message = str(caught.value)
    assert message.startswith(f"{LABEL}: ")
    assert RATES.full_url in message and " times" in message and "Run again later" in message
    assert http.store.get(RATES) is None, "nothing of a failed request is stored"


def test_network_trouble_gets_more_attempts_than_bad_bodies(open_http: Callable[..., Http]) -> None:
    for reply, check, attempts in [
        (httpx.Response(500), None, 6),
        (GOOD, refuse, 4),
    ]:
        venue = Venue(reply)
        with pytest.raises(TransientError):
            open_http(venue).fetch(RATES, final=True, check=check)
        assert len(venue.asked) == attempts


def test_the_checks_own_error_comes_through(open_http: Callable[..., Http]) -> None:
    http = open_http(Venue(GOOD))
    with pytest.raises(IncompleteBody, match="rows are missing between 08:00 and 16:00, 4 times") as caught:
        http.fetch(RATES, final=True, check=refuse, label=LABEL)
    assert str(caught.value).startswith(LABEL)
    assert http.store.manifest().empty


def test_a_changed_format_is_not_retried(open_http: Callable[..., Http]) -> None:
    def unknown_columns(content: bytes) -> None:
        raise FormatChanged("columns are now a, b, c")

    venue = Venue(GOOD)
    with pytest.raises(FormatChanged, match=f"{LABEL}: columns are now a, b, c"):
        open_http(venue).fetch(RATES, final=True, check=unknown_columns, label=LABEL)
    assert len(venue.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 405, 451, 501])
def test_refusals_are_not_retried(open_http: Callable[..., Http], status: int) -> None:
    venue = Venue(httpx.Response(status, text="no"))
    with pytest.raises(PermanentError, match=f"HTTP {status}"):
        open_http(venue).fetch(RATES, final=True)
    assert len(venue.asked) == 1


def test_a_geo_block_says_what_to_do(open_http: Callable[..., Http]) -> None:
    venue = Venue(httpx.Response(451, json={"msg": "Service unavailable from a restricted location"}))
    with pytest.raises(PermanentError, match=r"restricted location.*PERP_GATEWAY"):
        open_http(venue).fetch(RATES, final=True, absent_ok=True)


def test_backoff_doubles_with_jitter_up_to_its_cap(open_http: Callable[..., Http], clock: Clock) -> None:
    http = open_http(Venue(httpx.Response(500)), attempts=8, backoff=2.0, max_backoff=20.0)
    with pytest.raises(TransientError):
        http.fetch(RATES, final=True)
    tops = [2, 4, 8, 16, 20, 20, 20]
    assert len(clock.slept) == len(tops)
    for slept, top in zip(clock.slept, tops, strict=True):
        assert top / 2 <= slept <= top


# Retry-After, in each venue's unit


@pytest.mark.parametrize(
    ("url", "reply", "seconds"),
    [
        ("https://fapi.binance.com/x", httpx.Response(429, headers={"Retry-After": "7"}), 7),
        ("https://fapi.binance.com/x", httpx.Response(418, headers={"Retry-After": "120"}), 120),
        (
            "https://fapi.binance.com/x",
            httpx.Response(418, json={"msg": f"banned until {int(NOW.timestamp() * 1000) + 90_000}. Use"}),
            90,
        ),
        ("https://www.bitmex.com/x", httpx.Response(429, headers={"Retry-After": "1"}), 1),
        (
            "https://www.bitmex.com/x",
            httpx.Response(429, headers={"X-RateLimit-Reset": str(int(NOW.timestamp()) + 31)}),
            31,
        ),
        (
            "https://files.example/x",
            httpx.Response(503, headers={"Retry-After": "Tue, 05 Mar 2024 12:00:45 GMT"}),
            45,
        ),
        (
            "https://files.example/x",
            httpx.Response(503, headers={"Retry-After": "Tue, 05 Mar 2024 11:00:00 GMT"}),
            0,
        ),
        ("https://indexer.dydx.trade/x", httpx.Response(429, headers={"Retry-After": "2500"}), 2.5),
        (
            "https://www.deribit.com/x",
            httpx.Response(429, json={"error": {"code": 10028, "data": {"wait": 3}}}),
            3,
        ),
        (
            "https://api.bybit.com/x",
            httpx.Response(
                429, headers={"X-Bapi-Limit-Reset-Timestamp": str(int(NOW.timestamp() * 1000) + 4500)}
            ),
            4.5,
        ),
        (
            "https://api.bybit.com/x",
            httpx.Response(
                200,
                headers={"X-Bapi-Limit-Reset-Timestamp": str(int(NOW.timestamp() * 1000) + 1500)},
                json={"retCode": 10006, "retMsg": "Too many visits!"},
            ),
            1.5,
        ),
        ("https://api.bybit.com/x", httpx.Response(403, html="<h1>access too frequent</h1>"), 600),
    ],
)
def test_the_venues_own_pause_is_kept(
    open_http: Callable[..., Http], clock: Clock, url: str, reply: httpx.Response, seconds: float
) -> None:
    body = open_http(Venue(reply, GOOD)).fetch(Request(url), final=True)
    assert body is not None
    assert sum(clock.slept) == pytest.approx(seconds, abs=min(1.0, seconds / 10) + 0.01)
    assert sum(clock.slept) >= seconds


def test_bybit_blocks_a_country_with_the_status_of_its_rate_limit(open_http: Callable[..., Http]) -> None:
    reply = httpx.Response(
        403, html="<h1>The distribution is configured to block access from your country</h1>"
    )
    venue = Venue(reply)
    with pytest.raises(PermanentError, match="block access from your country"):
        open_http(venue).fetch(Request("https://api.bybit.com/v5/market"), final=True)
    assert len(venue.asked) == 1


@pytest.mark.parametrize("nonsense", ["soon", "-5", "1e3", "Tue, 99 Foo 2024"])
def test_a_retry_after_that_makes_no_sense_is_ignored(
    open_http: Callable[..., Http], clock: Clock, nonsense: str
) -> None:
    reply = httpx.Response(429, headers={"Retry-After": nonsense})
    assert open_http(Venue(reply, GOOD)).fetch(RATES, final=True) is not None
    assert 2.5 <= clock.slept[0] <= 5, "five times the usual backoff after a rate limit without a term"


def test_too_long_a_pause_is_an_error(open_http: Callable[..., Http], clock: Clock) -> None:
    venue = Venue(httpx.Response(418, headers={"Retry-After": "86400"}))
    with pytest.raises(TransientError, match="asks to wait 86,400 s"):
        open_http(venue).fetch(RATES, final=True)
    assert clock.slept == []


def test_pauses_add_up_to_too_long_a_pause(open_http: Callable[..., Http], clock: Clock) -> None:
    venue = Venue(httpx.Response(429, headers={"Retry-After": "400"}))
    with pytest.raises(TransientError, match="too long for this run"):
        open_http(venue, max_wait=1000.0).fetch(RATES, final=True)
    assert len(venue.asked) == 3


# bounds


def test_an_answer_beyond_the_cap_is_cut_off_unread(open_http: Callable[..., Http]) -> None:
    sent = 0

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal sent
            while True:
                sent += 1000
                yield b" " * 1000

    class Venue200(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Endless())

    with pytest.raises(TransientError, match=r"larger than 10,000 bytes.*max_body_bytes"):
        open_http(Venue200(), max_body_bytes=10_000, body_attempts=1).fetch(RATES, final=True)
    assert sent <= 12_000


def test_a_body_shorter_than_its_length_is_not_believed(open_http: Callable[..., Http]) -> None:
    half = httpx.Response(200, headers={"Content-Length": "20"}, content=b"0123456789")
    with pytest.raises(TransientError, match="cut off after 10 of 20 bytes"):
        open_http(Venue(half)).fetch(RATES, final=True)


def test_an_answer_that_trickles_for_ever_is_given_up(open_http: Callable[..., Http]) -> None:
    class Trickle(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"."

    class Venue200(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Trickle())

    with pytest.raises(TransientError, match=r"no end after 0\.01 s"):
        open_http(Venue200(), total_timeout=0.01, attempts=2).fetch(RATES, final=True)


# digests and zips


def test_a_stated_digest_must_match(open_http: Callable[..., Http]) -> None:
    right = hashlib.sha256(b"right").hexdigest()
    http = open_http(Venue(httpx.Response(200, text="wrong"), httpx.Response(200, text="right")))
    body = http.fetch(RATES, final=True, sha256=right.upper())
    assert body is not None and body.content == b"right"
    with pytest.raises(ChecksumMismatch, match=right):
        open_http(Venue(httpx.Response(200, text="wrong"))).fetch(
            Request("https://x.example/"), final=True, sha256=right
        )


def test_a_stored_body_with_another_digest_is_asked_for_again(open_http: Callable[..., Http]) -> None:
    http = open_http(Venue(httpx.Response(200, text="old"), httpx.Response(200, text="new")))
    http.fetch(RATES, final=True)
    new = hashlib.sha256(b"new").hexdigest()
    with pytest.raises(NotInStore, match=new):
        open_http(offline=True).fetch(RATES, final=True, sha256=new)
    body = http.fetch(RATES, final=True, sha256=new)
    assert body is not None and body.content == b"new"


ZIP = Request("https://data.binance.vision/data/BTCUSDT-1h-2020-01.zip")
ZIP_CHECKSUM = Request(ZIP.url + ".CHECKSUM")


class Archive(httpx.BaseTransport):
    """A file and its checksum; the first ``bad`` checksums are wrong."""

    def __init__(self, content: bytes | None, bad: int = 0) -> None:
        self.content, self.bad = content, bad

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.content is None:
            return httpx.Response(404)
        if not request.url.path.endswith(".CHECKSUM"):
            return httpx.Response(200, content=self.content)
        self.bad -= 1
        digest = "0" * 64 if self.bad >= 0 else hashlib.sha256(self.content).hexdigest()
        return httpx.Response(200, text=f"{digest}  BTCUSDT-1h-2020-01.zip\n")


def test_a_file_is_checked_against_the_digest_beside_it(open_http: Callable[..., Http]) -> None:
    http = open_http(Archive(b"zip"))
    body = fetch_with_checksum(http, ZIP, ZIP_CHECKSUM, final=True, label=LABEL)
    assert body is not None and body.content == b"zip"
    assert fetch_with_checksum(open_http(offline=True), ZIP, ZIP_CHECKSUM, final=True) == body


def test_a_wrong_checksum_file_is_asked_for_again(open_http: Callable[..., Http]) -> None:
    body = fetch_with_checksum(open_http(Archive(b"zip", bad=1)), ZIP, ZIP_CHECKSUM, final=True)
    assert body is not None and body.content == b"zip"


def test_a_checksum_that_stays_wrong_is_an_error_and_is_not_kept(open_http: Callable[..., Http]) -> None:
    http = open_http(Archive(b"zip", bad=99))
    with pytest.raises(ChecksumMismatch):
        fetch_with_checksum(http, ZIP, ZIP_CHECKSUM, final=True)
    assert http.store.manifest().empty


def test_a_checksum_of_another_file_is_refused(open_http: Callable[..., Http]) -> None:
    other = Request("https://data.binance.vision/data/ETHUSDT-1h-2020-01.zip")
    with pytest.raises(TransientError, match=r"is for 'BTCUSDT-1h-2020-01\.zip'"):
        fetch_with_checksum(open_http(Archive(b"zip")), other, ZIP_CHECKSUM, final=True)


def test_a_file_that_is_not_there_has_no_checksum_either(open_http: Callable[..., Http]) -> None:
    assert fetch_with_checksum(open_http(Archive(None)), ZIP, ZIP_CHECKSUM, final=True) is None


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_the_one_member_of_a_zip() -> None:
    assert unzip_single(zipped(a=b"1,2,3\n")) == b"1,2,3\n"


def test_damaged_zips_are_worth_another_attempt() -> None:
    whole = zipped(a=bytes(range(256)) * 20)
    middle = len(whole) // 2
    flipped = (
        whole[: middle - 8] + bytes(b ^ 255 for b in whole[middle - 8 : middle + 8]) + whole[middle + 8 :]
    )
    for content in (b"", b"<html>", whole[: len(whole) // 2], flipped):
        with pytest.raises(TransientError, match="damaged"):
            unzip_single(content)


def test_a_zip_bomb_is_not_unpacked() -> None:
    bomb = zipped(a=b"\n" * 5_000_000)
    assert len(unzip_single(bomb, cap=5_000_000)) == 5_000_000
    with pytest.raises(TransientError, match=r"more than 4,999,999 bytes"):
        unzip_single(bomb, cap=4_999_999)


def test_a_zip_with_other_than_one_member_is_another_format() -> None:
    for content in (zipped(), zipped(a=b"1", b=b"2")):
        with pytest.raises(FormatChanged, match="one file"):
            unzip_single(content)


def test_json_that_is_cut_off_is_worth_another_attempt() -> None:
    assert parse_json(b'{"a": [1]}') == {"a": [1]}
    with pytest.raises(TransientError, match="not JSON"):
        parse_json(b'{"a": [1')


# pacing


class Ticks:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("pace", [Pace(30, 60), Pace(1, 2), Pace(100, 5), POLITE, *PACES.values()])
def test_no_window_ever_holds_more_than_the_pace(pace: Pace) -> None:
    ticks = Ticks()
    pacer = Pacer({"venue.example": pace}, clock=ticks)
    sent = []
    for _ in range(3 * pace.count):
        ticks.now += pacer.reserve("venue.example", "/")
        sent.append(ticks.now)
    for first, moment in enumerate(sent):
        assert sum(moment <= other < moment + pace.seconds - 1e-6 for other in sent[first:]) <= pace.count
    assert sent[-1] - sent[0] <= 3 * pace.seconds * 1.5 + pace.seconds, "and it is not much slower either"


def test_hosts_do_not_wait_for_each_other_and_paths_may_have_a_limit_of_their_own() -> None:
    paces = {"a.example": Pace(1, 10), "a.example/slow": Pace(1, 100)}
    pacer = Pacer(paces, clock=Ticks())
    assert pacer.reserve("a.example", "/x") == 0
    assert pacer.reserve("a.example", "/slow/1") == 0
    assert pacer.reserve("b.example", "/x") == 0
    assert pacer.reserve("a.example", "/y") == 10
    assert pacer.reserve("a.example", "/slow/2") == 100


def test_a_hold_stops_every_request_to_the_host() -> None:
    ticks = Ticks()
    pacer = Pacer(None, clock=ticks)
    pacer.hold("a.example", 30)
    assert pacer.reserve("a.example", "/") == 30
    assert pacer.reserve("b.example", "/") == 0
    ticks.now += 30
    assert pacer.reserve("a.example", "/") == 0


def test_only_the_venues_own_hosts_are_paced_unless_asked(
    open_http: Callable[..., Http], clock: Clock
) -> None:
    requests = [Request("https://slow.example/", params={"n": n}) for n in range(4)]
    http = open_http(Venue(GOOD))
    for request in requests:
        http.fetch(request, final=False)
    assert clock.slept == []
    http = open_http(Venue(GOOD), paced=True, paces={"slow.example": Pace(1, 60)})
    for request in requests:
        http.fetch(request, final=False)
    assert clock.slept == pytest.approx([60, 120, 180], abs=1)


# telling


def test_progress_is_told_step_by_step(open_http: Callable[..., Http]) -> None:
    events: list[Event] = []
    http = open_http(Venue(httpx.Response(500), GOOD, httpx.Response(404)), progress=events.append)
    http.fetch(RATES, final=True, label=LABEL)
    http.fetch(RATES, final=True, label=LABEL)
    http.fetch(Request("https://x.example/"), final=True, absent_ok=True)
    assert [e.kind for e in events] == ["retry", "fetched", "stored", "absent"]
    assert events[0].label == LABEL and "HTTP 500" in events[0].reason and events[0].wait > 0
    assert events[1].bytes == len(GOOD.content)
    assert http.counters.waited_seconds == pytest.approx(events[0].wait)


def test_a_closed_http_opens_again(open_http: Callable[..., Http]) -> None:
    with open_http(Venue(GOOD)) as http:
        http.fetch(RATES, final=False)
    assert http.fetch(RATES, final=False) is not None


def test_bodies_carry_the_time_of_their_download(open_http: Callable[..., Http], tmp_path: Path) -> None:
    open_http(Venue(GOOD)).fetch(RATES, final=True)
    later = Http(BodyStore(tmp_path / "store"), offline=True, now=lambda: NOW + timedelta(days=9))
    body = later.fetch(RATES, final=True)
    assert body is not None and body.fetched_at == NOW


def test_threads_may_share_one_http(open_http: Callable[..., Http]) -> None:
    class Echo(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json=[request.url.query.decode()])

    http = open_http(Echo())
    requests = [Request("https://x.example/", params={"n": n}) for n in range(100)]
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda request: http.fetch(request, final=True), requests))
    assert [body and json.loads(body.content) for body in bodies] == [[f"n={n}"] for n in range(100)]
    assert http.counters.requests == 100
    assert len(http.store.manifest()) == 100
