"""Dollar spot candles by REST: Coinbase, Bitstamp, Gemini."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from funding_wire import download, http_at

from perp_pipeline.contracts.raw_prices import RAW_SPOT_CANDLES
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.sources.bitstamp import bitstamp_spot, parse_bitstamp
from perp_pipeline.sources.coinbase import coinbase_spot, parse_coinbase
from perp_pipeline.sources.errors import FormatChanged, SourceError, TransientError
from perp_pipeline.sources.gemini import gemini_spot, parse_gemini
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.spot_candles import SpotCandles
from perp_pipeline.sources.store import BodyStore
from perp_pipeline.sources.universe import Universe, load_universe

HOUR = timedelta(hours=1)
MIDDLE = datetime(2026, 9, 15, 12, 30, tzinfo=UTC)
MAKERS: dict[str, Callable[[Universe], SpotCandles]] = {
    "coinbase": coinbase_spot,
    "bitstamp": bitstamp_spot,
    "gemini": gemini_spot,
}
VENUES = tuple(MAKERS)


def of_one(venue: str, **changes: Any) -> SpotCandles:
    """The venue's dataset of its bitcoin pair alone."""
    bars = next(b for b in load_universe().bars_of(venue, "spot") if b.base == "BTC")
    return MAKERS[venue](Universe((), (replace(bars, **changes),)))


# --- parsers


def test_recorded_bodies(shared: Path) -> None:
    coinbase = parse_coinbase((shared / "wire/coinbase/candles_real.json").read_bytes(), "BTC-USD")
    gemini = parse_gemini((shared / "wire/gemini/v2_candles_1h_real.json").read_bytes(), "BTCUSD")
    told = ["open", "high", "low", "close", "volume_base"]
    assert coinbase["open_time"].tolist() == [pd.Timestamp("2024-03-13 11:00", tz="UTC")]
    assert coinbase[told].iloc[0].tolist() == [73243.33, 73402.47, 73241.5, 73370.65, 1.56794406]
    assert gemini["open_time"].tolist() == [pd.Timestamp("2024-03-13 10:00", tz="UTC")]
    assert gemini[told].iloc[0].tolist() == [73402.61, 73402.61, 73268.24, 73268.24, 0.05445598]


def test_a_documented_body_of_bitstamp() -> None:
    row = {"timestamp": "1790503200", "open": "84918.88", "high": "85089.89", "low": "84791.70"}
    row |= {"close": "84865.17", "volume": "26.56202532"}
    frame = parse_bitstamp(json.dumps({"data": {"pair": "BTC/USD", "ohlc": [row]}}).encode(), "BTCUSD")
    assert frame["open_time"].tolist() == [pd.Timestamp("2026-09-27 10:00", tz="UTC")]
    assert frame.iloc[0, 1:].tolist() == [84918.88, 85089.89, 84791.70, 84865.17, 26.56202532]


def said(venue: str, bars: list[list[Any]], pair: str = "BTC/USD") -> bytes:
    """Bars (epoch second, open, high, low, close, volume), ascending, in a venue's form."""
    if venue == "coinbase":
        return json.dumps([[t, lo, hi, o, c, v] for t, o, hi, lo, c, v in reversed(bars)]).encode()
    if venue == "gemini":
        return json.dumps([[t * 1000, *rest] for t, *rest in reversed(bars)]).encode()
    names = ("timestamp", "open", "high", "low", "close", "volume")
    rows = [dict(zip(names, map(str, bar), strict=True)) for bar in bars]
    return json.dumps({"data": {"pair": pair, "ohlc": rows}}).encode()


def bar(opened: datetime) -> list[Any]:
    price = 100.0 + opened.hour
    return [int(opened.timestamp()), price, price + 2, price - 2, price + 1, 7.5]


