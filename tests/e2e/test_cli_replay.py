"""The command line on real history, through the replay server."""

from __future__ import annotations

import io
import json
import random
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pandas as pd
import pytest
from lakes import DOWNLOADS, clean, command, digests, errors, perp, run, stamps
from typer.testing import CliRunner

from perp_pipeline import session
from perp_pipeline.cli import app
from perp_pipeline.months import Span

if TYPE_CHECKING:
    from conftest import Replay

pytestmark = pytest.mark.slow

SPAN = Span.parse("2019-11", "2020-01")
MONTHS = ("--from", str(SPAN.first), "--to", str(SPAN.last))
AVERAGES = "out_funding_averages"


@pytest.fixture(scope="module")
def filled(replay_server: Replay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with every table for the span, filled by the command line."""
    lake = tmp_path_factory.mktemp("cli") / "lake"
    replay_server.faults([])
    done = perp("run", *MONTHS, "--gateway", replay_server.url, "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert "Next: perp claims" in done.stderr
    return lake


@pytest.fixture(scope="module")
def averages(replay_server: Replay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the averages and what they need, filled in one go and never disturbed."""
    lake = tmp_path_factory.mktemp("undisturbed") / "lake"
    replay_server.faults([])
    assert errors(run(lake, replay_server.url, [AVERAGES], SPAN)) == ""
    return lake


def read(lake: Path, table: str, *options: str) -> pd.DataFrame:
    """A table by ``perp read`` as csv."""
    result = CliRunner().invoke(app, ["read", table, "--lake", str(lake), *options])
    assert result.exit_code == 0, result.stderr
    return pd.read_csv(io.StringIO(result.stdout))


def ask(server: Replay, path: str, **params: str | int) -> pd.DataFrame:
    """Rows straight from the server."""
    return pd.DataFrame(
        httpx.get(f"{server.url}/{path}", params=params, timeout=60).raise_for_status().json()
    )


def test_a_run_holds_what_the_server_holds(filled: Path, replay: Replay) -> None:
    bounds = {"startTime": SPAN.start.isoformat(), "endTime": SPAN.end.isoformat()}
    for symbol in ("XBTUSD", "ETHUSD"):
        theirs = ask(replay, "www.bitmex.com/api/v1/funding", symbol=symbol, count=500, **bounds)
        ours = read(filled, "core_funding_payments", "--where", "venue=bitmex", "--where", f"symbol={symbol}")
        assert ours["rate"].tolist() == theirs["fundingRate"].tolist()
        assert (
            pd.to_datetime(ours["paid_at"], utc=True).tolist()
            == pd.to_datetime(theirs["timestamp"], utc=True).tolist()
        )
    for symbol, count in (("BTCUSDT", 92 * 3), ("ETHUSDT", None)):
        start, end = (int(moment.timestamp() * 1000) for moment in (SPAN.start, SPAN.end))
        theirs = ask(
            replay, "fapi.binance.com/fapi/v1/fundingRate",
            symbol=symbol, startTime=start, endTime=end - 1, limit=1000,
        )  # fmt: skip
        ours = read(
            filled, "core_funding_payments", "--where", f"symbol={symbol}", "--where", "venue=binance"
        )
        assert ours["rate"].tolist() == theirs["fundingRate"].astype(float).tolist()
        assert count in (None, len(ours))
    assert not list(filled.rglob("_quarantine"))


def test_read_gives_the_same_rows_in_every_form(filled: Path, tmp_path: Path) -> None:
    options = ["--where", "venue=binance", "--where", "venue=cme", "--where", "period=all"]
    columns = ["venue", "symbol", "method", "estimate", "n", "window_end"]
    csv = read(filled, AVERAGES, *options, "--columns", ",".join(columns))
    assert list(csv.columns) == columns
    assert set(csv["venue"]) == {"binance", "cme"}
    assert {"calendar", "calendar_x12"} <= set(csv["method"])
    out = {form: tmp_path / f"t.{form}" for form in ("json", "parquet")}
    for form, path in out.items():
        arguments = ["read", AVERAGES, "--lake", str(filled), *options, "--columns", ",".join(columns)]
        result = CliRunner().invoke(app, [*arguments, "--format", form, "--output", str(path)])
        assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in out["json"].read_text().splitlines()]
    parquet = pd.read_parquet(out["parquet"])
    assert [line["estimate"] for line in lines] == pytest.approx(csv["estimate"].tolist())
    assert parquet["estimate"].tolist() == csv["estimate"].tolist()
    assert (
        pd.to_datetime(csv["window_end"], utc=True).tolist()
        == parquet["window_end"].tolist()
        == [pd.Timestamp(line["window_end"]) for line in lines]
    )


def test_read_by_month_goes_through_a_pipe(filled: Path) -> None:
    done = perp("read", "core_funding_8h", "--from", "2019-12", "--to", "2019-12", "--lake", filled)
    rows = pd.read_csv(io.StringIO(done.stdout))
    assert done.returncode == 0
    assert set(rows["window_end"].str[:7]) == {"2019-12"}
    whole = rows.groupby(["venue", "symbol"]).size()
    assert whole["binance", "BTCUSDT"] == whole["bitmex", "XBTUSD"] == 93


