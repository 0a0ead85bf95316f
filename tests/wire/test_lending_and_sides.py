"""Lending rates, open interest and closed venues' funding: recorded bodies, bad bodies, the replay server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from funding_wire import NOW, download, http_at

from perp_pipeline.contracts.raw_lending import RAW_DEFILLAMA_YIELDS, RAW_LENDING_RATES
from perp_pipeline.contracts.raw_open_interest import RAW_GMX_OPEN_INTEREST
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.sources.defillama import POOLS, DefiLlamaYields, parse_chart
from perp_pipeline.sources.errors import ChecksumMismatch, FormatChanged, SourceError, TransientError
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.lending import LendingArchives, parse_lending
from perp_pipeline.sources.open_interest import OpenInterestArchives, parse_open_interest
from perp_pipeline.sources.pinned import PinnedArchive, archives_for, load_archives
from perp_pipeline.sources.pinned_funding import PinnedFunding
from perp_pipeline.sources.store import BodyStore


def archives(table: str) -> tuple[PinnedArchive, ...]:
    return archives_for(load_archives(), table)


def chart(*rows: dict[str, Any], status: str = "success") -> bytes:
    return json.dumps({"status": status, "data": list(rows)}).encode()


def row(day: int, apy: Any = 2.5, **more: Any) -> dict[str, Any]:
    return {"timestamp": f"2024-01-{day:02d}T23:01:52.103Z", "apy": apy, "apyBase": apy, "tvlUsd": 10, **more}


# --- DefiLlama


def test_a_recorded_chart(shared: Path) -> None:
    frame = parse_chart((shared / "wire/defillama/yields_chart_shape.json").read_bytes(), NOW)
    assert frame["time"].tolist() == [pd.Timestamp("2026-10-08 23:01:52.103", tz="UTC")]
    assert frame[["apy", "apy_base", "tvl_usd"]].iloc[0].tolist() == [2.61, 2.61, 1234567890]
    assert frame["apy_reward"].isna().all()


def test_a_yield_may_be_unknown() -> None:
    frame = parse_chart(chart(row(1), row(2, None)), NOW)
    assert np.isnan(frame["apy"].iloc[1])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html></html>", SourceError),
        (chart(row(1), row(2))[:-20], TransientError),
        (b"[]", FormatChanged),
        (chart(row(1), status="error"), TransientError),
        (chart(), TransientError),
        (chart({"day": 1}), FormatChanged),
        (chart(row(1, "NaN")), TransientError),
        (chart(row(1), row(1)), TransientError),
        (chart(row(2), row(1)), TransientError),
        (chart({"timestamp": "2031-01-01T00:00:00.000Z", "apy": 1}), TransientError),
        (chart({"timestamp": "yesterday", "apy": 1}), TransientError),
    ],
)
def test_bad_charts(body: bytes, error: type[SourceError]) -> None:
    with pytest.raises(error):
        parse_chart(body, NOW)


def client(store: Path, answers: list[httpx.Response]) -> Http:
    asked = iter(answers)
    transport = httpx.MockTransport(lambda request: next(asked))
    return Http(BodyStore(store), transport=transport, sleep=lambda _: None, now=lambda: NOW)


def test_defillama_is_asked_again_after_a_bad_body_and_answers_offline(tmp_path: Path) -> None:
    pool = DefiLlamaYields({"aave_v3_usdc_supply": POOLS["aave_v3_usdc_supply"]})
    good = chart(row(1), row(2, None), row(3))
    answers = [
        httpx.Response(429, headers={"Retry-After": "1"}),
        httpx.Response(200, content=b"<html></html>"),
        httpx.Response(200, content=good[:-9]),
        httpx.Response(200, content=good),
    ]
    with client(tmp_path, answers) as http:
        frame = download(pool, http, "2024-01", "2024-01")
        assert http.counters.retries == 3
    assert frame["series"].tolist() == ["aave_v3_usdc_supply"] * 3
    assert len(to_arrow(RAW_DEFILLAMA_YIELDS, frame)) == 3
    with http_at(None, tmp_path, offline=True) as http:
        assert download(pool, http, "2024-01", "2024-01").equals(frame)
        assert download(pool, http, "2024-02", "2024-02").empty


def test_a_pool_that_is_gone_is_said_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = [httpx.Response(404), httpx.Response(200, content=chart(row(1)))]
    with client(tmp_path, answers) as http:
        frame = download(DefiLlamaYields({"gone": "x", "there": "y"}), http, "2024-01", "2024-01")
    assert frame["series"].tolist() == ["there"]
    assert "gone: no such pool" in caplog.text


def test_defillama_faults_that_stay_leave_nothing(tmp_path: Path) -> None:
    with client(tmp_path, [httpx.Response(200, content=b"{}")] * 9) as http:
        with pytest.raises(FormatChanged, match="raw_defillama_yields aave_v3_usdc_supply"):
            download(DefiLlamaYields(), http, "2024-01", "2024-01")
        assert not list(http.store.entries())


# --- the copy of Compound's and Aave's rates


def test_lending_rates_from_the_chain(replay: Any, tmp_path: Path) -> None:
    with http_at(replay.url, tmp_path) as http:
        frame = download(LendingArchives(archives("raw_lending_rates")), http, "2020-01", "2022-12")
    counts = frame.groupby("series").size()
    assert counts["compound_usdc_supply"] == 14465
    assert counts["aave_v2_usdc_borrow"] == 9879
    assert len(counts) == 6
    assert frame["time"].min() == pd.Timestamp("2020-05-04 13:22:13", tz="UTC")
    arrow = to_arrow(RAW_LENDING_RATES, frame)
    for check in RAW_LENDING_RATES.checks:
        ordered = arrow.to_pandas().sort_values(list(RAW_LENDING_RATES.key), ignore_index=True)
        assert check.passes(ordered).all(), check.name


@pytest.mark.parametrize(
    "lines",
    [
        "2021-01-01 00:00:00,0.03\n2021-01-01 00:00:00,0.03",
        "2021-01-02 00:00:00,0.03\n2021-01-01 00:00:00,0.03",
        "2021-01-01 00:00:00,3.1",
        "2021-01-01 00:00:00,-0.1",
        "2021-01-01 00:00:00,three",
    ],
)
def test_a_copy_of_lending_rates_that_is_none(lines: str) -> None:
    archive = replace(archives("raw_lending_rates")[0], columns={"compound_usdc_supply": "rate"})
    with pytest.raises(FormatChanged):
        parse_lending(archive, f"timestamp,rate\n{lines}\n".encode())


@pytest.mark.parametrize("kind", ["drop_rows", "nan_values", "truncate", "html_200"])
def test_a_changed_copy_is_refused(replay: Any, tmp_path: Path, kind: str) -> None:
    rates = LendingArchives(archives("raw_lending_rates"))
    replay.faults([{"match": "QuantLet", "kind": kind}])
    with http_at(replay.url, tmp_path) as http:
        with pytest.raises(TransientError, match="quantlet_usdc"):
            download(rates, http, "2021-01", "2021-01")
        assert not list(http.store.entries())
    replay.faults([{"match": "QuantLet", "kind": kind, "first": 1}])
    with http_at(replay.url, tmp_path) as http:
        assert len(download(rates, http, "2021-01", "2021-01")) > 0


# --- open interest


def test_open_interest_by_chain(replay: Any, tmp_path: Path) -> None:
    gmx = OpenInterestArchives(archives("raw_gmx_open_interest"))
    with http_at(replay.url, tmp_path) as http:
        frame = download(gmx, http, "2021-01", "2022-12")
    assert frame.groupby("chain").size().to_dict() == {"arbitrum": 371, "avalanche": 243}
    assert len(to_arrow(RAW_GMX_OPEN_INTEREST, frame)) == len(frame)
    with http_at(None, tmp_path, offline=True) as http:
        assert download(gmx, http, "2021-01", "2022-12").equals(frame)


def test_a_file_that_only_gateways_have_is_left_out_without_one(tmp_path: Path) -> None:
    gmx = OpenInterestArchives(archives("raw_gmx_open_interest"))
    with client(tmp_path, []) as http:
        assert download(gmx, http, "2021-01", "2022-12").empty
        assert http.counters.requests == 0


def test_another_file_of_open_interest_is_refused(replay: Any, tmp_path: Path) -> None:
    changed = tuple(replace(a, sha256="0" * 64) for a in archives("raw_gmx_open_interest"))
    with http_at(replay.url, tmp_path) as http, pytest.raises(ChecksumMismatch):
        download(OpenInterestArchives(changed), http, "2021-01", "2022-12")


@pytest.mark.parametrize(
    "line",
    [
        "2021-09-01,arbitrum,-1,2",
        "2021-09-01,arbitrum,,2",
        "2021-09-01,arbitrum,1,2\n2021-09-01,arbitrum,1,2",
    ],
)
def test_open_interest_that_is_none(line: str) -> None:
    with pytest.raises(FormatChanged):
        parse_open_interest(
            archives("raw_gmx_open_interest")[0], f"date,chain,long_usd,short_usd\n{line}\n".encode()
        )


# --- venues that are read from copies alone


@pytest.fixture(scope="module")
def closed(replay_server: Any, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    copies = tuple(a for a in archives("raw_pinned_funding") if a.venue in ("ftx", "dydx_v3", "deribit"))
    replay_server.faults([])
    with http_at(replay_server.url, tmp_path_factory.mktemp("store")) as http:
        return download(PinnedFunding(copies), http, "2019-01", "2024-12")


def test_copies_of_closed_venues(closed: pd.DataFrame) -> None:
    spans = closed.groupby(["venue", "symbol"])["timestamp"].agg(["min", "max", "size"])
    assert spans["size"].to_dict() == {
        ("deribit", "BTC-PERPETUAL"): 16008,
        ("dydx_v3", "BTC-USD"): 17520,
        ("dydx_v3", "ETH-USD"): 17520,
        ("ftx", "BTC-PERP"): 13848,
    }
    assert spans["min"]["deribit", "BTC-PERPETUAL"] == pd.Timestamp("2019-04-30 10:00", tz="UTC")
    assert spans["max"]["ftx", "BTC-PERP"] == pd.Timestamp("2022-07-31 16:00", tz="UTC")
    assert (closed["interval_hours"] == 1.0).all()


def test_the_clocks_of_hourly_copies_agree(closed: pd.DataFrame) -> None:
    """A copy in another zone, or stamped at its hour's start, would move with the others at another lag."""
    rates = closed.pivot(index="timestamp", columns=["venue", "symbol"], values="rate").diff()
    dydx, ftx, deribit = (
        rates[name] for name in (("dydx_v3", "BTC-USD"), ("ftx", "BTC-PERP"), ("deribit", "BTC-PERPETUAL"))
    )
    for a, b in ((dydx, ftx), (deribit, ftx)):
        by_lag = {lag: a.corr(b.shift(lag)) for lag in range(-6, 7)}
        assert max(by_lag, key=lambda lag: by_lag[lag]) == 0, by_lag
