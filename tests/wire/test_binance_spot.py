"""Binance spot bars where no archive file is out yet: REST, its fallback, and the file that comes later."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from funding_wire import download, http_at, only

from perp_pipeline.contracts.raw_funding import RAW_BINANCE_SPOT_1H
from perp_pipeline.graph import Node
from perp_pipeline.lake import Lake
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.months import Month, Span
from perp_pipeline.runner import Context, StepFailed, run_node
from perp_pipeline.settings import Settings
from perp_pipeline.sources.binance_klines import parse_klines_rest
from perp_pipeline.sources.binance_spot import HOSTS, BinanceSpot
from perp_pipeline.sources.errors import FormatChanged, PermanentError, SourceError, TransientError
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.known_gaps import KnownGap, KnownGaps
from perp_pipeline.sources.store import BodyStore
from perp_pipeline.sources.universe import Universe

API, MIRROR = HOSTS
MIDDLE = datetime(2026, 9, 15, 12, 30, tzinfo=UTC)
TABLE = "raw_binance_spot_1h"

Rows = list[list[Any]]


def bar(opened: datetime, price: float = 100.0) -> list[Any]:
    at = int(opened.timestamp()) * 1000
    prices = [f"{value:.8f}" for value in (price, price + 2, price - 2, price + 1)]
    return [at, *prices, "7.5", at + 3_599_999, "750.0", 12, "3.0", "300.0", "0"]


def hours(start: datetime, end: datetime) -> list[datetime]:
    return [start + timedelta(hours=n) for n in range(int((end - start) / timedelta(hours=1)))]


@dataclass
class Venue:
    """Binance at a moment: REST up to the clock, files of the months that are out."""

    now: datetime = MIDDLE
    files: set[str] = field(default_factory=set)
    price: float = 100.0
    gone: set[datetime] = field(default_factory=set)
    change: Callable[[Rows], Any] = lambda rows: rows
    refuse: dict[str, httpx.Response] = field(default_factory=dict)
    asked: list[httpx.URL] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        self.asked.append(url)
        if url.host in self.refuse:
            return self.refuse[url.host]
        if url.host == "data.binance.vision":
            return self.file(url.path)
        assert url.path == "/api/v3/klines"
        start, end = (int(url.params[name]) for name in ("startTime", "endTime"))
        first, last = (datetime.fromtimestamp(at // 1000, UTC) for at in (start, min(end, self.millis)))
        rows = [bar(at) for at in hours(first, last + timedelta(hours=1)) if at <= last]
        return httpx.Response(200, json=self.change(rows[: int(url.params["limit"])]))

    @property
    def millis(self) -> int:
        return int(self.now.timestamp()) * 1000

    def file(self, path: str) -> httpx.Response:
        name = path.rsplit("/", 1)[-1].removesuffix(".CHECKSUM").removesuffix(".zip")
        month = name[-7:]
        if month not in self.files:
            return httpx.Response(404)
        span = Month.parse(month)
        rows = [bar(at, self.price) for at in hours(span.start, span.end) if at not in self.gone]
        text = "".join(",".join(map(str, [row[0] * 1000, *row[1:]])) + "\n" for row in rows)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"{name}.csv"), text)
        digest = f"{hashlib.sha256(packed.getvalue()).hexdigest()}  {name}.zip\n"
        return httpx.Response(200, content=digest if path.endswith(".CHECKSUM") else packed.getvalue())

    def rest(self) -> list[httpx.URL]:
        return [url for url in self.asked if url.path == "/api/v3/klines"]


def followed(seen_to: datetime | None = None) -> Universe:
    universe = only("binance", "BTCUSDT")
    spot = universe.bars_of("binance", "spot")
    return replace(universe, bars=tuple(replace(bars, seen_to=seen_to) for bars in spot))


def client(venue: Venue, store: Path, sleep: Callable[[float], None] = lambda _: None) -> Http:
    return Http(BodyStore(store), transport=httpx.MockTransport(venue), now=lambda: venue.now, sleep=sleep)


SPOT = BinanceSpot(followed(), KnownGaps())


def test_recorded_bars_have_the_same_form(shared: Path) -> None:
    body = (shared / "wire/binance/fapi_klines_1h_2026-08-15.json").read_bytes()
    frame = parse_klines_rest(body, BinanceSpot.page)
    assert frame.iloc[0, 1:].tolist() == [63043.40, 63083.00, 63011.60, 63026.30, 1116.068]
    invalid = (shared / "wire/binance/error_400_invalid_symbol.json").read_bytes()
    with pytest.raises(FormatChanged):
        parse_klines_rest(invalid, BinanceSpot.page)


def test_the_open_month_up_to_the_last_bar_that_is_over(tmp_path: Path) -> None:
    venue = Venue(files={"2026-08"})
    with client(venue, tmp_path) as http:
        frame = download(SPOT, http, "2026-08", "2026-09", MIDDLE)
    assert len(frame) == 744 + 14 * 24 + 12
    assert frame["open_time"].max() == pd.Timestamp("2026-09-15 11:00", tz="UTC")
    assert (frame["open_time"].diff().iloc[1:] == pd.Timedelta("1h")).all()
    assert len(to_arrow(RAW_BINANCE_SPOT_1H, frame)) == len(frame)
    (asked,) = venue.rest()
    assert asked.host == API
    assert dict(asked.params) == {
        "symbol": "BTCUSDT",
        "interval": "1h",
        "startTime": str(Month(2026, 9).start.timestamp() * 1000).removesuffix(".0"),
        "endTime": str(int(Month(2026, 9).end.timestamp() * 1000) - 1),
        "limit": "1000",
    }
    with http_at(None, tmp_path, offline=True) as http:
        again = download(SPOT, http, "2026-08", "2026-09", MIDDLE + timedelta(hours=5))
    assert again.equals(frame), "offline it is the body of then, without the bar that was running then"


def test_a_long_run_reaches_the_venue_after_the_hour_of_its_start(tmp_path: Path) -> None:
    venue = Venue(now=MIDDLE + timedelta(hours=3))
    with client(venue, tmp_path) as http:
        frame = download(SPOT, http, "2026-09", "2026-09", MIDDLE)
        assert http.counters.retries == 0
    assert frame["open_time"].max() == pd.Timestamp("2026-09-15 14:00", tz="UTC")


def test_a_month_without_a_file_yet_comes_by_rest_and_is_asked_for_once(tmp_path: Path) -> None:
    venue = Venue(now=datetime(2026, 10, 2, 1, 30, tzinfo=UTC), files={"2026-08"})
    with client(venue, tmp_path) as http:
        frame = download(SPOT, http, "2026-08", "2026-10", venue.now)
        assert len(frame) == 744 + 720 + 25
        before = len(venue.rest())
        assert download(SPOT, http, "2026-08", "2026-10", venue.now).equals(frame)
    assert len(venue.rest()) - before == 1, "the open month alone"


def test_where_the_api_is_blocked_its_market_data_address_answers(tmp_path: Path) -> None:
    blocked = httpx.Response(451, json={"code": 0, "msg": "Service unavailable from a restricted location"})
    venue = Venue(files={"2026-08"}, refuse={API: blocked})
    with client(venue, tmp_path) as http:
        frame = download(SPOT, http, "2026-08", "2026-09", MIDDLE)
        assert [url.host for url in venue.rest()] == [API, MIRROR]
        assert http.counters.retries == 0
    assert frame["source_url"].iloc[-1].startswith(f"https://{MIRROR}/api/v3/klines?symbol=BTCUSDT")
    venue.now, venue.refuse = datetime(2026, 10, 2, tzinfo=UTC), {API: blocked, MIRROR: blocked}
    with client(venue, tmp_path) as http, pytest.raises(PermanentError, match="451"):
        download(SPOT, http, "2026-09", "2026-10", venue.now)


def test_a_closed_month_of_the_second_address_is_not_asked_for_again(tmp_path: Path) -> None:
    venue = Venue(now=datetime(2026, 10, 2, tzinfo=UTC), refuse={API: httpx.Response(451)})
    with client(venue, tmp_path) as http:
        frame = download(SPOT, http, "2026-09", "2026-09", venue.now)
        before = len(venue.rest())
        assert download(SPOT, http, "2026-09", "2026-09", venue.now).equals(frame)
    assert len(frame) == 720
    assert len(venue.rest()) == before


@pytest.mark.parametrize(("status", "file"), [(429, None), (418, "error_418_ip_banned.json")])
def test_a_limit_is_waited_for_and_not_walked_around(
    shared: Path, tmp_path: Path, status: int, file: str | None
) -> None:
    body = (shared / "wire/binance" / file).read_bytes() if file else b'{"code":-1003,"msg":"Too many"}'
    waits: list[float] = []
    venue = Venue(refuse={API: httpx.Response(status, content=body, headers={"Retry-After": "40"})})

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        venue.refuse = {}

    with client(venue, tmp_path, sleep) as http:
        assert len(download(SPOT, http, "2026-09", "2026-09", MIDDLE)) == 14 * 24 + 12
    assert waits and 40 <= waits[0] < 60
    assert {url.host for url in venue.rest()} == {API}


def repeated(rows: Rows) -> Rows:
    return [*rows[:5], rows[4], *rows[5:]]


def future(rows: Rows) -> Rows:
    return [*rows, bar(MIDDLE.replace(minute=0) + timedelta(hours=3))]


BAD: dict[str, tuple[Callable[[Rows], Any], type[SourceError]]] = {
    "a hole": (lambda rows: [*rows[:40], *rows[50:]], TransientError),
    "a row twice": (repeated, TransientError),
    "out of order": (lambda rows: rows[::-1], TransientError),
    "no number": (lambda rows: [[*rows[0][:1], "NaN", *rows[0][2:]], *rows[1:]], TransientError),
    "the future": (future, TransientError),
    "another month": (lambda rows: [bar(MIDDLE - timedelta(days=40)), *rows], TransientError),
    "fewer fields": (lambda rows: [row[:6] for row in rows], FormatChanged),
    "an error as 200": (lambda rows: {"code": -1003, "msg": "Too many requests"}, FormatChanged),
    "a full page": (lambda rows: rows * 4, FormatChanged),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_answers_leave_nothing_and_one_that_heals_leaves_no_trace(kind: str, tmp_path: Path) -> None:
    change, error = BAD[kind]
    with client(Venue(), tmp_path / "good") as http:
        good = download(SPOT, http, "2026-09", "2026-09", MIDDLE)
    with client(Venue(change=change), tmp_path / "bad") as http:
        with pytest.raises(error, match=f"{TABLE} 2026-09 BTCUSDT"):
            download(SPOT, http, "2026-09", "2026-09", MIDDLE)
        assert not list(http.store.entries())
    if error is TransientError:
        venue = Venue(change=change)

        def healed(_: float) -> None:
            venue.change = list

        with client(venue, tmp_path / "healing", healed) as http:
            assert download(SPOT, http, "2026-09", "2026-09", MIDDLE).equals(good)
            assert http.counters.retries == 1


def test_a_cut_off_answer_is_asked_for_again(tmp_path: Path) -> None:
    cut = httpx.Response(200, content=json.dumps([bar(MIDDLE)]).encode()[:-9])
    venue = Venue(refuse={API: cut})
    with client(venue, tmp_path) as http, pytest.raises(TransientError, match=TABLE):
        download(SPOT, http, "2026-09", "2026-09", MIDDLE)


def test_a_mirror_of_the_files_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No REST there: the history ends with the files, the open month is named, closed months are settled."""
    venue = Venue(
        now=datetime(2026, 11, 20, tzinfo=UTC),
        files={"2026-07", "2026-08"},
        refuse={API: httpx.Response(404), MIRROR: httpx.Response(404)},
    )
    with client(venue, tmp_path) as http:
        with caplog.at_level(logging.WARNING):
            frame = download(SPOT, http, "2026-07", "2026-11", venue.now)
        assert len(frame) == 2 * 744
        assert "the open month has none" in caplog.text
        before = len(venue.asked)
        assert download(SPOT, http, "2026-07", "2026-11", venue.now).equals(frame)
        assert [url.host for url in venue.asked[before:]] == [API, MIRROR], "the open month alone"
        before = len(venue.asked)
        assert download(SPOT, http, "2026-07", "2026-10", venue.now).equals(frame)
        assert len(venue.asked) == before