PARSERS = {"coinbase": parse_coinbase, "bitstamp": parse_bitstamp, "gemini": parse_gemini}
AT = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize("venue", VENUES)
def test_bad_bodies(venue: str) -> None:
    parse = PARSERS[venue]
    good = [bar(AT), bar(AT + HOUR)]
    assert parse(said(venue, good), "BTCUSD")["close"].tolist() == [101.0, 102.0]
    assert parse(said(venue, []), "BTCUSD").empty
    for bars, error in (
        ([bar(AT), bar(AT)], TransientError),
        ([[*bar(AT)[:4], "NaN", 1.0]], TransientError),
        ([[*bar(AT)[:4], None, 1.0]], TransientError),
        ([bar(AT + timedelta(minutes=20))], TransientError),
    ):
        with pytest.raises(error):
            parse(said(venue, bars), "BTCUSD")
    for body in (b'{"message":"NotFound"}', b'{"data": {}}', b"[[1,2,3]]", b'[{"a":1}]', b"{}"):
        with pytest.raises(FormatChanged):
            parse(body, "BTCUSD")
    with pytest.raises(TransientError):
        parse(said(venue, good)[:-9], "BTCUSD")


def test_another_pair() -> None:
    with pytest.raises(TransientError, match="ETH/USD"):
        parse_bitstamp(said("bitstamp", [bar(AT)], "ETH/USD"), "BTCUSD")


# --- downloads


@dataclass
class Venue:
    """A venue up to its clock."""

    name: str
    now: datetime = MIDDLE
    status: int = 200
    kept: timedelta = timedelta(days=62)
    without: set[datetime] = field(default_factory=set)
    change: Callable[[list[list[Any]]], list[list[Any]]] = lambda bars: bars
    asked: list[httpx.URL] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        if self.status != 200:
            return httpx.Response(self.status, json={"message": "no"})
        first, last = self.bounds(request.url)
        hours = int((min(last, self.now) - first) / HOUR) + 1
        times = [first + n * HOUR for n in range(hours)]
        bars = self.change([bar(at) for at in times if at not in self.without])
        assert len(bars) <= {"coinbase": 300, "bitstamp": 1000}.get(self.name, 10**6)
        return httpx.Response(200, content=said(self.name, bars))

    def bounds(self, url: httpx.URL) -> tuple[datetime, datetime]:
        asked = url.params
        if self.name == "coinbase":
            assert (url.path, asked["granularity"]) == ("/products/BTC-USD/candles", "3600")
            first, last = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
            return first - 3 * HOUR, last  # some may precede the start
        if self.name == "bitstamp":
            assert (url.path, asked["step"], asked["limit"]) == ("/api/v2/ohlc/btcusd/", "3600", "1000")
            last = datetime.fromtimestamp(int(asked["end"]), UTC)
            return last - 999 * HOUR, last  # the end counts
        assert (url.path, dict(asked)) == ("/v2/candles/btcusd/1hr", {})
        return (self.now - self.kept).replace(minute=0), self.now


def client(venue: Venue, store: Path, sleep: Callable[[float], None] = lambda _: None) -> Http:
    return Http(BodyStore(store), transport=httpx.MockTransport(venue), now=lambda: venue.now, sleep=sleep)


def hours_of(frame: pd.DataFrame) -> list[pd.Timestamp]:
    return sorted(frame["open_time"])


@pytest.mark.parametrize("name", VENUES)
def test_two_months_up_to_the_last_bar_that_is_over(name: str, tmp_path: Path) -> None:
    venue = Venue(name)
    with client(venue, tmp_path) as http:
        frame = download(of_one(name), http, "2026-08", "2026-09", MIDDLE)
        assert http.counters.retries == 0
        before = len(venue.asked)
        assert download(of_one(name), http, "2026-08", "2026-09", MIDDLE).equals(frame)
    expected = pd.date_range("2026-08-01", "2026-09-15 11:00", freq="h", tz="UTC")
    assert hours_of(frame) == list(expected)
    assert len(to_arrow(RAW_SPOT_CANDLES, frame)) == len(frame)
    assert set(frame["venue"]) == {name}
    assert len(venue.asked) - before == 1, "the part of the month that goes on"
    assert len(venue.asked) == {"coinbase": 3 + 2, "bitstamp": 2, "gemini": 2}[name] + 1
    with http_at(None, tmp_path, offline=True) as http:
        assert download(of_one(name), http, "2026-08", "2026-11").equals(frame)


