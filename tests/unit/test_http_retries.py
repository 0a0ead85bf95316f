"""The HTTP layer in trouble: what is tried again, how long it waits, by each venue's unit, and its bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from http_venue import GOOD, LABEL, NOW, RATES, Clock, Reply, Venue, refuse

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import (
    FormatChanged,
    IncompleteBody,
    PermanentError,
    TransientError,
)
from perp_pipeline.sources.http import Http


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