def refreshed(venue: Venue, lake: Path, gaps: KnownGaps) -> pd.DataFrame:
    """The table after a run for September and October."""
    node = Node(RAW_BINANCE_SPOT_1H, "raw", datasets=(BinanceSpot(followed(), gaps),))
    table = Lake.at(str(lake))
    with client(venue, lake / "raw" / "_downloads") as http:
        context = Context(table, http, Settings(lake=str(lake)), venue.now, {TABLE: node})
        run_node(TABLE, Span.parse("2026-09", "2026-10"), context)
    return table.frame(RAW_BINANCE_SPOT_1H)


def test_the_file_takes_the_place_of_what_rest_gave(tmp_path: Path) -> None:
    venue = Venue(now=datetime(2026, 10, 2, 1, 30, tzinfo=UTC))
    by_rest = refreshed(venue, tmp_path, KnownGaps())
    venue.now, venue.files, venue.price = venue.now + timedelta(days=1), {"2026-09"}, 200.0
    by_file = refreshed(venue, tmp_path, KnownGaps())
    september = by_file["open_time"] < Month(2026, 10).start
    assert by_rest["open"].eq(100.0).all() and by_file.loc[september, "open"].eq(200.0).all()
    assert by_file.loc[september, "source_url"].str.endswith("2026-09.zip").all()
    assert len(by_rest) == 720 + 25 and len(by_file) == 720 + 49


def test_a_file_with_fewer_rows_than_rest_gave_is_refused(tmp_path: Path) -> None:
    halt = datetime(2026, 9, 10, 3, tzinfo=UTC)
    around = (halt - timedelta(hours=1), halt + timedelta(hours=1))
    gaps = KnownGaps((KnownGap(TABLE, "binance", ("BTCUSDT",), *around, reason="a halt"),))
    venue = Venue(now=datetime(2026, 10, 2, 1, 30, tzinfo=UTC))
    by_rest = refreshed(venue, tmp_path, gaps)
    venue.files, venue.gone = {"2026-09"}, {halt}
    with pytest.raises(StepFailed, match=r"lose 1 row.*2026-09-10 03:00"):
        refreshed(venue, tmp_path, gaps)
    assert Lake.at(str(tmp_path)).frame(RAW_BINANCE_SPOT_1H).equals(by_rest)
