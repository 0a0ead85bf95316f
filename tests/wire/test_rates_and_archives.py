"""Recorded bodies and the replay server: FRED, CryptoDataDownload, the CME copy, Databento."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.months import Month, Span
from perp_pipeline.sources.base import Body, Request
from perp_pipeline.sources.cme import FuturesArchives
from perp_pipeline.sources.cryptodatadownload import CandleArchives, parse_candles
from perp_pipeline.sources.databento import settlements
from perp_pipeline.sources.errors import ChecksumMismatch, FormatChanged, IncompleteBody, SourceError
from perp_pipeline.sources.fred import FredSeries, check_month, parse_fred
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.pinned import load_archives
from perp_pipeline.sources.store import BodyStore

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def http(replay: Any, tmp_path: Path) -> Iterator[Http]:
    with Http(BodyStore(tmp_path), gateway=replay.url, sleep=lambda _: None) as client:
        yield client


def read(dataset: Any, http: Http, first: str, last: str) -> pd.DataFrame:
    return pd.concat(list(dataset.fetch(http, Span.parse(first, last), NOW)), ignore_index=True)


def test_both_headings_of_fred(shared: Path) -> None:
    now = parse_fred("DTB3", (shared / "wire/fred/DTB3_observation_date.csv").read_bytes())
    before = parse_fred("DTB3", (shared / "wire/fred/DTB3_old_DATE_header.csv").read_bytes())
    assert now["percent"].isna().any()
    assert before["percent"].isna().any()
    both = now.merge(before, on="day", suffixes=("_now", "_before")).dropna()
    assert len(both) > 1000
    assert np.allclose(both["percent_now"], both["percent_before"])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"observation_date,DFF\n2024-01-01,5.33\n", IncompleteBody),
        (b"<html></html>", FormatChanged),
        (b"observation_date,DTB3\n2024-01-01,nan\n", IncompleteBody),
        (b"observation_date,DTB3\n2024-01-01,5,2\n", IncompleteBody),
        (b"observation_date,DTB3\n2024-01-02,5.2\n2024-01-01,5.2\n", IncompleteBody),
        (b"observation_date,DTB3\n2024-02-01,5.2\n", IncompleteBody),
        (b"observation_date,DTB3\n2024-01-02,5.2\n2024-01-04,5.2\n", IncompleteBody),
    ],
)
def test_a_month_of_fred_that_is_not_one(body: bytes, error: type[SourceError]) -> None:
    with pytest.raises(error, match="DTB3"):
        check_month("DTB3", Month(2024, 1), body)


def test_fred_through_replay(http: Http) -> None:
    frame = read(FredSeries(), http, "2023-12", "2024-01")
    assert (frame["series"] == "DFF").sum() == 62
    assert frame.loc[frame["series"] == "DTB3", "percent"].isna().sum() == 3  # Christmas, New Year, King


@pytest.mark.parametrize(
    "kind",
    ["drop_rows", "duplicate_rows", "nan_values", "future_rows", "html_200", "wrong_symbol", "truncate"],
)
def test_fred_faults_are_retried(http: Http, replay: Any, kind: str) -> None:
    clean = read(FredSeries(("DFF",)), http, "2024-01", "2024-02")
    for request in [entry.request for entry in http.store.entries()]:
        http.forget(request)
    replay.faults([{"match": "fredgraph", "kind": kind, "first": 1}])
    pd.testing.assert_frame_equal(read(FredSeries(("DFF",)), http, "2024-01", "2024-02"), clean)
    assert http.counters.retries >= 1


@pytest.mark.parametrize("match", ["2024-01-01", "2024-02-01", "2024-03-01"])
@pytest.mark.parametrize("kind", ["empty_list", "short_json"])
def test_a_month_that_is_known_is_whole_or_asked_for_again(
    http: Http, replay: Any, kind: str, match: str
) -> None:
    rule = {"match": f"fredgraph.*cosd={match}", "kind": kind}
    replay.faults([rule])
    with pytest.raises(IncompleteBody, match=f"{match[:7]} DTB3"):
        read(FredSeries(("DTB3",)), http, "2024-01", "2024-03")
    replay.faults([rule | {"first": 2}])
    assert len(read(FredSeries(("DTB3",)), http, "2024-01", "2024-03")) == 65


def test_an_empty_month_between_others_is_asked_for_again_in_the_next_run(
    http: Http, replay: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perp_pipeline.sources.fred.SEEN_TO", {})
    replay.faults([{"match": "fredgraph.*2024-02-01", "kind": "empty_list"}])
    with pytest.raises(IncompleteBody, match=r"DFF.*2024-01-31 and 2024-03-01"):
        read(FredSeries(("DFF",)), http, "2024-01", "2024-03")
    replay.faults([])
    assert len(read(FredSeries(("DFF",)), http, "2024-01", "2024-03")) == 91


@pytest.mark.parametrize(
    "kind", ["drop_rows", "duplicate_rows", "reorder_rows", "html_200", "truncate", "reset"]
)
def test_archive_faults_are_retried(http: Http, replay: Any, kind: str) -> None:
    replay.faults([{"match": "cme_btc_futures", "kind": kind, "first": 1}])
    frame = read(FuturesArchives(), http, "2024-01", "2024-01")
    assert len(frame) == 2 * 21
    assert http.counters.retries >= 1


def test_an_archive_that_stays_changed_is_refused(http: Http, replay: Any) -> None:
    replay.faults([{"match": "cme_btc_futures", "kind": "drop_rows"}])
    with pytest.raises(ChecksumMismatch, match="nanopowered_cme_btc"):
        read(FuturesArchives(), http, "2024-01", "2024-01")


def test_a_wrong_digest_in_the_list_is_refused(http: Http) -> None:
    archives = tuple(replace(item, sha256="0" * 64) for item in load_archives() if item.venue == "cme")
    with pytest.raises(ChecksumMismatch):
        read(FuturesArchives(archives), http, "2024-01", "2024-01")


def test_candles_through_replay(http: Http) -> None:
    frame = read(CandleArchives(), http, "2020-10", "2020-10")
    hourly = frame[frame["bin_size"] == "1h"].groupby(["venue", "symbol"]).size()
    assert hourly.to_dict() == {
        ("bitstamp", "BTCUSD"): 744,
        ("bitstamp", "ETHUSD"): 744,
        ("gemini", "BTCUSD"): 744,
        ("gemini", "ETHUSD"): 744,
    }


def test_the_edited_gemini_file_is_in_utc(http: Http) -> None:
    """Its times name no zone: hourly returns agree with Bitstamp's at no shift, in winter and in summer."""
    frame = read(CandleArchives(), http, "2019-01", "2019-12")
    ether = frame[(frame["symbol"] == "ETHUSD") & (frame["bin_size"] == "1h")]
    closes = ether.pivot_table(index="open_time", columns="venue", values="close")
    returns = np.log(closes).diff()
    for months in ([1, 2, 11, 12], [5, 6, 7, 8]):
        part = returns[returns.index.month.isin(months)]
        correlation = {shift: part["gemini"].corr(part["bitstamp"].shift(shift)) for shift in range(-6, 7)}
        assert max(correlation, key=lambda shift: correlation[shift]) == 0
        assert correlation[0] > 0.95


def test_a_file_saved_by_a_spreadsheet_is_refused(shared: Path) -> None:
    """Its epoch numbers are rounded to 1.61888E+12: many minutes share one time, which no unit repairs."""
    body = (shared / "wire/gemini/cdd_gemini_BTCUSD_1min_excel_mangled.csv").read_bytes()
    archive = next(item for item in load_archives() if item.name == "cdd_gemini_btcusd_1h")
    read_as = replace(archive, skip_lines=0)
    with pytest.raises(FormatChanged, match=r"cdd_gemini_btcusd_1h.*do not start on an hour"):
        parse_candles(read_as, Body(Request(archive.url), body, "", 200, NOW))


def test_recorded_databento_statistics_hold_no_bitcoin_settlement(shared: Path) -> None:
    databento = pytest.importorskip("databento")
    store = databento.DBNStore.from_file(shared / "wire/databento/test_data.statistics.dbn.zst")
    assert settlements(store.to_df().reset_index(), "BTC").empty
