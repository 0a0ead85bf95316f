"""The HTTP layer stores and serves, sends to a gateway, knows absences and tells what it does."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from http_venue import GOOD, LABEL, NOW, RATES, Venue

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import (
    IncompleteBody,
    NotInStore,
    NotServed,
    PermanentError,
)
from perp_pipeline.sources.http import Counters, Event, Http
from perp_pipeline.sources.store import BodyStore


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