def test_claims_report_doctor_and_tables(filled: Path, tmp_path: Path) -> None:
    def says(*arguments: str) -> str:
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*arguments, "--lake", str(filled)])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "verdict" in says("claims")
    explained = says("claims", "1", "--explain")
    assert "Reason:" in explained and "Window:" in explained and "perp_pipeline" in explained
    page = tmp_path / "report"
    assert "Report:" in says("report", "--output", str(page))
    html = next(page.glob("*.html")).read_text()
    assert "BTCUSDT" in html and "<script src" not in html
    doctor = says("doctor")
    assert "real data" in doctor and "bad" not in doctor
    tables = says("tables")
    assert AVERAGES in tables and f"{SPAN.first}..{SPAN.last}" in tables
    assert "fraction" in says("tables", "core_funding_8h")


def test_a_second_run_asks_nobody_and_touches_nothing(filled: Path, replay: Replay) -> None:
    before, times = digests(filled, "*"), stamps(filled)
    again = perp("run", *MONTHS, "--gateway", replay.url, "--lake", filled)
    assert again.returncode == 0, again.stderr
    assert " 0 partitions written" in again.stderr
    # A venue that the server does not know may be asked again: DefiLlama's chart is of no month.
    answered = {name for name, entry in replay.stats()["endpoints"].items() if "200" in entry["outcomes"]}
    assert not answered
    assert digests(filled, "*") == before
    assert stamps(filled) == times


