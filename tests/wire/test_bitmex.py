"""BitMEX and the pinned copies: recorded and bad bodies, and the replay server with and without faults."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from funding_wire import download, http_at, only, stored

from perp_pipeline.contracts.raw_funding import RAW_BITMEX_BUCKETED, RAW_BITMEX_FUNDING, RAW_PINNED_FUNDING
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.sources.bitmex import BitmexBucketed, BitmexFunding, parse_bucketed, parse_funding
from perp_pipeline.sources.errors import (
    FormatChanged,
    IncompleteBody,
    NotInStore,
    PermanentError,
    SourceError,
    TransientError,
    Unreachable,
)
from perp_pipeline.sources.known_gaps import KnownGaps, load_known_gaps
from perp_pipeline.sources.pinned import archives_for, load_archives
from perp_pipeline.sources.pinned_funding import PinnedFunding, parse_pinned_funding

# --- parsers


def payment(**changes: Any) -> dict[str, Any]:
    return {
        "timestamp": "2021-04-01T20:00:00.000Z",
        "symbol": "XBTUSD",
        "fundingInterval": "2000-01-01T08:00:00.000Z",
        "fundingRate": 0.000817,
        "fundingRateDaily": 0.002451,
    } | changes


def test_recorded_funding(shared: Path) -> None:
    message = json.loads((shared / "wire" / "bitmex" / "ws_funding_partial_20210401.json").read_bytes())
    frame = parse_funding(json.dumps(message["data"]).encode(), "XBTUSD")
    assert frame["timestamp"].tolist() == [pd.Timestamp("2021-04-01 20:00", tz="UTC")]
    assert frame[["interval_hours", "rate", "rate_daily"]].iloc[0].tolist() == [8.0, 0.000817, 0.002451]


def test_recorded_bars(shared: Path) -> None:
    content = (shared / "wire" / "bitmex" / "http_get_trade_bins.json").read_bytes()
    frame = parse_bucketed(content, "XBTUSD")
    assert frame["timestamp"].dt.strftime("%H:%M").tolist() == ["10:30", "10:31", "10:32"]
    assert frame["close"].tolist() == [98950.0, 98960.0, 98970.0]
    assert frame["trades"].tolist() == [45, 32, 28]


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2000-01-01T08:00:00.000Z", 8.0),
        ("2000-01-02T00:00:00.000Z", 24.0),
        ("2000-01-01T01:00:00.000Z", 1.0),
    ],
)
def test_intervals_are_dates(text: str, hours: float) -> None:
    frame = parse_funding(json.dumps([payment(fundingInterval=text)]).encode(), "XBTUSD")
    assert frame["interval_hours"].tolist() == [hours]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'[{"timestamp":"2021-', TransientError),
        (b'{"error":{"message":"Rate limit exceeded","name":"RateLimitError"}}', FormatChanged),
        ([payment(fundingRate=float("nan"))], IncompleteBody),
        ([payment(fundingRate=None)], IncompleteBody),
        ([payment(symbol="ETHUSD")], IncompleteBody),
        ([payment(timestamp="yesterday")], IncompleteBody),
        ([payment(fundingInterval="2000-01-01T07:00:00.000Z")], FormatChanged),
        ([{"timestamp": "2021-04-01T20:00:00.000Z", "symbol": "XBTUSD"}], FormatChanged),
        ([payment(), {"symbol": "XBTUSD"}], IncompleteBody),
        ([payment()] * 500, FormatChanged),
    ],
    ids=[
        "cut",
        "error",
        "nan",
        "null",
        "symbol",
        "time",
        "interval",
        "members",
        "one short row",
        "full page",
    ],
)
def test_bad_funding_bodies(content: bytes | list[Any], error: type[SourceError]) -> None:
    with pytest.raises(error):
        parse_funding(content if isinstance(content, bytes) else json.dumps(content).encode(), "XBTUSD")


def test_empty_bodies() -> None:
    assert parse_funding(b"[]", "XBTUSD").empty
    assert parse_bucketed(b"[]", "XBTUSD").empty


# --- against the replay server


@pytest.fixture
def funding() -> BitmexFunding:
    return BitmexFunding(only("bitmex", "XBTUSD"), load_known_gaps())


def test_daily_payments_of_2016(replay: Any, funding: BitmexFunding, tmp_path: Path) -> None:
    with http_at(replay.url, tmp_path) as http:
        frame = download(funding, http, "2016-04", "2016-06")
    assert frame["interval_hours"].value_counts().to_dict() == {8.0: 79, 24.0: 22}
    assert frame.loc[frame["interval_hours"] == 24.0, "timestamp"].max() == pd.Timestamp(
        "2016-06-04 12:00", tz="UTC"
    )
    assert len(to_arrow(RAW_BITMEX_FUNDING, frame)) == len(frame)


def test_declared_holes_inside_and_between_months(replay: Any, tmp_path: Path) -> None:
    altcoins = only("bitmex", "BNBUSD", "SOLUSD", "XRPUSD")
    with http_at(replay.url, tmp_path) as http:
        frame = download(BitmexFunding(altcoins, load_known_gaps()), http, "2021-09", "2024-03")
    assert frame.groupby("symbol").size()[["BNBUSD", "SOLUSD"]].tolist() == [2628, 2586]
    strict = BitmexFunding(only("bitmex", "BNBUSD"), KnownGaps())
    with (
        http_at(replay.url, tmp_path / "strict") as http,
        pytest.raises(IncompleteBody, match="raw_bitmex_funding"),
    ):
        download(strict, http, "2021-11", "2021-12")


def test_a_hole_between_months_beyond_the_known_history(replay: Any, tmp_path: Path) -> None:
    """Nothing is promised there, but months that do not join up are refused and both bodies set aside."""
    from dataclasses import replace

    universe = only("bitmex", "BNBUSD")
    unknown = replace(universe, instruments=tuple(replace(i, seen_to=None) for i in universe.instruments))
    with http_at(replay.url, tmp_path) as http:
        with pytest.raises(IncompleteBody, match="2021-11-30 20:00 and 2021-12-15 12:00, between two months"):
            download(BitmexFunding(unknown, KnownGaps()), http, "2021-10", "2021-12")
        assert ["2021-10" in url for url in stored(http, ["funding"])] == [True]


def test_a_silent_month_that_is_not_the_end(replay: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    universe = only("bitmex", "XBTUSD")
    unknown = replace(universe, instruments=tuple(replace(i, seen_to=None) for i in universe.instruments))
    funding = BitmexFunding(unknown, KnownGaps())
    replay.faults([{"match": "startTime=2020-05-01.*endTime=2020-05-31", "kind": "empty_list"}])
    with http_at(replay.url, tmp_path) as http:
        with pytest.raises(IncompleteBody, match="2020-05: the month came without rows"):
            download(funding, http, "2020-04", "2020-06")
        replay.faults([])
        assert len(download(funding, http, "2020-04", "2020-06")) == 90 + 93 + 90


ROW_FAULTS = [
    "drop_rows",
    "duplicate_rows",
    "nan_values",
    "future_rows",
    "empty_list",
    "wrong_symbol",
    "reorder_rows",
]


@pytest.mark.parametrize(
    "kind", [*ROW_FAULTS, "short_json", "html_200", "truncate", "status_429", "status_503"]
)
def test_faults(replay: Any, funding: BitmexFunding, tmp_path: Path, kind: str) -> None:
    """A fault that stays is a clear error and leaves nothing; one that comes and goes leaves no trace."""
    with http_at(replay.url, tmp_path / "good") as http:
        good = download(funding, http, "2020-01", "2020-04")
    replay.faults([{"match": "bitmex.*funding", "kind": kind}])
    with http_at(replay.url, tmp_path / "bad") as http:
        with pytest.raises(TransientError, match="raw_bitmex_funding 2020-01 XBTUSD"):
            download(funding, http, "2020-01", "2020-04")
        assert not stored(http, [""])
        replay.faults([])
        assert download(funding, http, "2020-01", "2020-04").equals(good)
    replay.faults([{"match": "bitmex.*funding", "kind": kind, "every": 3}])
    with http_at(replay.url, tmp_path / "now and then") as http:
        assert download(funding, http, "2020-01", "2020-04").equals(good)
        assert http.counters.retries > 0


@pytest.mark.parametrize("kind", ROW_FAULTS)
def test_faults_of_bars(replay: Any, tmp_path: Path, kind: str) -> None:
    bars = BitmexBucketed(only("bitmex", "ETHUSD"), load_known_gaps())
    replay.faults([{"match": "bucketed", "kind": kind}])
    with http_at(replay.url, tmp_path) as http:
        with pytest.raises(TransientError, match="raw_bitmex_bucketed 2020-01 ETHUSD"):
            download(bars, http, "2020-01", "2020-02")
        replay.faults([])
        frame = download(bars, http, "2020-01", "2020-02")
    assert frame.groupby("bin_size").size().to_dict() == {"1d": 60, "1h": 60 * 24}
    assert len(to_arrow(RAW_BITMEX_BUCKETED, frame)) == len(frame)


def test_a_closed_exchange_leaves_it_to_the_copy(
    replay: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    replay.faults([{"match": "bitmex.com", "kind": "status_451"}])
    with_copy = BitmexFunding(only("bitmex", "ETHUSD"), load_known_gaps(), load_archives())
    with http_at(replay.url, tmp_path) as http:
        assert download(with_copy, http, "2020-01", "2020-02").empty
        assert "the pinned copy of ETHUSD stands in" in caplog.text
        without = BitmexFunding(only("bitmex", "XRPUSDT"), load_known_gaps(), load_archives())
        before = datetime(2026, 9, 1, tzinfo=UTC)
        with pytest.raises(PermanentError, match="raw_bitmex_funding 2022-01 XRPUSDT"):
            download(without, http, "2022-01", "2022-02", before)
        # After the announced closing nothing else is to be expected.
        assert download(without, http, "2022-01", "2022-02").empty
        copies = download(PinnedFunding(load_archives()), http, "2020-01", "2020-02")
    assert copies.groupby(["venue", "symbol"]).size()["bitmex", "ETHUSD"] == 180
    assert len(to_arrow(RAW_PINNED_FUNDING, copies)) == len(copies)


def test_copies_agree_with_the_venues(replay: Any, shared: Path, tmp_path: Path) -> None:
    rest = pd.read_csv(shared / "replay" / "data" / "bitmex_funding.csv.gz")
    rest["time"] = pd.to_datetime(rest["timestamp"], utc=True)
    with http_at(replay.url, tmp_path) as http:
        copies = download(PinnedFunding(load_archives()), http, "2016-05", "2024-12")
    for symbol in ("XBTUSD", "ETHUSD", "XBTUSDT"):
        copy = copies[(copies["venue"] == "bitmex") & (copies["symbol"] == symbol)].set_index("timestamp")[
            "rate"
        ]
        own = rest[rest["symbol"] == symbol].set_index("time")["fundingRate"].reindex(copy.index)
        assert np.allclose(copy, own, rtol=0, atol=1e-15)


def test_a_copy_with_two_rows_of_one_time() -> None:
    archive = archives_for(load_archives(), "raw_pinned_funding", "bitmex", "ETHUSD")[0]
    text = "datetime,timestamp,open,high,low,close,funding_rate\n"
    row = "2018-08-02 12:00:00,1533211200.0,1,1,1,1,0.0001\n"
    assert parse_pinned_funding(archive, (text + row).encode())["price"].tolist() == [1.0]
    with pytest.raises(FormatChanged, match="two payments"):
        parse_pinned_funding(archive, (text + row * 2).encode())
    with pytest.raises(FormatChanged):
        parse_pinned_funding(archive, (text + row.replace(",0.0001", ",")).encode())


def test_whole_history_against_plain_pandas(replay: Any, shared: Path, tmp_path: Path) -> None:
    """The second route: the replay's own tables, read by pandas alone."""
    funding = BitmexFunding(only("bitmex", "XBTUSD", "ETHUSD"), load_known_gaps())
    with http_at(replay.url, tmp_path) as http:
        frame = download(funding, http, "2016-05", "2026-11").sort_values(["symbol", "timestamp"])
    plain = pd.read_csv(shared / "replay" / "data" / "bitmex_funding.csv.gz")
    plain = plain[plain["symbol"].isin(["XBTUSD", "ETHUSD"])].sort_values(["symbol", "timestamp"])
    assert frame.groupby("symbol").size().to_dict() == {"ETHUSD": 6159, "XBTUSD": 10990}
    assert np.array_equal(frame["rate"].to_numpy(), plain["fundingRate"].to_numpy())
    assert frame["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S.000Z").tolist() == plain["timestamp"].tolist()