@pytest.mark.parametrize("name", VENUES)
def test_hours_that_the_venue_leaves_out_are_believed_at_the_second_answer(name: str, tmp_path: Path) -> None:
    out = {datetime(2026, 8, 3, hour, tzinfo=UTC) for hour in (4, 5)} | {
        datetime(2026, 8, 31, 23, tzinfo=UTC)
    }
    venue = Venue(name, now=datetime(2026, 9, 3, tzinfo=UTC), without=out)
    with client(venue, tmp_path) as http:
        frame = download(of_one(name), http, "2026-08", "2026-08", venue.now)
        assert http.counters.retries == (2 if name == "coinbase" else 1)
        before = len(venue.asked)
        assert download(of_one(name), http, "2026-08", "2026-08", venue.now).equals(frame)
        assert len(venue.asked) == before, "and not doubted again"
    assert len(frame) == 744 - 3


@pytest.mark.parametrize("name", VENUES)
def test_hours_that_go_missing_on_the_way_are_asked_for_again(name: str, tmp_path: Path) -> None:
    venue = Venue(name, change=lambda bars: [*bars[:9], *bars[20:]])

    def healed(_: float) -> None:
        venue.change = list

    with client(venue, tmp_path, healed) as http:
        frame = download(of_one(name), http, "2026-09", "2026-09", MIDDLE)
    assert len(frame) == 14 * 24 + 12


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("kind", ["twice", "future", "nan"])
def test_bad_answers_are_errors_and_leave_nothing(name: str, kind: str, tmp_path: Path) -> None:
    changes: dict[str, Callable[[list[list[Any]]], list[list[Any]]]] = {
        "twice": lambda bars: [*bars, bars[-1]],
        "future": lambda bars: [*bars, bar(MIDDLE.replace(minute=0) + 2 * HOUR)],
        "nan": lambda bars: [[*bars[0][:1], "NaN", *bars[0][2:]], *bars[1:]],
    }
    with client(Venue(name, change=changes[kind]), tmp_path) as http:
        with pytest.raises(TransientError, match=f"{name} raw_spot_candles 2026-09"):
            download(of_one(name), http, "2026-09", "2026-09", MIDDLE)
        assert not list(http.store.entries())