def test_offline_rebuilds_the_lake_from_its_own_evidence(filled: Path, tmp_path: Path) -> None:
    lake = tmp_path / "rebuilt"
    shutil.copytree(filled / DOWNLOADS, lake / DOWNLOADS)
    shutil.copy(filled / "_market.json", lake)
    evidence = digests(lake, "*")
    done = perp("run", *MONTHS, "--offline", "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert digests(lake) == digests(filled)
    assert digests(lake, "*").items() >= evidence.items()


def test_offline_without_evidence_is_an_error_that_says_what_is_missing(
    averages: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "poor"
    shutil.copytree(averages, lake)
    before = digests(lake)
    shutil.rmtree(lake / DOWNLOADS / "fapi.binance.com")
    done = perp("run", *MONTHS, "--offline", "--lake", lake, "--select", "raw_binance_funding")
    assert done.returncode == 1
    assert "binance raw_binance_funding 2019-11" in done.stderr and "without --offline" in done.stderr
    assert digests(lake) == before


def downloaded_anew(lake: Path) -> dict[str, str]:
    """Digests of tables and stored bodies, of which two downloads of one history give the same.

    The manifest says when each body came; Deribit writes the time into the body.
    """
    found = digests(lake) | digests(lake, "*.gz")
    return {name: digest for name, digest in found.items() if "www.deribit.com" not in name}


def test_a_run_that_is_killed_and_started_again_ends_in_the_same_bytes(
    averages: Path, replay: Replay, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    files = len(stamps(averages))
    arguments = ("run", *MONTHS, "--gateway", replay.url, "--lake", lake, "--select", AVERAGES)
    for threshold in sorted(random.Random(2).sample(range(files), 3)):
        process = subprocess.Popen(
            command(*arguments), env=clean({}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and count(lake) <= threshold:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = downloaded_anew(lake)
    assert left.items() <= downloaded_anew(averages).items(), "what is there is whole"
    done = perp(*arguments)
    assert done.returncode == 0, done.stderr
    assert downloaded_anew(lake) == downloaded_anew(averages)
    assert not (lake / "_scratch").exists()


def count(lake: Path) -> int:
    """Files below a folder that may be changing."""
    try:
        return sum(1 for path in lake.rglob("*") if path.is_file())
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_spans_run_one_after_the_other_are_one_span(
    backwards: bool, averages: Path, replay: Replay, tmp_path: Path
) -> None:
    parts = [Span.parse("2019-11", "2019-12"), Span.parse("2020-01", "2020-01")]
    for span in reversed(parts) if backwards else parts:
        assert errors(run(tmp_path / "lake", replay.url, [AVERAGES], span)) == ""
    assert downloaded_anew(tmp_path / "lake") == downloaded_anew(averages)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--from", "2019-13"], "'2019-13' is not a month: write YYYY-MM"),
        (["run", "--from", "2020-02", "--to", "2020-01"], "a span runs forward"),
        (["run", "--select", "core_fundig_8h"], "no table, layer or chapter. Tables:"),
        (["run", "--period", "2019/07"], "2019/07"),
        (["read", "core_fundig_8h"], "core_funding_8h"),
        (["read", AVERAGES, "--where", "venue"], "COLUMN=VALUE, for example venue=binance"),
        (["read", AVERAGES, "--where", "exchange=binance"], "no column 'exchange'; it has venue"),
        (["read", AVERAGES, "--columns", "venue,mean"], "no column 'mean'; it has venue"),
        (["read", AVERAGES, "--where", "n=many"], "many"),
        (["read", "core_funding_8h", "--from", "2031-01"], "Remedy: perp run --select core_funding_8h"),
        (["claims", "999"], "there is no claim 999"),
        (["tables", "core_fundig_8h"], "core_funding_8h"),
        (["run", "--archives", "nowhere.toml"], "nowhere.toml"),
        (["run", "--universe", "nowhere.toml"], "nowhere.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_user_gets_wrong_ends_with_2_and_says_what_to_write(
    arguments: list[str], message: str, filled: Path
) -> None:
    before = digests(filled, "*")
    nowhere = {"COLUMNS": "200", "PERP_GATEWAY": "http://127.0.0.1:9"}
    result = CliRunner(env=nowhere).invoke(app, [*arguments, "--lake", str(filled)])
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert message in " ".join(result.stderr.split())
    assert digests(filled, "*") == before


def test_an_empty_lake_says_how_to_fill_it(tmp_path: Path) -> None:
    for arguments in (["claims"], ["report"], ["read", AVERAGES]):
        result = CliRunner().invoke(app, [*arguments, "--lake", str(tmp_path / "none")])
        assert result.exit_code == 2
        assert "perp run" in " ".join(result.stderr.split())
    assert not (tmp_path / "none").exists()


def test_real_data_do_not_go_into_a_simulated_lake(tmp_path: Path, replay: Replay) -> None:
    (tmp_path / "_market.json").write_text('{"market": "simulated seed 7"}')
    result = CliRunner().invoke(app, ["run", *MONTHS, "--gateway", replay.url, "--lake", str(tmp_path)])
    assert result.exit_code == 2
    assert "holds simulated seed 7 data" in " ".join(result.stderr.split())


def test_a_gateway_that_does_not_answer_is_an_error_that_says_so(
    averages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(averages, lake, ignore=shutil.ignore_patterns(DOWNLOADS.name))
    before = digests(lake)
    monkeypatch.setattr(session, "open_session", partial(session.open_session, sleep=lambda seconds: None))
    result = CliRunner(env={"COLUMNS": "200"}).invoke(
        app, ["run", *MONTHS, "--gateway", "http://127.0.0.1:9", "--lake", str(lake), "--select", AVERAGES]
    )
    said = " ".join(result.stderr.split())
    assert result.exit_code == 1
    assert "binance raw_binance_funding 2019-11 BTCUSDT: no complete answer, ConnectError" in said
    assert "Check the connection and the gateway" in said
    assert f"{AVERAGES}: not run" in said
    assert digests(lake) == before


def test_a_pool_is_one_command_until_where_its_node_ends(replay: Replay, tmp_path: Path) -> None:
    pool = "0xcbcdf9626bc03e24f779434178a73a0b4bad62ed"
    arguments = (
        *("run", "--select", "amm", "--pool", f"ethereum:{pool}", "--from", "2023-03"),
        *("--gateway", replay.url, "--lake", tmp_path),
    )
    done = perp(*arguments, timeout=600, ETH_RPC_URL="https://eth-rpc.local/")
    assert done.returncode == 0, done.stderr
    assert "the node's chain ends at 2025-06-" in done.stderr
    days = read(tmp_path, "core_amm_pool_day", "--where", f"pool={pool}")
    # The first day has no spot price of the day before. The record ends within 2023-04-07: pool-days are
    # whole, so that flows, formula and marks are of the same hours, and a day in part is named instead.
    assert days["day"].str[:10].tolist() == [
        f"{day:%Y-%m-%d}" for day in pd.date_range("2023-03-02", "2023-04-06")
    ]
    swaps = read(tmp_path, "core_amm_swaps", "--where", f"pool={pool}", "--from", "2023-04")
    assert swaps["time"].str[:10].max() == "2023-04-07"
    kept_out = pd.read_csv(tmp_path / "_kept_out" / "core_amm_pool_day.csv")
    assert kept_out.loc[kept_out["reason"] == "no source holds the whole day", "key"].tolist() == [
        f"ethereum:{pool} 2023-04-07"
    ]
    assert "the node's record ends within this day" in done.stderr
    again = (
        "run",
        "--select",
        "raw_eth_logs",
        "--from",
        "2023-03",
        "--gateway",
        replay.url,
        "--lake",
        tmp_path,
    )
    forgot = perp(*again, timeout=600, ETH_RPC_URL="")
    assert forgot.returncode == 1
    assert (
        "ETH_RPC_URL is not set: no node of ethereum was asked. Set it first."
        in forgot.stdout + forgot.stderr
    )
    profit = read(tmp_path, "out_amm_profit_per_volume", "--where", f"pool={pool}", "--where", "period=2023")
    assert profit["estimate"].notna().all()
    assert (profit["ci_low"] < profit["ci_high"]).all()
    assert done.stderr.strip().splitlines()[-1] == f"Next: perp report --lake {tmp_path}"
    assert perp("report", "--lake", tmp_path).returncode == 0
    assert "WBTC-WETH 30 bp" in (tmp_path / "report" / "essay-a.html").read_text()
