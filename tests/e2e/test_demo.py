"""The demo: the whole pipeline on a simulated market, and the truth that was planted in it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from lakes import errors, perp
from typer.testing import CliRunner

from perp_pipeline import contracts
from perp_pipeline.cli import app
from perp_pipeline.graph import select
from perp_pipeline.lake import Lake
from perp_pipeline.months import Span
from perp_pipeline.runner import run_many
from perp_pipeline.session import open_session
from perp_pipeline.settings import Settings
from perp_pipeline.simulation import open_market
from perp_pipeline.simulation.onchain.truth import pool_days
from perp_pipeline.simulation.truth import Truth

pytestmark = pytest.mark.slow

SPAN = Span.parse("2020-01", "2021-06")


def test_the_demo_ends_with_claims_report_and_the_word_that_it_is_simulated(tmp_path: Path) -> None:
    lake = tmp_path / "demo"
    done = perp("demo", "--lake", lake, "--from", "2020-01", "--to", "2020-06", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert "verdict" in done.stdout
    page = Path(
        next(line for line in done.stderr.splitlines() if line.startswith("Report: "))[len("Report: ") :]
    )
    assert page.is_file() and "simulated" in page.read_text().lower()
    assert "This market is SIMULATED" in done.stderr
    assert not list(lake.rglob("_quarantine"))

    # what the lake has from logs is what the pools' own state says
    days = Lake.at(str(lake)).frame(contracts.get("core_amm_pool_day")).set_index(["pool", "day"])
    truth = pool_days(open_market(3, Span.parse("2020-01", "2020-06")).market.chain)
    assert len(days) == len(truth) > 100
    for day in truth:
        found = days.loc[(day.pool, pd.Timestamp(day.day))]
        assert found["pnl_usd"] == pytest.approx(day.pnl_usd, abs=1e-3)
        assert found["fees_usd"] == pytest.approx(day.fees_usd, abs=1e-3)
        assert found["convexity_flow_usd"] == pytest.approx(day.convexity_usd, abs=1e-3)

    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["run", "--lake", str(lake), "--from", "2020-01"])
    assert result.exit_code == 2
    assert "holds simulated seed 3 data" in " ".join(result.stderr.split())
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["demo", "--lake", str(lake), "--seed", "4"])
    assert result.exit_code == 2
    assert "simulated seed 3" in " ".join(result.stderr.split())


def test_months_that_the_demo_cannot_simulate_are_a_usage_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--lake", str(tmp_path / "demo"), "--from", "2016-05"])
    assert result.exit_code == 2
    assert "2018-01" in result.stderr
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_averages_recover_what_was_planted(seed: int, tmp_path: Path) -> None:
    averages, truth = averages_of(seed, tmp_path)
    perps = averages[averages["venue"] != "cme"]
    assert len(perps) == 4  # no XBTUSDT before 2021-11
    for row in perps.itertuples():
        planted = truth.perp(row.venue, row.symbol)
        assert row.ci_low < planted.mean_annual < row.ci_high
        # The first and the last day may lack a payment of another day: otherwise to the last digit.
        assert row.estimate == pytest.approx(planted.realised_mean_annual, abs=0.01 * planted.mean_annual)
        assert row.share_default == pytest.approx(planted.share_default, abs=0.1)
        assert row.share_negative == pytest.approx(planted.share_negative, abs=0.1)
    futures = averages[averages["venue"] == "cme"].set_index("method")
    for method in ("calendar", "calendar_x12"):
        found = futures.loc[method]
        assert found["ci_low"] < truth.cme_mean_annual[method] < found["ci_high"]
        assert found["estimate"] == pytest.approx(truth.realised_cme_mean_annual[method], abs=1e-9)


def averages_of(seed: int, folder: Path) -> tuple[pd.DataFrame, Truth]:
    """out_funding_averages of a simulated market over the whole span, and the truth about it."""
    opened = open_market(seed, SPAN)
    with open_session(
        Settings(lake=str(folder)),
        transport=opened.transport,
        market=f"simulated seed {seed}",
        clock=lambda: SPAN.end,
        archives=opened.archives,
        universe=opened.universe,
    ) as context:
        reports = run_many(select(context.nodes, ["out_funding_averages"]), SPAN, context)
    assert errors(reports) == ""
    averages = Lake.at(str(folder)).frame(contracts.get("out_funding_averages"), where={"period": ["all"]})
    return averages, opened.market.truth