def test_a_venue_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody answers: trouble with the network before the announced closing, the closing itself after it."""
    funding = BitmexFunding(only("bitmex", "XBTUSD"), load_known_gaps(), load_archives())
    with http_at("http://127.0.0.1:9", tmp_path) as http:
        with pytest.raises(Unreachable, match="raw_bitmex_funding 2020-01 XBTUSD"):
            download(funding, http, "2020-01", "2020-02", datetime(2026, 9, 1, tzinfo=UTC))
        assert download(funding, http, "2020-01", "2020-02").empty
        assert "the pinned copy of XBTUSD stands in" in caplog.text


def test_what_came_before_a_refusal_is_kept(replay: Any, funding: BitmexFunding, tmp_path: Path) -> None:
    with_copy = BitmexFunding(funding.universe, funding.gaps, load_archives())
    replay.faults([{"match": "startTime=2020-03", "kind": "status_451"}])
    with http_at(replay.url, tmp_path) as http:
        assert len(download(with_copy, http, "2020-01", "2020-05")) == 93 + 87


def test_a_hole_in_the_store_is_not_a_closing(
    replay: Any, funding: BitmexFunding, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was never stored stands for a venue that was gone; one lost body among others does not."""
    with_copy = BitmexFunding(funding.universe, funding.gaps, load_archives())
    with http_at(replay.url, tmp_path / "full") as http:
        assert len(download(with_copy, http, "2020-01", "2020-03")) == 93 + 87 + 93
        lost = next(entry for entry in http.store.entries() if "2020-02-01" in entry.request.full_url)
        http.forget(lost.request)
    with (
        http_at(None, tmp_path / "full", offline=True) as http,
        pytest.raises(NotInStore, match=r"raw_bitmex_funding 2020-02 .*Run once without --offline"),
    ):
        download(with_copy, http, "2020-01", "2020-03")
    with http_at(None, tmp_path / "empty", offline=True) as http:
        assert download(with_copy, http, "2020-01", "2020-03").empty
    assert "the pinned copy of" in caplog.text


def test_nothing_is_asked_after_the_closing(replay: Any, funding: BitmexFunding, tmp_path: Path) -> None:
    with http_at(replay.url, tmp_path) as http:
        assert download(funding, http, "2026-10", "2026-11").empty
        assert http.counters.requests == 0