@pytest.mark.parametrize("name", VENUES)
def test_a_venue_that_is_not_served_here(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As behind a gateway that lacks it: one question, and none once the months are closed."""
    venue = Venue(name, now=datetime(2026, 9, 15, tzinfo=UTC), status=404)
    with client(venue, tmp_path) as http, caplog.at_level(logging.WARNING):
        assert download(of_one(name), http, "2026-07", "2026-08", venue.now).empty
        assert len(venue.asked) == 1
        assert f"{name} raw_spot_candles 2026-08 " in caplog.text
        assert download(of_one(name), http, "2026-07", "2026-08", venue.now).empty
        assert len(venue.asked) == 1
        download(of_one(name), http, "2026-08", "2026-09", venue.now)
        assert len(venue.asked) == 2


@pytest.mark.parametrize("status", [451, 403, 500])
@pytest.mark.parametrize("name", VENUES)
def test_where_a_venue_cannot_be_had_what_is_stored_stands(
    name: str, status: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    venue = Venue(name)
    with client(venue, tmp_path) as http:
        before = download(of_one(name), http, "2026-08", "2026-09", MIDDLE)
        venue.status, venue.now = status, MIDDLE + timedelta(days=1)
        with caplog.at_level(logging.WARNING):
            after = download(of_one(name), http, "2026-08", "2026-09", venue.now)
    assert hours_of(after) == hours_of(before)
    assert f"HTTP {status}" in caplog.text and "what is stored of it stands" in caplog.text


@pytest.mark.parametrize("status", [404, 500])
def test_a_part_that_is_refused_once_is_asked_for_again(status: int, tmp_path: Path) -> None:
    """Also after months: neither is an absence believed of a venue that answers, nor what is stored lost."""
    venue = Venue("coinbase")

    def failing(request: httpx.Request) -> httpx.Response:
        if request.url.params["end"] < "2026-09-01" and not healed:
            return httpx.Response(status)
        return venue(request)

    with Http(
        BodyStore(tmp_path), transport=httpx.MockTransport(failing), now=lambda: MIDDLE, sleep=lambda _: None
    ) as http:
        healed = False
        assert download(of_one("coinbase"), http, "2026-08", "2026-09", MIDDLE)["open_time"].min() == (
            pd.Timestamp("2026-08-25", tz="UTC")
        )
        healed = True
        whole = download(of_one("coinbase"), http, "2026-08", "2026-09", MIDDLE)
        assert len(whole) == 744 + 14 * 24 + 12
        healed = False
        assert download(of_one("coinbase"), http, "2026-08", "2026-09", MIDDLE).equals(whole)


def test_a_changed_format_is_not_passed_over(tmp_path: Path) -> None:
    def strange(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"candles": []})

    with Http(BodyStore(tmp_path), transport=httpx.MockTransport(strange), now=lambda: MIDDLE) as http:
        for name in VENUES:
            with pytest.raises(SourceError, match="expected"):
                download(of_one(name), http, "2026-09", "2026-09", MIDDLE)


def test_a_late_last_hour_of_a_month_is_asked_for_again_for_a_day(tmp_path: Path) -> None:
    last = datetime(2026, 8, 31, 23, tzinfo=UTC)
    venue = Venue("bitstamp", now=last + 70 * timedelta(minutes=1), without={last})
    with client(venue, tmp_path) as http:
        assert len(download(of_one("bitstamp"), http, "2026-08", "2026-08", venue.now)) == 743
        venue.now, venue.without = venue.now + timedelta(hours=6), set()
        assert len(download(of_one("bitstamp"), http, "2026-08", "2026-08", venue.now)) == 744


def test_history_begins_with_the_listing(tmp_path: Path) -> None:
    listed = datetime(2026, 8, 14, 5, tzinfo=UTC)
    venue = Venue("coinbase", without={listed - n * HOUR for n in range(1, 400)})
    with client(venue, tmp_path) as http:
        frame = download(of_one("coinbase", listed_from=listed), http, "2026-06", "2026-08", MIDDLE)
        assert http.counters.retries == 0
    assert frame["open_time"].min() == pd.Timestamp(listed)
    assert len(venue.asked) == 2, "no part that ends before it"


def test_what_gemini_said_in_time_is_kept(tmp_path: Path) -> None:
    """Its answers recede: a month that was stored stays, one that was not has what is left of it."""
    venue = Venue("gemini", kept=timedelta(days=20))
    gemini = of_one("gemini")
    with client(venue, tmp_path) as http:
        first = download(gemini, http, "2026-07", "2026-09", MIDDLE)
        assert first["open_time"].min() == pd.Timestamp("2026-08-26 12:00", tz="UTC")
        venue.now = MIDDLE + timedelta(days=20)
        later = download(gemini, http, "2026-07", "2026-10", venue.now)
        assert set(first["open_time"]) <= set(later["open_time"])
        assert later["open_time"].min() == first["open_time"].min()
        venue.now = MIDDLE + timedelta(days=200)
        before = len(venue.asked)
        assert hours_of(download(gemini, http, "2026-07", "2026-10", venue.now)) == hours_of(later)
        assert len(venue.asked) == before, "out of its reach"


def test_the_replay_server_has_none_of_them(replay: Any, tmp_path: Path) -> None:
    with http_at(replay.url, tmp_path) as http:
        for name, make in MAKERS.items():
            assert download(make(load_universe()), http, "2016-05", "2026-10").empty
            assert http.counters.absent == 2 * (1 + VENUES.index(name))
        asked = http.counters.requests
        for make in MAKERS.values():
            assert download(make(load_universe()), http, "2016-05", "2026-10").empty
        assert http.counters.requests == asked
